"""Kill a run that writes a table before every change of a file in turn, and let the same command end with both.

    python tests/faults/table_changes.py [--every 1] [--case h5ad]

As `changes.py`, for each format of tables. The table is put into its place before the labels, so that after a kill a
reader may find the new table beside the earlier labels, whose fingerprints tell; it never finds half a table.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas  # noqa: F401 - pyarrow imports it; here once, and not in every process
import zarr
from changes import SHAPE, TILE, Case, command, ones, pixels, same
from numpy.typing import NDArray
from runs import components

import tilewright_geojson.table  # noqa: F401 - imported before the processes part, which saves each the time
import tilewright_measure.size
import tilewright_measure.tables.csv
import tilewright_measure.tables.h5ad
import tilewright_measure.tables.ngio
import tilewright_measure.tables.parquet  # noqa: F401 - likewise
from tilewright import Grid, Pipeline, open_image


@dataclass(frozen=True, kw_only=True)
class TableCase(Case):
    """A run with a table of a format, which may lie in the image. consolidated: of the image."""

    table: str = "cells.csv"

    def __str__(self) -> str:
        return f"{super().__str__()} {self.table}"

    def prepare(self, folder: Path) -> None:
        Case(kind="image", zarr_format=self.zarr_format).prepare(folder)
        if self.overwrite:
            self._pipeline(ones).run(pixels(), folder / self.output, table=folder / self.table)
        if self.consolidated:
            zarr.consolidate_metadata(folder / "image.zarr")

    def run(self, folder: Path) -> None:
        options: dict[str, Any] = {"overwrite": self.overwrite, "workers": 1}
        if self.elsewhere:
            options["checkpoint_dir"] = folder / "checkpoints"
        self._pipeline(components).run(
            folder / "image.zarr", folder / self.output, table=folder / self.table, **options
        )

    def _pipeline(self, segmenter: Any) -> Pipeline:
        measure = {"name": "size", "configuration": {"properties": ["area"]}}
        return Pipeline(segmenter=segmenter, tiler=Grid(tile=TILE), writer="zarr-array", measure=measure)

    def seen(self, folder: Path) -> NDArray[Any] | None:
        """The areas in the table, and then the labels; None if there is neither."""
        labels, table = folder / self.output, folder / self.table
        areas = AREAS[self.table](table) if table.exists() else None
        if areas is None:
            if labels.exists():
                raise AssertionError("there are labels, and no table of them")
            return None
        return np.concatenate([areas, open_image(labels).data[:].ravel()]) if labels.exists() else areas

    def expected(self) -> NDArray[Any]:
        return _both(components(pixels()))

    def before(self) -> NDArray[Any] | None:
        return _both(np.ones(SHAPE, np.uint32)) if self.overwrite else None

    def is_whole(self, seen: NDArray[Any] | None) -> bool:
        """Whether a reader finds what was there before, the new output, or the new table beside what was there."""
        areas = self.expected()[: -np.prod(SHAPE)]
        mixed = np.concatenate([areas, np.ones(SHAPE).ravel()]) if self.overwrite else areas
        return any(same(seen, each) for each in (self.before(), self.expected(), mixed))

    def check_tidy(self, folder: Path) -> None:
        left = {entry.name for entry in folder.iterdir()} - {"image.zarr", self.output, self.table, "checkpoints"}
        left |= {file.name for file in folder.rglob("*.partial")}
        left |= {file.name for file in (folder / "checkpoints").glob("*")}
        if left:
            raise AssertionError(f"left behind: {left}")
        if (zarr.open_group(folder / "image.zarr").metadata.consolidated_metadata is not None) != self.consolidated:
            raise AssertionError("the metadata are not consolidated as they were")


def _both(labels: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([np.bincount(labels.ravel())[1:], labels.ravel()])


def _of_csv(path: Path) -> NDArray[Any]:
    with path.open(encoding="utf-8") as file:
        return np.array([int(row["area"]) for row in csv.DictReader(file)])


def _of_parquet(path: Path) -> NDArray[Any]:
    from pyarrow import parquet

    return np.asarray(parquet.read_table(path)["area"])


def _of_h5ad(path: Path) -> NDArray[Any]:
    import h5py

    with h5py.File(path) as file:
        names = list(file["var"][file["var"].attrs["_index"]].asstr()[:])
        return np.asarray(file["X"][:, names.index("area")]).astype(np.int64)


def _of_zarr(path: Path) -> NDArray[Any]:
    return np.asarray(zarr.open_group(path, mode="r")["area"][:])


def _of_geojson(path: Path) -> NDArray[Any]:
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    return np.array([feature["properties"]["measurements"]["area"] for feature in features]).astype(np.int64)


def _of_ngio(path: Path) -> NDArray[Any] | None:
    """As ngio finds it; ngio itself takes seconds to be imported, which each process would have to do."""
    image = zarr.open_group(path.parent.parent, mode="r")
    if "cells" not in image["tables"].attrs.get("tables", []):
        return None
    if image["tables/cells"].attrs["type"] != "feature_table":
        raise AssertionError("what is listed is not a table")
    return _of_parquet(path / "table.parquet")


AREAS = {
    "cells.csv": _of_csv,
    "cells.parquet": _of_parquet,
    "cells.h5ad": _of_h5ad,
    "cells.table.zarr": _of_zarr,
    "cells.geojson": _of_geojson,
    "image.zarr/tables/cells": _of_ngio,
}


def cases() -> Iterator[Case]:
    """Every format, with and without an earlier output, and a checkpoint elsewhere; images of both versions."""
    for table in AREAS:
        for overwrite in (False, True):
            yield TableCase(kind="zarr-array", table=table, overwrite=overwrite, elsewhere=overwrite)
    for overwrite in (False, True):
        made: dict[str, Any] = {"kind": "zarr-array", "table": "image.zarr/tables/cells", "overwrite": overwrite}
        yield TableCase(**made, consolidated=True)
        yield TableCase(**made, zarr_format=2, consolidated=overwrite)


if __name__ == "__main__":
    command(cases(), "Kill a run that writes a table before every change of a file.")
