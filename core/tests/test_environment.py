"""A worker does what the plan names, or says what it lacks."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import install

from tilewright import Grid, InvalidOption, Pipeline
from tilewright.engine.planning import plan_of
from tilewright.engine.workers import environment
from tilewright.engine.workers.environment import needed_by
from tilewright.engine.workers.transport import packed
from tilewright.io.source import open_source
from tilewright.run_options import RunOptions
from tilewright.storage.lock import hold

OPENING = """
import pickle, sys
from tilewright.engine.workers.transport import opened
with open(sys.argv[1], "rb") as file:
    opened(pickle.load(file))
print("as planned")
"""
SPOTS = """
from tilewright import Spec
@hookimpl
def tilewright_segmenters():
    return [Spec(name="spots", target="lab_spots:Spots")]

class Spots:
    def __call__(self, pixels):
        return (pixels > 3).astype(int)
"""


@pytest.fixture
def parcel(site: Path, tmp_path: Path) -> Path:
    """A plan with a plugin's segmenter, on its way to another process."""
    for cached in (environment._package, environment._versions):
        cached.cache_clear()  # each test has a plugin of that name of its own
    install(site, "lab-spots", SPOTS)
    pipeline, checkpoint = Pipeline(segmenter="spots", tiler=Grid(tile=4)), tmp_path / "checkpoint"
    checkpoint.mkdir()
    plan = plan_of(pipeline, open_source(np.eye(8)), {}, RunOptions(), checkpoint, tmp_path)
    path = tmp_path / "parcel"
    path.write_bytes(pickle.dumps(packed(plan, checkpoint)))
    return path


def opening(parcel: Path, *first: Path) -> subprocess.CompletedProcess[str]:
    """What a process says that opens it, with some folders before all others on its path."""
    variables = os.environ | {"PYTHONPATH": os.pathsep.join([*map(str, first), *filter(None, sys.path)])}
    command = [sys.executable, "-c", OPENING, str(parcel)]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_a_process_with_the_same_code_does_what_was_planned(parcel: Path) -> None:
    done = opening(parcel)
    assert done.stdout == "as planned\n", done.stderr


def test_a_process_with_other_code_of_a_plugin_refuses_and_names_both(parcel: Path, site: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "lab_spots.py").write_text((site / "lab_spots.py").read_text().replace("> 3", "> 4"))
    done = opening(parcel, other)
    assert "WorkerDiffers: process " in done.stderr
    assert (
        f"has lab_spots 1.0 in {other}, but the run was planned with the code of lab_spots 1.0 in {site}" in done.stderr
    )


def test_a_process_without_a_plugin_says_which(parcel: Path, site: Path) -> None:
    (site / "lab_spots.py").unlink()
    assert "has no lab_spots 1.0, which the run needs and process " in opening(parcel).stderr


def test_a_process_that_does_not_see_the_checkpoint_says_so(parcel: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint").rmdir()
    expected = f"does not see the checkpoint '{tmp_path / 'checkpoint'}' as process {os.getpid()} on "
    done = opening(parcel)
    assert expected in done.stderr
    assert "nothing (No such file or directory) there, a folder here; use a file system" in done.stderr


def located(tmp_path: Path, source: Any) -> Path:
    """A plan whose folders are held, as those of a run are, on its way to another process."""
    checkpoint, output = tmp_path / "checkpoint", tmp_path / "output"
    for folder in (checkpoint, output):
        folder.mkdir()
        hold(folder)
    plan = plan_of(Pipeline(segmenter=np.sign), open_source(source), {}, RunOptions(), checkpoint, output / "workdir")
    path = tmp_path / "parcel"
    path.write_bytes(pickle.dumps(packed(plan, checkpoint)))
    return path


@pytest.mark.parametrize("what", ["checkpoint", "output"])
def test_another_folder_of_the_same_name_is_not_the_runs(what: str, tmp_path: Path) -> None:
    parcel = located(tmp_path, np.eye(8))
    assert opening(parcel).stdout == "as planned\n"
    (tmp_path / what).rename(tmp_path / "elsewhere")
    (tmp_path / what).mkdir()
    done = opening(parcel)
    assert f"does not see the {what} '{tmp_path / what}' as process {os.getpid()} on " in done.stderr
    assert "another folder of that name there, the folder that the run holds here" in done.stderr


@pytest.mark.parametrize("change", ["longer", "other", "missing"])
def test_a_process_that_sees_another_image_file_says_both(change: str, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    image = tmp_path / "image.tif"
    tifffile.imwrite(image, np.eye(8, dtype="u1"))
    parcel, content = located(tmp_path, image), image.read_bytes()
    assert opening(parcel).stdout == "as planned\n"
    if change == "missing":
        image.unlink()
    else:
        image.write_bytes(content + b"x" if change == "longer" else content[:-1] + b"\xff")
    done = opening(parcel)
    assert f"does not see the image '{image}' as process " in done.stderr
    assert ("nothing (No such file" if change == "missing" else "there, a file of 320 bytes") in done.stderr


def test_only_plugins_and_the_users_own_modules_are_compared(tmp_path: Path) -> None:
    plan = plan_of(Pipeline(segmenter=np.sign), open_source(np.eye(8)), {}, RunOptions(), tmp_path, tmp_path)
    assert [package.name for package in needed_by(plan, tmp_path).packages] == ["tilewright"]


def test_an_asynchronous_client_is_refused_with_what_to_do(tmp_path: Path) -> None:
    async def go() -> None:
        from distributed import Client

        async with Client(processes=False, asynchronous=True, dashboard_address=None):  # type: ignore[no-untyped-call]
            with pytest.raises(InvalidOption, match="the active dask client is asynchronous"):
                Pipeline(segmenter=np.sign, writer="zarr-array").run(np.eye(8), tmp_path / "labels")

    asyncio.run(go())


def field(seed: int) -> int:
    image = np.random.default_rng(seed).random((40, 40)) < 0.3
    return Pipeline(segmenter=lambda pixels: pixels.astype(int), tiler=Grid(tile=20)).run(image).n_objects


@pytest.mark.slow
def test_runs_within_tasks_of_a_cluster_end_and_do_not_wait_for_its_workers() -> None:
    from distributed import Client

    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:  # type: ignore[no-untyped-call]
        found: Any = client.gather(client.map(field, range(4)))
    assert found == [field(seed) for seed in range(4)]
