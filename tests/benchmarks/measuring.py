"""Time and memory of measuring, on label images that are computed when they are read.

python tests/benchmarks/measuring.py memory     # the peak for an image, and for one of 16 times the pixels
python tests/benchmarks/measuring.py objects    # ten million objects into a table
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, measure
from tilewright.abc import Block, Column, Columns, Facts, Quantity, unsplit

EXPONENTS = ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0))


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Second moments of an object, from its runs: as heavy for the engine as a common measurer."""

    pixels: bool = False

    def columns(self, facts: Facts) -> dict[str, Column]:
        names = ("y", "x", *(f"m{p}{q}" for p, q in EXPONENTS))
        return {name: Column() for name in names}

    def quantities(self, facts: Facts) -> dict[str, Quantity]:
        return {"moments": Quantity(merge="powers", dtype="int64", exponents=EXPONENTS)}

    def partial(self, block: Block) -> dict[str, NDArray[Any]]:
        labels = block.labels[block.core]
        y, x = np.nonzero(labels)
        number = labels[y, x] - 1
        order = np.argsort(number, kind="stable")
        y, x, number = y[order], x[order], number[order]
        first = np.searchsorted(number, np.arange(block.n))
        low = np.stack([np.minimum.reduceat(y, first), np.minimum.reduceat(x, first)], axis=1)
        dy, dx = y - low[number, 0], x - low[number, 1]
        sums = [np.add.reduceat(dy**p * dx**q, first) for p, q in EXPONENTS]
        return {"moments": np.column_stack([low + [part.start for part in block.place.core], *sums])}

    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Columns:
        names = self.columns(facts)
        return {name: merged["moments"][:, i].astype(float) for i, name in enumerate(names)}

    def __call__(self, block: Block) -> Columns:
        return unsplit(self, block)


class Squares:
    """Labels of squares of some pixels, side by side, numbered in raster order."""

    dtype = np.dtype(np.uint32)

    def __init__(self, side: int, step: int) -> None:
        self.shape, self.chunks, self._step = (side, side), (1024, 1024), step

    def __getitem__(self, region: Any) -> NDArray[np.uint32]:
        step = self._step
        y, x = (np.arange(part.start, part.stop) for part in region)
        labels = (y // step)[:, None] * (self.shape[1] // step) + x // step + 1
        labels *= (y % step > 0)[:, None] & (x % step > 0)
        return labels.astype(np.uint32)


def measured(side: int, step: int, workers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        labels, start = Image(Squares(side, step), "yx"), time.perf_counter()
        table = measure(labels, measure=Moments(), table=Path(folder) / "cells.table.zarr", workers=workers)
        seconds = time.perf_counter() - start
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        assert len(table) == (side // step) ** 2
        assert (table["m00"][:1000] == (step - 1) ** 2).all()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{len(table):,} objects in {side}²: {seconds:.1f} s, peak {peak:,.0f} MiB, table {size / 2**20:,.0f} MiB")


def apart(*arguments: int) -> None:
    """In a process of its own, whose peak is its own."""
    subprocess.run([sys.executable, __file__, "one", *map(str, arguments)], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["memory", "objects", "one"])
    parser.add_argument("numbers", type=int, nargs="*")
    said = parser.parse_args()
    if said.what == "one":
        measured(*said.numbers)
    elif said.what == "memory":
        apart(4096, 64, 2)
        apart(4 * 4096, 4 * 64, 2)  # as many objects: the ids of all are in memory
    else:
        apart(25600, 8, 2)
