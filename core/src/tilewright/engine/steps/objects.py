"""The objects of a label image by row of the table: which there are, where they lie, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..checkpoint.log import Checkpoint

if TYPE_CHECKING:
    from ...abc.measurer import Column

__all__ = ["Objects", "grouped"]

Ints = NDArray[np.int64]


class Objects:
    """The objects in the order of the table, from tables of the checkpoint.

    ids: (N,) uint64, ascending within each time. times: (T + 1,) the first row of each time.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self.ids: NDArray[np.uint64] = checkpoint.load("ids")
        self.times: Ints = checkpoint.load("times")

    def rows(self, time: int, ids: NDArray[np.uint64]) -> Ints:
        """The rows of some objects of a time."""
        start, stop = self.times[time : time + 2].tolist()
        rows: Ints = np.searchsorted(self.ids[start:stop], ids) + start
        return rows

    def known(self, measure: Any, rows: Ints | slice) -> dict[str, NDArray[Any]]:
        """The columns of a measurer that is finished."""
        columns: dict[str, Column] = measure.columns
        return {name: np.asarray(self._checkpoint.load(f"known-{measure.array(name)}")[rows]) for name in columns}

    def owned(self, block: int) -> Ints:
        """The rows of the objects that a block measures whole."""
        start, stop = self._checkpoint.load("owned-starts")[block : block + 2].tolist()
        return np.asarray(self._checkpoint.load("owned")[start:stop])


def grouped(starts: Ints, stops: Ints, halo: int, most: int) -> tuple[list[Sequence[int]], list[int]]:
    """Boxes in groups of which the common box has at most so many pixels, and those boxes that alone have more.

    starts, stops: (n, d). halo: pixels around a common box that count too.
    """
    size = np.prod((stops - starts + 2 * halo).astype(float), axis=1)
    large = np.flatnonzero(size > most).tolist()
    rest = np.flatnonzero(size <= most)
    if not len(rest):
        return [], large
    rest = rest[np.lexsort(starts[rest].T[::-1])]
    groups: list[list[int]] = []
    low = high = None
    for i, start, stop in zip(rest.tolist(), starts[rest].tolist(), stops[rest].tolist(), strict=True):
        if low is not None and high is not None:
            lower, higher = list(map(min, low, start)), list(map(max, high, stop))
            if _volume(lower, higher, halo) <= most:
                low, high = lower, higher
                groups[-1].append(i)
                continue
        groups.append([i])
        low, high = start, stop
    return list(groups), large


def _volume(low: Sequence[int], high: Sequence[int], halo: int) -> int:
    volume = 1
    for start, stop in zip(low, high, strict=True):
        volume *= stop - start + 2 * halo
    return volume
