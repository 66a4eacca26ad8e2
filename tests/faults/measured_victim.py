"""The measuring that is killed: `python measured_victim.py FOLDER labels|run`, slowly enough to be killed anywhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from stores import LEVEL, TILE

from tilewright import Grid, Pipeline, measure
from tilewright.abc import Block, Column, Columns, Facts, Quantity, unsplit


@dataclass(frozen=True, kw_only=True)
class SlowSums:
    """Pixels and their sum, slowly."""

    def columns(self, facts: Facts) -> dict[str, Column]:
        return {"area": Column(dtype="int64"), "sum": Column()}

    def quantities(self, facts: Facts) -> dict[str, Quantity]:
        return {"area": Quantity(dtype="int64"), "sum": Quantity()}

    def partial(self, block: Block) -> dict[str, NDArray[Any]]:
        time.sleep(0.03)
        assert block.pixels is not None
        labels = block.labels[block.core].ravel()
        weights = block.pixels[0][block.core].ravel()
        area, total = np.bincount(labels), np.bincount(labels, weights=weights)
        return {"area": area[1:], "sum": total[1:]}

    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Columns:
        time.sleep(0.1)
        return {"area": merged["area"], "sum": merged["sum"]}

    def __call__(self, block: Block) -> Columns:
        return unsplit(self, block)


@dataclass(frozen=True, kw_only=True)
class SlowWidths:
    """The extent of each whole object along x, slowly."""

    pixels: bool = False

    def columns(self, facts: Facts) -> dict[str, Column]:
        return {"width": Column(dtype="int64")}

    def __call__(self, block: Block) -> Columns:
        time.sleep(0.03)
        found = ndimage.find_objects(block.labels)[: block.n]
        return {"width": np.array([part[-1].stop - part[-1].start for part in found], np.int64)}


def components(pixels: NDArray[Any]) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(pixels > LEVEL)[0]
    return labels


def main(folder: Path, kind: str) -> None:
    measurers = (SlowSums(), SlowWidths())
    options: dict[str, Any] = {"workers": 2, "measure_pixels": TILE * TILE, "table": folder / "cells.table.zarr"}
    if kind == "labels":
        measure(folder / "labels.zarr", folder / "image.ome.zarr", measure=measurers, **options)
        return
    pipeline = Pipeline(segmenter=components, tiler=Grid(tile=TILE), writer="zarr-array", measure=measurers)
    pipeline.run(folder / "image.ome.zarr", folder / "cells.zarr", **options)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
