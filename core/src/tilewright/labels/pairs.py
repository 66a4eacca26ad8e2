"""Pairs of labels that lie on the same pixels, counted by runs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["count_pairs", "paired_runs"]

Ints = NDArray[np.int64]


def count_pairs(lower: NDArray[Any], upper: NDArray[Any]) -> Ints:
    """The pairs of labels on the same pixels: rows of label, label, number of pixels.

    Both arrays hold a tile's own small ids; a pair of two backgrounds is counted too.
    """
    if not lower.size:
        return np.zeros((0, 3), np.int64)
    one, other, pixels = paired_runs(lower.ravel(), upper.ravel())
    width = np.int64(other.max()) + 1
    keys, at = np.unique(one.astype(np.int64) * width + other, return_inverse=True)
    return np.column_stack([keys // width, keys % width, np.bincount(at, weights=pixels).astype(np.int64)])


def paired_runs(one: NDArray[Any], other: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], Ints]:
    """Two flat arrays as runs in which both are constant: the values of the first, of the second, and the lengths."""
    starts = np.flatnonzero((one[1:] != one[:-1]) | (other[1:] != other[:-1])) + 1
    starts = np.concatenate(([0], starts))
    return one[starts], other[starts], np.diff(starts, append=one.size)
