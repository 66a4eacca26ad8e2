"""Workers and schedulers of a cluster that lack what a run needs: one error that names them, or labels."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clusters import scheduler, without, worker
from distributed import Client
from runs import components
from stores import make_image

from tilewright import Grid, Pipeline, Result, WorkerDiffers

pytestmark = pytest.mark.slow


def run(folder: Path, address: str, workers: int, progress: Callable[..., None] | None = None) -> Result:
    pipeline = Pipeline(
        segmenter={"name": "threshold", "configuration": {"threshold": 100, "min_size": 0}}, tiler=Grid(tile=4)
    )
    client: Any = Client(address)
    with client:
        client.wait_for_workers(workers)
        return pipeline.run(folder / "image.ome.zarr", folder / "out.zarr", progress=progress)


def test_the_scheduler_needs_no_tilewright_and_the_workers_are_in_the_provenance(tmp_path: Path) -> None:
    pixels = make_image(tmp_path)
    with ExitStack() as stack:
        _, address = stack.enter_context(scheduler(tmp_path, variables=without("tilewright", tmp_path)))
        for name in ("first", "second"):
            stack.enter_context(worker(tmp_path, address, name))
        result = run(tmp_path, address, 2)
    np.testing.assert_array_equal(result.labels.compute(), components(pixels))
    host = os.uname().nodename
    (alike,) = result.provenance["workers"]
    assert alike["count"] == 2
    assert alike["names"] == [f"first on {host}", f"second on {host}"]
    assert {"tilewright", "tilewright_threshold", "tilewright_ome_zarr"} <= set(alike["versions"])
    assert alike["versions"]["tilewright"] == result.provenance["tilewright"]


@pytest.mark.parametrize(
    ("package", "words"),
    [("tilewright", "cannot load tilewright"), ("tilewright_threshold", "has no tilewright_th")],
)
def test_a_worker_without_a_package_is_named_before_the_first_tile(package: str, words: str, tmp_path: Path) -> None:
    make_image(tmp_path)
    with ExitStack() as stack:
        _, address = stack.enter_context(scheduler(tmp_path))
        stack.enter_context(worker(tmp_path, address, "lacking", variables=without(package, tmp_path)))
        with pytest.raises(WorkerDiffers, match=rf"worker tcp://.* {words}.* which the run needs.*; install it there"):
            run(tmp_path, address, 1)
    assert not (tmp_path / "out.zarr").exists()
    assert not (tmp_path / "out.zarr.tilewright").exists()


def test_a_worker_that_joins_late_is_checked_before_its_first_tile(tmp_path: Path) -> None:
    make_image(tmp_path, (256, 256))
    with ExitStack() as stack:
        _, address = stack.enter_context(scheduler(tmp_path))
        good = stack.enter_context(worker(tmp_path, address, "good"))
        joined = []

        def join(step: str, done: int, total: int) -> None:
            if done and not joined:
                lacking = worker(tmp_path, address, "late", variables=without("tilewright_threshold", tmp_path))
                joined.append(stack.enter_context(lacking))
                good.kill()

        with pytest.raises(WorkerDiffers, match=r"has no tilewright_threshold .* which the run needs"):
            run(tmp_path, address, 1, join)
    assert (tmp_path / "out.zarr.tilewright").exists()


OTHER_CLOUDPICKLE = "import cloudpickle.cloudpickle\ndel cloudpickle.cloudpickle._make_function\n"


def test_a_scheduler_that_cannot_read_tasks_is_named(tmp_path: Path) -> None:
    make_image(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text(OTHER_CLOUDPICKLE)
    with ExitStack() as stack:
        _, address = stack.enter_context(scheduler(tmp_path, variables={"PYTHONPATH": str(other)}))
        stack.enter_context(worker(tmp_path, address, "good"))
        with pytest.raises(WorkerDiffers, match=rf"the dask scheduler at {address} cannot read the run's tasks"):
            run(tmp_path, address, 1)
