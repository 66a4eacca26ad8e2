"""The pixels of objects: exact sums, powers about each object's own minimum, and values in order as integers."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .runs import Runs, extreme, total

__all__ = ["Values", "from_order", "in_order"]

Pixels = NDArray[Any]
Unsigned = NDArray[Any]


class Values:
    """One channel's pixels in the core of a block, and what is known of them by run and by object."""

    def __init__(self, runs: Runs, pixels: Pixels) -> None:
        """pixels: the channel's, of the core; booleans are 0 and 1."""
        flat = pixels.reshape(-1)
        self.runs = runs
        self.flat = flat.view(np.uint8) if flat.dtype == bool else flat
        # Squares of 16 bits fit into 32, and their sums into 64: whole numbers all the way.
        self.narrow = self.flat.dtype.kind in "ui" and self.flat.dtype.itemsize <= 2

    def smallest(self) -> Pixels:
        """(n,) the least of each object; NaN if it has one."""
        return extreme(np.minimum, self.runs.of, self.runs.folded(np.minimum, self.flat), self.runs.n)

    def largest(self) -> Pixels:
        """(n,) the greatest of each object; NaN if it has one."""
        return extreme(np.maximum, self.runs.of, self.runs.folded(np.maximum, self.flat), self.runs.n)

    @cached_property
    def sums(self) -> Pixels:
        """(n,) the sum of each object: exact in int64, or in float64 for floats and 64 bits."""
        wide = self.flat.dtype.kind == "f" or self.flat.dtype.itemsize == 8
        return total(self.runs.of, self.runs.folded(np.add, self.flat, float if wide else np.int64), self.runs.n)

    def powers(self, base: Pixels) -> Pixels:
        """(n, 4) a base, and the number, sum and sum of squares of the distances of each object's pixels from it."""
        count = total(self.runs.of, self.runs.length, self.runs.n)
        if not self.narrow:
            with np.errstate(invalid="ignore", over="ignore"):  # of pixels that are infinite, or nearly so
                first, second = self._folded(self.above(base))
            return np.stack([base.astype(float), count.astype(float), first, second], axis=1)
        word = np.dtype("u4" if self.flat.dtype.kind == "u" else "i4")
        sums = self.sums
        squares = self.runs.folded(np.add, np.multiply(self.flat, self.flat, dtype=word), np.int64)
        base = base.astype(np.int64)
        second = total(self.runs.of, squares, self.runs.n) - 2 * base * sums + count * base**2
        return np.stack([base, count, sums - count * base, second], axis=1)

    def _folded(self, above: Pixels) -> tuple[Pixels, ...]:
        runs = self.runs
        return tuple(total(runs.of, runs.folded(np.add, each), runs.n) for each in (above, above * above))

    def above(self, base: Pixels) -> NDArray[np.float64]:
        """The distance of each pixel of the core from its object's base, in float64, and exact for integers."""
        spread = self.runs.spread(base[self.runs.of], len(self.flat))
        if self.flat.dtype.kind == "f":
            floats: NDArray[np.float64] = self.flat.astype(np.float64) - spread
            return floats
        # Modulo 2**64 the difference is right for signed integers too, however far apart they are.
        whole: NDArray[np.uint64] = self.flat.astype(np.uint64) - spread.astype(np.uint64)
        return whole.astype(np.float64)


def in_order(pixels: Pixels) -> Unsigned:
    """Unsigned integers in the order of the pixels' values; NaN is the greatest."""
    if pixels.dtype == bool or pixels.dtype.kind == "u":
        return pixels.view(f"u{pixels.dtype.itemsize}")
    bits = pixels.view(f"u{pixels.dtype.itemsize}")
    sign = bits.dtype.type(1 << (8 * bits.itemsize - 1))
    if pixels.dtype.kind == "i":
        flipped: Unsigned = bits ^ sign
        return flipped
    ordered = np.where(bits & sign, ~bits, bits | sign)
    ordered[np.isnan(pixels)] = np.iinfo(bits.dtype).max
    return ordered


def from_order(ordered: NDArray[np.uint64], dtype: np.dtype[Any]) -> NDArray[np.float64]:
    """The values of such integers."""
    bits = ordered.astype(f"u{dtype.itemsize}")
    sign = bits.dtype.type(1 << (8 * bits.itemsize - 1))
    if dtype.kind in "bu":
        return bits.astype(np.float64)
    bits = bits ^ sign if dtype.kind == "i" else np.where(bits & sign, bits ^ sign, ~bits)
    values: NDArray[np.float64] = bits.view(dtype).astype(np.float64)
    return values
