"""What the engine itself measures of every object: where it lies, and marks that tell label images apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...abc.measurer import Block, Column, Columns, Facts, Quantity
from ...abc.merges import unsplit
from ...tiling.regions import lengths

__all__ = ["MARKS", "Extents"]

MARKS = ("mark-0", "mark-1", "mark-2")


@dataclass(frozen=True, kw_only=True)
class Extents:
    """The box of each object, and its marks: the number of its pixels, and the sums of their places and of the squares.

    A pixel's place is its flat position in the image. The sums are modulo 2^64, so they are the same however the image
    is cut.
    """

    pixels: bool = False

    def columns(self, facts: Facts) -> dict[str, Column]:
        boxes = [f"{what}-{i}" for what in ("start", "stop") for i in range(len(facts.shape))]
        return {name: Column(dtype="int64") for name in boxes} | {name: Column(dtype="uint64") for name in MARKS}

    def quantities(self, facts: Facts) -> dict[str, Quantity]:
        d = len(facts.shape)
        return {
            "start": Quantity(merge="min", dtype="int64", width=d),
            "stop": Quantity(merge="max", dtype="int64", width=d),
            "marks": Quantity(merge="sum", dtype="uint64", width=len(MARKS)),
        }

    def partial(self, block: Block) -> dict[str, NDArray[Any]]:
        start, length, number = block.runs
        mine = (number > 0) & (number <= block.n)
        of, runs = number[mine] - 1, length[mine]
        places = np.stack(np.unravel_index(start[mine], lengths(block.core)))
        places += np.array([[part.start] for part in block.place.core])
        ends = places + 1
        ends[-1] += runs - 1
        marks = _marks(places, runs, block.facts.shape)
        return {
            "start": _folded(np.minimum, places, of, block.n),
            "stop": _folded(np.maximum, ends, of, block.n),
            "marks": _folded(np.add, marks, of, block.n),
        }

    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Columns:
        columns = {f"start-{i}": merged["start"].reshape(-1, len(facts.shape))[:, i] for i in range(len(facts.shape))}
        columns |= {f"stop-{i}": merged["stop"].reshape(-1, len(facts.shape))[:, i] for i in range(len(facts.shape))}
        return columns | {name: merged["marks"][:, i] for i, name in enumerate(MARKS)}

    def __call__(self, block: Block) -> Columns:
        return unsplit(self, block)


def _folded(ufunc: np.ufunc, values: NDArray[Any], of: NDArray[Any], n: int) -> NDArray[Any]:
    """(n, k) what `ufunc` makes of the values (k, runs) of each object's runs."""
    folded = np.zeros((len(values), n), values.dtype)
    for row, each in zip(folded, values, strict=True):
        if ufunc is not np.add:
            row[of] = each
        ufunc.at(row, of, each)
    return folded.T


def _marks(places: NDArray[Any], runs: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.uint64]:
    """(3, runs) the marks of runs of some lengths that start at some places."""
    start = np.zeros(len(runs), np.uint64)
    for place, length in zip(places, shape, strict=True):
        start = start * np.uint64(length) + place.astype(np.uint64)
    n, one, two = runs.astype(np.uint64), np.uint64(1), np.uint64(2)
    sums = n * (n - one) // two  # 0 + 1 + … + (n - 1), and the squares of these
    squares = sums * (two * n - one) // np.uint64(3)
    return np.stack([n, n * start + sums, n * start * start + two * start * sums + squares])
