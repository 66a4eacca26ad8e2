"""The commands `submit` and `work`: a job is prepared, queued, looked at, and done."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import numpy as np
import pytest
import zarr
from scipy import ndimage

from .conftest import Invoke

SEGMENTER = ["--segmenter", "lab-components"]
SBATCH = """#!/bin/sh
echo "$@" >> {log}
{answer}
"""


@pytest.fixture
def here(image: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the image in it; a task leaves the folder in which it was started."""
    monkeypatch.chdir(image.parent)
    return image.parent


def prepare(invoke: Invoke, *more: object) -> list[str]:
    """Submit a job to nobody; the lines that are printed."""
    parts = ["cells.yx.lab", "out.zarr", *SEGMENTER, "--tile", 16, "--writer", "zarr-array"]
    done = invoke("submit", *parts, "--tasks", 2, "--dry-run", *more)
    assert done.exit_code == 0, done.stderr
    return done.stdout.splitlines()


def have_sbatch(folder: Path, answer: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a program of that name found first, which answers so; the file in which it notes how it was called."""
    (folder / "bin").mkdir()
    program, log = folder / "bin" / "sbatch", folder / "sbatch.log"
    program.write_text(SBATCH.format(log=log, answer=answer))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder / "bin"), os.environ["PATH"]]))
    return log


def test_a_job_is_prepared_looked_at_and_done(
    invoke: Invoke, here: Path, image: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    array, last = prepare(invoke)
    checkpoint = here / "out.zarr.tilewright"
    assert array.startswith("job=$(sbatch --parsable --job-name=tilewright ")
    assert array.endswith(" --array=0-1)")
    assert last.endswith(" --dependency=afterany:${job%;*}")
    work = next(word for word in shlex.split(last) if word.startswith("--wrap="))
    assert shlex.split(work.removeprefix("--wrap="))[1:] == ["-m", "tilewright.cli", "work", str(checkpoint)]
    assert invoke("submit", "--status", checkpoint).stdout == "0 of 12 blocks done, 0 claimed, 12 open\n"
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    done = invoke("work", checkpoint)
    assert done.exit_code == 0, done.stderr
    assert "3 objects in 12 tiles" in done.stdout
    with image.open("rb") as file:
        expected = ndimage.label(np.lib.format.read_array(file) > 0)[0]
    np.testing.assert_array_equal(zarr.open_array(here / "out.zarr")[:], expected)
    assert not checkpoint.exists()
    late = invoke("work", checkpoint)
    assert (late.exit_code, late.stderr) == (
        0,
        f"there is nothing to do: the job in {checkpoint} has ended, or the path is wrong\n",
    )
    assert "there is no job in" in invoke("submit", "--status", checkpoint).stdout


def test_a_job_array_is_queued_and_one_task_after_it(
    invoke: Invoke, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = have_sbatch(here, "echo '7;main'", monkeypatch)
    words = ["submit", "cells.yx.lab", "out.zarr", *SEGMENTER, "--tile", 16, "--writer", "zarr-array", "--tasks", 3]
    done = invoke(*words, "--sbatch", "--mem=2G --comment='two words'")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"job 7: 12 tiles in 12 blocks; {here / 'out.zarr.tilewright'}\n"
    first, second = log.read_text().splitlines()
    assert first.endswith(" --mem=2G --comment=two words --array=0-2")
    assert second.endswith(" --mem=2G --comment=two words --dependency=afterany:7")


def test_what_sbatch_refuses_is_an_error(invoke: Invoke, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    have_sbatch(here, "echo 'sbatch: error: invalid partition' >&2; exit 1", monkeypatch)
    done = invoke("submit", "cells.yx.lab", "out.zarr", *SEGMENTER, "--writer", "zarr-array", "--tasks", 3)
    assert done.exit_code == 2
    assert "sbatch refuses the job: sbatch: error: invalid partition; correct --sbatch, and submit again" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cells.yx.lab"], "give IMAGE and --tasks, or --status CHECKPOINT"),
        (["--tasks", "2"], "give IMAGE and --tasks, or --status CHECKPOINT"),
        (["cells.yx.lab", "--tasks", "2", "--workflow", "w.toml"], "a job is one run on one image"),
        (["cells.yx.lab", "--tasks", "2", *SEGMENTER], "sbatch is not installed here"),
        (
            ["cells.yx.lab", "o.zarr", "--tasks", "2", *SEGMENTER, "--dry-run", "--keep-predictions", "5GB"],
            "keep_predictions is '5GB', but the tasks of a job keep all predictions or none",
        ),
        (["--status", "cells.yx.lab"], "is not a checkpoint; give the path that `tilewright submit` prints"),
    ],
)
def test_what_cannot_be_a_job_is_refused(
    invoke: Invoke, here: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.setenv("PATH", "")
    done = invoke("submit", *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert sorted(path.name for path in here.iterdir()) == ["cells.yx.lab"]


def test_a_folder_that_is_not_a_checkpoint_is_no_job(invoke: Invoke, here: Path) -> None:
    done = invoke("work", here)
    assert done.exit_code == 2
    assert f"{here} is not a checkpoint" in done.stderr


def test_a_file_that_is_not_a_job_is_refused(invoke: Invoke, here: Path) -> None:
    prepare(invoke)
    file = here / "out.zarr.tilewright" / "job.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"another": 1}))
    done = invoke("work", here / "out.zarr.tilewright")
    assert done.exit_code == 2, done.stderr
    assert f"{file} is not a job of this version of tilewright" in done.stderr


def test_what_tasks_of_an_earlier_job_have_begun_is_open_in_the_next(invoke: Invoke, here: Path) -> None:
    prepare(invoke)
    checkpoint = here / "out.zarr.tilewright"
    for which in range(3):
        (checkpoint / "tasks" / f"4.{which}").touch()
        os.utime(checkpoint / "tasks" / f"4.{which}", (0, 0))
    refused = invoke("work", checkpoint)
    assert refused.exit_code == 2
    assert "3 tasks began block 5 of 12 and did not end it" in refused.stderr
    prepare(invoke)
    assert invoke("work", checkpoint).exit_code == 0


def test_a_tile_that_fails_in_every_task_is_named_by_each_until_the_job_is_given_up(invoke: Invoke, here: Path) -> None:
    parts = ["cells.yx.lab", "out.zarr", *SEGMENTER, "--set", "calls=/nowhere/at/all", "--tile", 64]
    prepared = invoke("submit", *parts, "--writer", "zarr-array", "--tasks", 2, "--dry-run")
    assert prepared.exit_code == 0, prepared.stderr
    done = [invoke("work", here / "out.zarr.tilewright") for _ in range(4)]
    assert [each.exit_code for each in done] == [2] * 4
    assert ["tile (0, 0) (y 0:64, x 0:48): raised" in each.stderr for each in done] == [True] * 3 + [False]
    assert "3 tasks began block 1 of 1 and did not end it; their logs say why" in done[-1].stderr
