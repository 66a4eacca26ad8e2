"""Many seams at once for the merger `touch` where only shared faces join.

A seam of small tiles has a thousand pixels, and some thirty numpy calls for so few take longer than the work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...builtin.mergers import Touch
from ..checkpoint.tables import record, strips
from ..plan import Plan

__all__ = ["Face", "can_batch", "faces", "touching"]


class Face(NamedTuple):
    """Two tiles that share a face, by number, and the labels of both where they do."""

    lower: int
    upper: int
    labels: tuple[NDArray[Any], NDArray[Any]]


def can_batch(merger: Callable[..., Any]) -> bool:
    """Whether `touching` says what that merger says."""
    return type(merger) is Touch and merger.connectivity == 1


def faces(plan: Plan, numbers: Sequence[int]) -> Iterator[Face]:
    """What these tiles share with those after them, where the first has objects there."""
    grid, objects = plan.grid, plan.tiles["objects"]
    kept = {number: strips(plan, number) for number in numbers}
    for number in numbers:
        for axis, (letter, count) in enumerate(zip(grid.axes, grid.counts, strict=True)):
            step = math.prod(grid.counts[axis + 1 :])
            upper = number + step
            if letter in grid.separate or number // step % count == count - 1 or not objects[upper]:
                continue
            here = kept[number][letter + "+"]
            if here.any():
                there = (kept.get(upper) or record(plan, upper, letter + "-"))[letter + "-"]
                yield Face(number, upper, (here, there))


def touching(seams: Sequence[Face]) -> NDArray[np.int64]:
    """What `Touch(connectivity=1)` says of these in turn: rows of its place, label in lower, label in upper."""
    if not seams:
        return np.zeros((0, 3), np.int64)
    lower, upper = (np.concatenate([seam.labels[side].ravel() for seam in seams]) for side in (0, 1))
    both = np.flatnonzero((lower > 0) & (upper > 0))
    ends = np.searchsorted(both, np.cumsum([seam.labels[0].size for seam in seams]))
    seam = np.repeat(np.arange(len(seams)), np.diff(ends, prepend=0))
    rows = _changing(seam, lower[both], upper[both])  # along a face the same pair comes many times in a row
    return _changing(*rows[np.lexsort(rows.T[::-1])].T)


def _changing(*columns: NDArray[Any]) -> NDArray[np.int64]:
    """The rows that are not as the one before."""
    fresh = np.zeros(len(columns[0]), np.bool_)
    fresh[:1] = True
    for column in columns:
        fresh[1:] |= column[1:] != column[:-1]
    return np.column_stack([column[fresh] for column in columns]).astype(np.int64)
