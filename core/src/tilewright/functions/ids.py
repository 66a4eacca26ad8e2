"""A sorted table of all the ids there are, built from blocks, on disk where they are many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SortedIds"]

IN_MEMORY = 2**22  # ids that wait to be sorted into a run on the disk: 32 MiB


class SortedIds:
    """Collect ids block by block, then read them as one sorted array without repetition.

    folder: for sorted runs of ids that are too many to be held at once; the final table is mapped from there.

    >>> ids = SortedIds(Path("unused"))
    >>> ids.add(np.array([7, 500, 7])); ids.add(np.array([2**64 - 1, 0, 7], np.uint64))
    >>> ids.table().tolist()
    [7, 500, 18446744073709551615]
    """

    def __init__(self, folder: Path, in_memory: int = IN_MEMORY) -> None:
        self._folder, self._most = folder, in_memory
        self._waiting: list[NDArray[np.uint64]] = []
        self._count = 0
        self._runs: list[Path] = []

    def add(self, ids: NDArray[Any]) -> None:
        """Take the ids of a block; 0 is no id."""
        found = np.unique(ids).astype(np.uint64)
        self._waiting.append(found[found > 0])
        self._count += len(self._waiting[-1])
        if self._count > self._most:
            self._merge_waiting()
            if self._count > self._most // 2:  # blocks that share their ids do not add up
                self._spill()

    def table(self) -> NDArray[np.uint64]:
        """All ids, ascending; nothing can be added afterwards."""
        self._merge_waiting()
        if not self._runs:
            return self._waiting[0]
        self._spill()
        while len(self._runs) > 1:
            self._runs.append(self._merged(self._runs.pop(0), self._runs.pop(0)))
        table: NDArray[np.uint64] = np.memmap(self._runs[0], np.uint64, "r")
        return table

    def _merge_waiting(self) -> None:
        self._waiting = [np.unique(np.concatenate([np.zeros(0, np.uint64), *self._waiting]))]
        self._count = len(self._waiting[0])

    def _spill(self) -> None:
        if self._count:
            self._runs.append(self._folder / f"ids-{len(list(self._folder.glob('ids-*')))}")
            self._waiting[0].tofile(self._runs[-1])
        self._waiting, self._count = [], 0

    def _merged(self, one: Path, other: Path) -> Path:
        """Two runs as one, a stretch of each at a time: what is below both stretches' ends is complete."""
        path = self._folder / f"ids-{len(list(self._folder.glob('ids-*')))}"
        left, right = (np.memmap(run, np.uint64, "r") for run in (one, other))
        step, at_left, at_right = max(1, self._most // 2), 0, 0
        with path.open("wb") as file:
            while at_left < len(left) or at_right < len(right):
                a, b = left[at_left : at_left + step], right[at_right : at_right + step]
                ends = [part[-1] for part, rest in ((a, len(left) - at_left), (b, len(right) - at_right)) if rest]
                limit = min(ends)
                taken = np.searchsorted(a, limit, "right"), np.searchsorted(b, limit, "right")
                np.union1d(a[: taken[0]], b[: taken[1]]).tofile(file)
                at_left, at_right = at_left + int(taken[0]), at_right + int(taken[1])
        return path
