"""How a network's windows lie over an image: as large as memory allows, so that as little as possible is seen twice."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_cut", "least_pixels"]

Ints = NDArray[np.int64]


def best_cut(
    shape: Sequence[int], *, stride: Sequence[int], margin: Sequence[int], most: int
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """The size of windows of at most so many pixels, and where they start along each axis, multiples of the stride.

    The windows hold the fewest pixels in total. n of them along an axis of length L hold L + (n - 1) · 2 margins,
    rounded up to whole strides for each. `most` is at least `least_pixels`.

    >>> best_cut((100, 40), stride=(4, 4), margin=(8, 8), most=60 * 40)
    ((60, 40), ((0, 40), (0,)))
    """
    counts, sizes = zip(*map(_cuts, shape, stride, margin), strict=True)
    window = reduce(np.multiply.outer, sizes)
    total = reduce(np.multiply.outer, counts) * window
    best = np.unravel_index(np.where(window > most, np.inf, total).argmin(), window.shape)
    size = tuple(int(along[at]) for along, at in zip(sizes, best, strict=True))
    ends = (-(-length // step) * step for length, step in zip(shape, stride, strict=True))
    starts = tuple(
        tuple(min(number * (window - 2 * more), end - window) for number in range(int(along[at])))
        for along, at, window, more, end in zip(counts, best, size, margin, ends, strict=True)
    )
    return size, starts


def least_pixels(shape: Sequence[int], *, stride: Sequence[int], margin: Sequence[int]) -> int:
    """The pixels of the smallest windows that `best_cut` can choose."""
    return int(np.prod([sizes.min() for _, sizes in map(_cuts, shape, stride, margin)]))


def _cuts(length: int, step: int, margin: int) -> tuple[Ints, Ints]:
    """The numbers of windows that may lie along an axis, and for each the size of the window."""
    whole = -(-length // step) * step  # StarDist pads the image's end so far
    counts = np.arange(1, max(1, (whole - 2 * margin) // step) + 1)
    sizes = -(-(whole + (counts - 1) * 2 * margin) // (counts * step)) * step
    sizes, first = np.unique(sizes, return_index=True)  # the fewest windows of each size
    return counts[first], sizes
