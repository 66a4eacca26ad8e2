"""In which order the windows of a network are predicted and tiles decoded: a tile as soon as its windows are there."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from .plan import Plan

__all__ = ["Lookahead", "batch_of", "task_of"]

TILES = 16  # at least so many tiles are looked ahead


def task_of(batch: int) -> int:
    """The number that stands for predicting a batch, among the numbers of tiles, which are not below 0."""
    return -1 - batch


def batch_of(task: int) -> int | None:
    """The batch that a number stands for; None if it is a tile's."""
    return -1 - task if task < 0 else None


class Lookahead:
    """The tasks of a run that predicts and decodes, as lists of one number; None where a running one must end first.

    Tiles come in order. Batches are predicted no further ahead of them than a row of tiles, so that what is kept is a
    band of the image. Whoever does the tasks calls `ended` for each.
    """

    def __init__(self, plan: Plan, tiles: Sequence[int], done: Collection[int]) -> None:
        """tiles: those to decode. done: the tiles that are decoded already, and need no batch."""
        self._plan = plan
        self._tiles = (number for number in tiles if number not in done)
        self._ahead = max(TILES, math.prod(plan.grid.counts[1:]))  # tiles
        self._open: deque[int] = deque()  # tiles that are looked at and not handed out, in order
        self._needs: dict[int, Mapping[int, int]] = {}  # by tile that is looked at and not decoded, those of the plan
        self._missing: dict[int, int] = {}  # by such a tile, how many of its batches are not predicted yet
        self._asked: deque[int] = deque()  # batches that are not handed out
        self._waiting: dict[int, list[int]] = {}  # by batch that is not predicted, the tiles that wait for it
        self._known: set[int] = set()  # batches that were asked for and are not over
        # By batch, how often tiles that are not decoded need one of its windows. Where more tiles may follow, what they
        # need stays, so that nothing is predicted twice.
        self._left = plan.uses(plan.grid.segmented if plan.growing else tiles)
        for tile in done:
            self._used(plan.needs(plan.grid[tile]))
        rest = plan.uses([tile for tile in tiles if tile not in done]) if plan.growing else self._left
        self.batches = int(np.count_nonzero(rest))

    def __iter__(self) -> Iterator[list[int] | None]:
        while True:
            self._look()
            if self._open and not self._missing[self._open[0]]:
                yield [self._open.popleft()]
            elif self._asked:
                yield [task_of(self._asked.popleft())]
            elif self._open:
                yield None
            else:
                return

    def ended(self, task: int) -> list[int]:
        """A task is done. Returns the batches that no tile needs any more."""
        batch = batch_of(task)
        if batch is not None:
            for tile in self._waiting.pop(batch):
                self._missing[tile] -= 1
            return []
        del self._missing[task]
        over = self._used(self._needs.pop(task))
        self._known.difference_update(over)
        return over

    def _used(self, needs: Mapping[int, int]) -> list[int]:
        """A tile is decoded. Returns those of its batches that no other one needs."""
        batches = np.fromiter(needs, np.int64, len(needs))
        self._left[batches] -= np.fromiter(needs.values(), np.int64, len(needs))
        over: list[int] = batches[self._left[batches] == 0].tolist()
        return over

    def _look(self) -> None:
        """Ask for what the next tiles need, as far ahead as is allowed."""
        while len(self._missing) < self._ahead and (tile := next(self._tiles, None)) is not None:
            needs = self._needs[tile] = self._plan.needs(self._plan.grid[tile])
            new = [batch for batch in needs if batch not in self._known]
            self._known.update(new)
            self._asked.extend(new)
            self._waiting.update((batch, []) for batch in new)
            waits = [batch for batch in needs if batch in self._waiting]
            for batch in waits:
                self._waiting[batch].append(tile)
            self._missing[tile] = len(waits)
            self._open.append(tile)
