"""Worker processes that measure: those that die are replaced, and a cluster's make the same table."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from measured_victim import SlowSums, SlowWidths, components
from stores import make_image

from tilewright import Grid, Pipeline, Table, WorkerLost, measure
from tilewright.abc import Block, Columns, Facts

pytestmark = pytest.mark.slow


def die(marker: str) -> None:
    """Kill this process if no process with this marker was killed before; with none always."""
    if not marker or not Path(marker).exists():
        if marker:
            Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class InParts(SlowSums):
    """Kills its process in `partial`, and once more in `finish`."""

    folder: str = ""

    def partial(self, block: Block) -> Any:
        if block.place.region[0].start:
            die(self.folder and f"{self.folder}/partial")
        return super().partial(block)

    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Columns:
        die(f"{self.folder}/finish")
        return super().finish(merged, facts)


@dataclass(frozen=True, kw_only=True)
class InWhole(SlowWidths):
    """Kills its process where it measures whole objects."""

    folder: str = ""

    def __call__(self, block: Block) -> Columns:
        if block.place.region[0].start:
            die(f"{self.folder}/whole")
        return super().__call__(block)


PLAIN = (SlowSums(), SlowWidths())


def make_labels(folder: Path) -> None:
    """`image.ome.zarr`, and its labels as `cells.ome.zarr`."""
    pixels = make_image(folder)
    Pipeline(segmenter=components, tiler=Grid(tile=32)).run(pixels, folder / "cells.ome.zarr")


def measured(folder: Path, measurers: Any, table: str, **options: Any) -> Table:
    return measure(
        folder / "cells.ome.zarr",
        folder / "image.ome.zarr",
        folder / table,
        measure=measurers,
        measure_pixels=32 * 32,
        **options,
    )


def assert_same(one: Table, other: Table) -> None:
    assert one.names == other.names
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
    assert one.provenance["fingerprint"] == other.provenance["fingerprint"]


def test_a_worker_that_is_killed_while_it_measures_is_replaced(tmp_path: Path) -> None:
    make_labels(tmp_path)
    dying = (InParts(folder=str(tmp_path)), InWhole(folder=str(tmp_path)))
    table = measured(tmp_path, dying, "a.table.zarr", workers=2, processes=True)
    assert all((tmp_path / name).exists() for name in ("partial", "finish", "whole"))
    assert_same(table, measured(tmp_path, PLAIN, "b.table.zarr", workers=1))
    assert not list(tmp_path.glob("*.tilewright"))


def test_a_measurer_that_kills_every_worker_is_named_with_its_block(tmp_path: Path) -> None:
    make_labels(tmp_path)
    with pytest.raises(
        WorkerLost, match=r"died, each in the measurers .*InParts.* on block [345]\. .* re-run the same"
    ):
        measured(tmp_path, InParts(), "a.table.zarr", workers=2, processes=True)
    assert not (tmp_path / "a.table.zarr").exists()
    assert (tmp_path / "a.table.zarr.tilewright").exists()


def test_the_workers_of_a_cluster_make_the_same_table(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    make_labels(tmp_path)
    pipeline = Pipeline(segmenter=components, tiler=Grid(tile=32), measure=PLAIN)
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster),
    ):
        table = measured(tmp_path, PLAIN, "a.table.zarr")
        of_run = pipeline.run(tmp_path / "image.ome.zarr", tmp_path / "c.zarr", measure_pixels=32 * 32).table
    assert_same(table, measured(tmp_path, PLAIN, "b.table.zarr", workers=1))
    assert of_run is not None
    assert_same(of_run, table)
