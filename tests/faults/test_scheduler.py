"""A scheduler or worker that goes away or is stopped during a run: one line names it, and the run waits or resumes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clusters import scheduler, worker
from distributed import Client, LocalCluster
from runs import components
from stores import labels_of, make_image

from tilewright import Grid, Pipeline, WorkerLost

pytestmark = pytest.mark.slow

JOB = """
import sys, time
from pathlib import Path
from distributed import Client
from tilewright import Grid, Pipeline, TilewrightError

def segment(pixels):
    from scipy import ndimage
    with open({calls!r}, "ab", buffering=0) as calls:
        calls.write(b".")
    while not Path({go!r}).exists():
        time.sleep(0.02)
    return ndimage.label(pixels > 100)[0]

if __name__ == "__main__":
    with Client({address!r}, timeout=2) as client:
        try:
            Pipeline(segmenter=segment, tiler=Grid(tile=16)).run({image!r}, name="cells", overwrite=True)
        except TilewrightError as error:
            sys.exit(f"{{type(error).__name__}}: {{error}}")
"""


def started(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """A process in a folder, whose stderr goes to a file there."""
    with (folder / "stderr").open("wb") as stderr:
        return subprocess.Popen(command, cwd=folder, stderr=stderr)


def stderr_of(folder: Path) -> str:
    return (folder / "stderr").read_text()


def test_a_scheduler_that_is_killed_ends_the_run_in_one_line_and_the_same_command_resumes(tmp_path: Path) -> None:
    pixels, calls, go = make_image(tmp_path), tmp_path / "calls", tmp_path / "go"

    def job(address: str) -> subprocess.Popen[bytes]:
        image = str(tmp_path / "image.ome.zarr")
        (tmp_path / "job.py").write_text(JOB.format(calls=str(calls), go=str(go), address=address, image=image))
        return started([sys.executable, str(tmp_path / "job.py")], tmp_path)

    with ExitStack() as stack:
        process, address = stack.enter_context(scheduler(tmp_path))
        stack.enter_context(worker(tmp_path, address, "first"))
        run = job(address)
        while not calls.exists():
            assert run.poll() is None, stderr_of(tmp_path)
            time.sleep(0.05)
        process.kill()
        run.wait()
    stderr = stderr_of(tmp_path)
    assert run.returncode == 1
    assert "Traceback" not in stderr
    last = stderr.splitlines()[-1]
    assert last.startswith(f"WorkerLost: the dask scheduler at {address} is gone, and did not come back within ")
    assert "re-run the same command to resume" in last
    assert (labels_of(tmp_path) == 1).all()
    go.touch()
    with scheduler(tmp_path, port=int(address.rpartition(":")[2])) as (_, again), worker(tmp_path, again, "second"):
        assert again == address
        run = job(address)
        assert run.wait() == 0, stderr_of(tmp_path)
    np.testing.assert_array_equal(labels_of(tmp_path), components(pixels))


def test_the_command_line_says_which_scheduler_went_and_shows_nothing_of_the_library(tmp_path: Path) -> None:
    make_image(tmp_path, (1024, 1024))
    words = ["run", "image.ome.zarr", "out.ome.zarr", "--segmenter", "threshold", "--tile", "8"]
    with ExitStack() as stack:
        process, address = stack.enter_context(scheduler(tmp_path))
        stack.enter_context(worker(tmp_path, address, "first"))
        command = [sys.executable, "-m", "tilewright.cli", *words, "--set", "threshold=100", "--scheduler", address]
        run = started([*command, "--quiet"], tmp_path)
        while not list(tmp_path.glob("out.ome.zarr.tilewright/packs/*")):
            assert run.poll() is None, stderr_of(tmp_path)
            time.sleep(0.02)
        process.kill()
        run.wait()
    stderr = stderr_of(tmp_path)
    assert run.returncode == 2, stderr
    assert "distributed" not in stderr
    assert "Traceback" not in stderr
    waiting, last = stderr.splitlines()[-2:]
    assert waiting.startswith(f"the dask scheduler at {address} does not answer; waiting")
    assert last.startswith(f"error: the dask scheduler at {address} is gone, and did not come back within 1")


LOCAL = """
import os, signal, sys, time
from pathlib import Path
from tilewright import Grid, Pipeline

