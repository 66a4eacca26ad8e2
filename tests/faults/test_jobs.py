"""Jobs of several tasks: what is killed is taken over, and whoever ends the run makes the labels of a local run."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from jobs import SHAPE, TILES, WORKERS, calls, chosen, command, contents, installed, submit, task
from stores import make_image

from tilewright.workflow.job import Job

pytestmark = pytest.mark.slow


@pytest.fixture
def variables(tmp_path: Path) -> Mapping[str, str]:
    return installed(tmp_path / "site")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an image, where segmenters called from now on wait until the file `hold` is removed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    make_image(folder, SHAPE)
    (folder / "hold").touch()
    return folder


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(variables: Mapping[str, str]) -> Iterator[Start]:
    """Start a task of a job, which is killed at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(checkpoint: Path, *words: str) -> subprocess.Popen[str]:
        started.append(task(checkpoint, variables, *words))
        return started[-1]

    yield begin
    for each in started:
        with each:
            each.kill()


def wait_for(folder: Path, *tasks: subprocess.Popen[str]) -> None:
    """Wait until all these tasks are at tiles."""
    while calls(folder) < WORKERS * len(tasks):
        assert all(each.poll() is None for each in tasks)
        time.sleep(0.01)


def run(
    folder: Path, variables: Mapping[str, str], output: str = "labels.ome.zarr"
) -> subprocess.CompletedProcess[str]:
    words = command("run", *chosen(folder, output), "--quiet")
    return subprocess.run(words, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("segmenter", "rounds"), [("slow", 3), ("slow-network", 2)])
def test_a_job_of_which_a_task_is_killed_makes_the_labels_of_a_local_run(segmenter: str, rounds: int) -> None:
    script = str(Path(__file__).with_name("jobs.py"))
    words = [sys.executable, script, "--rounds", str(rounds), "--seed", "2", "--segmenter", segmenter]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{rounds} of {rounds} right" in done.stdout


@pytest.mark.parametrize("by", ["run", "submit"])
def test_a_run_or_another_job_ends_a_job_whose_tasks_have_all_died(
    folder: Path, variables: Mapping[str, str], start: Start, by: str
) -> None:
    checkpoint = submit(folder, variables)
    only = start(checkpoint)
    wait_for(folder, only)
    (folder / "hold").unlink()
    while calls(folder) < TILES // 2:
        time.sleep(0.01)
    only.kill()
    only.wait()
    if by == "submit":
        again = start(submit(folder, variables))
        _, errors = again.communicate()
        assert again.returncode == 0, errors
    else:
        done = run(folder, variables)
        assert done.returncode == 0, done.stderr
    assert TILES <= calls(folder) <= TILES + WORKERS
    assert run(folder, variables, "local.ome.zarr").returncode == 0
    assert contents(folder / "labels.ome.zarr") == contents(folder / "local.ome.zarr")
    assert not checkpoint.exists()


def test_while_a_task_is_at_work_nobody_else_takes_the_checkpoint(
    folder: Path, variables: Mapping[str, str], start: Start
) -> None:
    checkpoint = submit(folder, variables)
    only = start(checkpoint)
    wait_for(folder, only)
    for words in (
        ["run", *chosen(folder, "labels.ome.zarr")],
        ["submit", *chosen(folder, "labels.ome.zarr"), "--tasks", 1],
    ):
        more = ["--dry-run"] if words[0] == "submit" else []
        refused = subprocess.run(command(*words, *more), env=variables, capture_output=True, text=True, check=False)
        assert refused.returncode == 2
        assert f"a task of a job is at work in {checkpoint} (process {only.pid} on " in refused.stderr
    cleaned = subprocess.run(
        command("clean", folder, "--delete"), env=variables, capture_output=True, text=True, check=True
    )
    assert "a run is at work in it" in cleaned.stdout
    (folder / "hold").unlink()
    only.communicate()
    assert only.returncode == 0
    assert calls(folder) == TILES


def test_a_task_that_finds_the_run_ended_by_another_ends_too(
    folder: Path, variables: Mapping[str, str], start: Start
) -> None:
    checkpoint = submit(folder, variables)
    tasks = [start(checkpoint), start(checkpoint, "--wait")]
    wait_for(folder, *tasks)
    (folder / "hold").unlink()
    late = [each.communicate()[1] for each in tasks]
    late.append(start(checkpoint).communicate()[1])
    assert [each.returncode for each in tasks] == [0, 0]
    assert sum("no block is left for this task" in errors for errors in late) == 1
    assert f"the job in {checkpoint} has ended" in late[-1]


def test_a_task_that_stands_by_ends_the_run_once_the_task_at_its_end_is_killed(
    folder: Path, variables: Mapping[str, str], start: Start
) -> None:
    (folder / "hold").rename(folder / "held")
    checkpoint = submit(folder, variables, "--merger", "slow-touch", "--merger-set", f"hold={folder / 'held'}")
    job = Job.open(checkpoint)
    assert job is not None
    tasks = {each.pid: each for each in (start(checkpoint, "--wait"), start(checkpoint, "--wait"))}
    while not job.claims.counts().ending:
        time.sleep(0.01)
    while (holder := job.claims.holder()) is None or not holder.process:  # it has not written its name yet
        time.sleep(0.01)
    tasks.pop(holder.process["process"]).kill()
    (folder / "held").unlink()
    (other,) = tasks.values()
    _, errors = other.communicate()
    assert other.returncode == 0, errors
    assert "no block is left" not in errors
    assert calls(folder) == TILES
    assert run(folder, variables, "local.ome.zarr").returncode == 0
    assert contents(folder / "labels.ome.zarr") == contents(folder / "local.ome.zarr")


def test_a_task_that_would_make_other_labels_does_not_take_part(
    folder: Path, variables: Mapping[str, str], start: Start
) -> None:
    checkpoint = submit(folder, variables)
    for old in ("image.ome.zarr", "labels.zarr"):
        shutil.rmtree(folder / old)
    make_image(folder, (64, 96))
    only = start(checkpoint)
    _, errors = only.communicate()
    assert only.returncode == 2
    assert "this task would not make the labels of the job" in errors
    assert "shape of the image" in errors
