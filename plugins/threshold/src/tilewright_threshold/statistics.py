"""The range, mean and histogram of an image of any size, read block by block.

Bins are scikit-image's: one for each integer, and for floats 256 between the least and the greatest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tilewright import Image
from tilewright.abc import cpus

__all__ = ["BINS", "FLOAT_BINS", "Statistics", "finite"]

BINS = 2**16  # at most, for integers: those that span more values share bins
FLOAT_BINS = 256  # scikit-image's default
THREADS = 8  # at most, as each holds a block of 2**22 pixels as 64-bit integers

Result = TypeVar("Result")
Pixels = NDArray[Any]


class Statistics:
    """Statistics of an image's finite pixels; a property that is not asked for is not read.

    Booleans and integers of 8 and 16 bits are read once, others once for range and mean, and again for the histogram.

    >>> statistics = Statistics(Image(np.array([3, 5, 5, 4]), axes="x"))
    >>> statistics.range, statistics.mean, statistics.histogram[0].tolist()
    ((3.0, 5.0), 4.25, [1, 1, 2])
    """

    def __init__(self, image: Image) -> None:
        self._image = image
        self._narrow = image.dtype.kind in "bui" and image.dtype.itemsize <= 2

    @cached_property
    def range(self) -> tuple[float, float]:
        """The least and the greatest; both 0 if no pixel is finite, or if there are none.

        Floats so close together that no bins fit between them differ by rounding alone: both are the least.
        """
        if self._narrow:
            centres = self.histogram[1]
            return (float(centres[0]), float(centres[-1])) if centres.size else (0.0, 0.0)
        low, high = (float(value) for value in self._summary[:2])
        floats = self._image.dtype.kind == "f"
        return (low, high) if not floats or _increasing(low, high, np.dtype(np.float64)) else (low, low)

    @cached_property
    def mean(self) -> float:
        """Their mean: of the exact sum for what is read once, of one in float64 for the others."""
        if not self._narrow:
            return float(self._summary[2])
        counts, centres = self.histogram
        return float((counts * centres).sum() / max(1, counts.sum()))

    @cached_property
    def histogram(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """How many pixels each bin holds, from the first bin that holds any to the last, and the bins' centres."""
        if self._image.dtype.kind == "f":
            return self._of_floats()
        counts, centres = self._of_integers()
        taken = np.flatnonzero(counts)
        inside = slice(taken[0], taken[-1] + 1) if taken.size else slice(0)
        return counts[inside], centres[inside]

    def _of_integers(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        low, high = _limits(self._image.dtype) if self._narrow else (int(value) for value in self._summary[:2])
        width = (high - low) // BINS + 1
        bins = (high - low) // width + 1

        def count(block: Pixels) -> NDArray[np.int64]:
            # Modulo 2**64 the difference is right for signed integers too, however far apart they are.
            above = (block.astype(np.uint64) - np.uint64(low % 2**64)) // np.uint64(width)
            return np.bincount(above.ravel().view(np.int64), minlength=bins)

        return self._counted(count, bins), low + width * (np.arange(bins, dtype=np.float64) + 0.5) - 0.5

    def _of_floats(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        low, high = self._summary[:2]
        dtype = np.promote_types(self._image.dtype, np.float32)
        if not _increasing(low, high, dtype):
            dtype = np.dtype(np.float64)
        limits = dtype.type(low), dtype.type(high)

        def count(block: Pixels) -> NDArray[np.int64]:
            counts: NDArray[np.int64] = np.histogram(finite(block).astype(dtype), FLOAT_BINS, limits)[0]
            return counts

        edges = np.histogram_bin_edges(np.empty(0, dtype), FLOAT_BINS, limits)
        return self._counted(count, FLOAT_BINS), ((edges[:-1] + edges[1:]) / 2).astype(np.float64)

    def _counted(self, count: Callable[[Pixels], NDArray[np.int64]], bins: int) -> NDArray[np.int64]:
        shares = self._shared(lambda blocks: sum(map(count, blocks), np.zeros(bins, np.int64)))
        return sum(shares, np.zeros(bins, np.int64))

    @cached_property
    def _summary(self) -> tuple[Any, Any, float]:
        """The least, the greatest and the mean."""
        shares = self._shared(lambda blocks: [_summary(values) for block in blocks if (values := finite(block)).size])
        rows = [row for share in shares for row in share]
        if not rows:
            return 0, 0, 0.0
        lows, highs, sums, sizes = zip(*rows, strict=True)
        return min(lows), max(highs), math.fsum(sums) / sum(sizes)

    def _shared(self, work: Callable[[Iterator[Pixels]], Result]) -> list[Result]:
        """What the work gives for each thread's share of the blocks."""
        count = min(THREADS, cpus())
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(lambda first: work(self._image.blocks(first=first, every=count)), range(count)))


def finite(block: Pixels) -> Pixels:
    """The finite pixels, in one dimension; all of them for integers."""
    return block.ravel() if block.dtype.kind != "f" else block[np.isfinite(block)]


def _summary(values: Pixels) -> tuple[Any, Any, float, int]:
    return values.min(), values.max(), float(values.sum(dtype=np.float64)), values.size


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    return (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


def _increasing(low: Any, high: Any, dtype: np.dtype[Any]) -> bool:
    """Whether the edges of the bins are distinct numbers of that dtype."""
    return bool((np.diff(np.linspace(low, high, FLOAT_BINS + 1, dtype=dtype)) > 0).all())
