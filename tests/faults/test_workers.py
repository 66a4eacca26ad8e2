"""Worker processes that die: the short form; `make faults` runs the long one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from numpy.typing import NDArray
from runs import components
from stores import make_image

from tilewright import Grid, Pipeline, WorkerLost
from tilewright.engine.workers import distributed as patience
from tilewright.engine.workers import transport as parcel

pytestmark = pytest.mark.slow


def test_a_run_ends_right_without_the_workers_that_were_killed() -> None:
    command = [sys.executable, str(Path(__file__).with_name("workers.py")), "--rounds", "1", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 right" in done.stdout


@dataclass(frozen=True, kw_only=True)
class Dying:
    """A segmenter whose library crashes on tiles that are all of one value."""

    value: int

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        if (pixels == self.value).all():
            os.kill(os.getpid(), signal.SIGKILL)
        return components(pixels)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(patience, "CHECKS_ALONE", 10**6)
    with (
        dask.config.set(
            {
                "distributed.scheduler.allowed-failures": 0,  # a death counts at once: each costs a start
                "distributed.deploy.lost-worker-timeout": "1h",  # on a busy machine a start takes minutes
            }
        ),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_tile_that_kills_its_workers_ends_the_run_in_one_line_and_the_rest_is_kept(
    client: Any, tmp_path: Path
) -> None:
    pixels = make_image(tmp_path)
    pixels[32:, 64:] = 150
    pipeline = Pipeline(segmenter=Dying(value=150), tiler=Grid(tile=32))
    culprit = r"died, each in segmenter '.*Dying' on tile \(1, 2\) \(y 32:64, x 64:96\)\. .* re-run the same"
    with pytest.raises(WorkerLost, match=culprit) as raised:
        pipeline.run(pixels, tmp_path / "out.zarr")
    assert "\n" not in str(raised.value)
    assert (tmp_path / "out.zarr.tilewright").exists()


def test_an_array_in_memory_that_goes_with_its_workers_is_sent_again(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcel, "SENT", 0)  # of the size of an array that is not sent along with each task
    pixels = make_image(tmp_path, (256, 256))
    killed = []

    def kill_all(stage: str, done: int, total: int) -> None:
        if stage == "segment" and done and not killed:
            killed.extend(client.run(os.getpid).values())
            for process in killed:
                os.kill(process, signal.SIGKILL)

    result = Pipeline(segmenter=components, tiler=Grid(tile=32)).run(pixels, tmp_path / "out.zarr", progress=kill_all)
    assert len(killed) == 2
    np.testing.assert_array_equal(result.labels.compute(), components(pixels))


def test_a_cluster_that_loses_its_workers_for_good_ends_the_run_and_what_is_done_is_kept(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tilewright.engine.workers.crew.PULSE", 0.5)
    pixels, out = make_image(tmp_path), tmp_path / "out.zarr"
    pipeline = Pipeline(segmenter=components, tiler=Grid(tile=16))

    def leave(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("join", 0):
            client.cluster.scale(0)
            while client.nthreads():
                time.sleep(0.01)

    with pytest.raises(WorkerLost, match=r"all workers of the cluster at tcp://.* are gone, and none is asked for"):
        pipeline.run(tmp_path / "image.ome.zarr", out, progress=leave)
    assert "the cluster has no workers; waiting" in caplog.text
    client.cluster.scale(1)
    client.wait_for_workers(1)
    result = pipeline.run(tmp_path / "image.ome.zarr", out)
    np.testing.assert_array_equal(result.labels.compute(), components(pixels))