def segment(pixels):
    from scipy import ndimage
    if not Path({calls!r}).exists():
        Path({calls!r}).write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGSTOP)
    return ndimage.label(pixels > 100)[0]

if __name__ == "__main__":
    run = Pipeline(segmenter=segment, tiler=Grid(tile=16)).run
    run({image!r}, name="cells", overwrite=True, processes=True, workers=2)
"""


def waited_for(run: subprocess.Popen[bytes], folder: Path, line: str) -> None:
    """Wait until a run has written a line, once, and is still there."""
    while line not in stderr_of(folder):
        assert run.poll() is None, stderr_of(folder)
        time.sleep(0.1)
    assert stderr_of(folder).count(line) == 1


@pytest.mark.parametrize("stopped", ["scheduler", "worker"])
def test_who_was_stopped_is_named_once_and_the_run_waits(stopped: str, tmp_path: Path) -> None:
    pixels, calls, go = make_image(tmp_path), tmp_path / "calls", tmp_path / "go"
    with scheduler(tmp_path) as (process, address), worker(tmp_path, address, "first") as first:
        image = str(tmp_path / "image.ome.zarr")
        (tmp_path / "job.py").write_text(JOB.format(calls=str(calls), go=str(go), address=address, image=image))
        run = started([sys.executable, str(tmp_path / "job.py")], tmp_path)
        while not calls.exists():
            assert run.poll() is None, stderr_of(tmp_path)
            time.sleep(0.05)
        victim = {"scheduler": process, "worker": first}[stopped]
        victim.send_signal(signal.SIGSTOP)
        named = {"scheduler": f"the dask scheduler at {address} does not answer", "worker": "worker first at tcp://"}
        waited_for(run, tmp_path, named[stopped])
        go.touch()
        victim.send_signal(signal.SIGCONT)
        assert run.wait() == 0, stderr_of(tmp_path)
    np.testing.assert_array_equal(labels_of(tmp_path), components(pixels))


def test_a_scheduler_that_is_stopped_before_the_run_is_named(tmp_path: Path) -> None:
    make_image(tmp_path)
    with scheduler(tmp_path) as (process, address), worker(tmp_path, address, "first"):
        text = JOB.format(calls=str(tmp_path / "calls"), go=str(tmp_path), address=address, image="image.ome.zarr")
        stopping = f"import os, signal; os.kill({process.pid}, signal.SIGSTOP)"
        (tmp_path / "job.py").write_text(text.replace("        try:", f"        {stopping}\n        try:"))
        run = started([sys.executable, str(tmp_path / "job.py")], tmp_path)
        waited_for(run, tmp_path, f"the dask scheduler at {address} does not answer")
        process.send_signal(signal.SIGCONT)
        assert run.wait() == 0, stderr_of(tmp_path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no other system tells of a stopped process")
def test_a_process_of_the_run_that_was_stopped_is_named_once(tmp_path: Path) -> None:
    pixels, calls = make_image(tmp_path), tmp_path / "calls"
    job = LOCAL.format(calls=str(calls), image=str(tmp_path / "image.ome.zarr"))
    (tmp_path / "job.py").write_text(job)
    run = started([sys.executable, str(tmp_path / "job.py")], tmp_path)
    while not (calls.exists() and calls.read_text()):
        assert run.poll() is None, stderr_of(tmp_path)
        time.sleep(0.05)
    waited_for(run, tmp_path, f"worker process {calls.read_text()} was stopped")
    os.kill(int(calls.read_text()), signal.SIGCONT)
    assert run.wait() == 0, stderr_of(tmp_path)
    np.testing.assert_array_equal(labels_of(tmp_path), components(pixels))


def test_a_cluster_that_is_closed_during_a_run_ends_it(tmp_path: Path) -> None:
    make_image(tmp_path)
    cluster: Any = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
    with Client(cluster):

        def close(step: str, done: int, total: int) -> None:
            if done:
                cluster.close()

        with pytest.raises(WorkerLost, match=rf"the dask scheduler at {cluster.scheduler_address} is gone"):
            Pipeline(segmenter=components, tiler=Grid(tile=16)).run(
                tmp_path / "image.ome.zarr", tmp_path / "out.zarr", progress=close
            )
