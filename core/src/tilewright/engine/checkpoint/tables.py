"""A table of what is recorded: a row for each tile, and the columns of their objects one tile after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...labels.runs import spread
from ...tiling.regions import Region, lengths
from .log import Checkpoint, Place
from .records import LabelRuns, Pairs, Recorded, Strips, read, read_strips

__all__ = ["Table"]

Ints = NDArray[np.signedinteger[Any]]
Part = TypeVar("Part", bound=tuple[Any, ...])

ROW = np.dtype([("pack", "u4"), ("offset", "u8"), ("size", "u8"), ("objects", "u8"), ("before", "u8")])
"""Where a tile's record lies, its number of objects, and how many the tiles before it have."""


class Table:
    """The records of one kind of all tiles: which objects there are, and how to read them.

    objects: (tiles,) how many objects or rows each record has. before: (tiles,) how many those before it have.
    """

    def __init__(self, checkpoint: Checkpoint, rows: NDArray[Any]) -> None:
        self._checkpoint, self._rows = checkpoint, rows
        self.objects: NDArray[Any] = rows["objects"]
        self.before: NDArray[Any] = rows["before"]

    @classmethod
    def of(cls, checkpoint: Checkpoint, recorded: Mapping[int, Recorded], count: int) -> Table:
        """The table of `count` tiles from what was recorded of them; those that failed have no objects."""
        rows = np.zeros(count, ROW)
        for number, each in recorded.items():
            if not each.failed:
                rows[number] = (*each.place, each.objects, 0)
        rows["before"] = np.cumsum(rows["objects"]) - rows["objects"]
        return cls(checkpoint, rows)

    @classmethod
    def load(cls, checkpoint: Checkpoint, name: str) -> Table:
        """A table that was saved under that name."""
        return cls(checkpoint, checkpoint.load(name))

    def save(self, name: str) -> None:
        """Keep the table for the workers of later steps."""
        self._checkpoint.save(name, self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def busy(self) -> list[int]:
        """The tiles that have objects."""
        numbers: list[int] = np.flatnonzero(self.objects).tolist()
        return numbers

    def holds(self, number: int) -> bool:
        """Whether there is a record of a tile."""
        return bool(self._rows[number]["size"])

    def read(self, number: int, part: type[Part]) -> Part:
        """A part of a tile's record."""
        return read(self._checkpoint, self._place(number), part)

    def strips(self, number: int, *names: str) -> Strips:
        """A tile's labels towards neighbours, by axis and side."""
        return read_strips(self._checkpoint, self._place(number), *names)

    def labels(self, number: int, region: Region) -> NDArray[Any]:
        """The labels that are recorded of a tile, over the region of which they are kept."""
        runs = self.read(number, LabelRuns)
        return spread(runs.values, runs.lengths, lengths(region))

    def columns(self, numbers: Sequence[int] | Ints, part: type[Part]) -> Part:
        """The columns of some tiles that have objects, one after the other, as int64."""
        count = int(self.objects[np.asarray(numbers, np.int64)].sum())
        found = [np.zeros(count, np.int64) for _ in part._fields]  # type: ignore[attr-defined]  # it is a NamedTuple
        at = 0
        for number in numbers:
            columns = self.read(int(number), part)
            end = at + len(columns[0])
            for whole, column in zip(found, columns, strict=True):
                whole[at:end] = column
            at = end
        return part(*found)

    def pairs(self, numbers: Sequence[int] | Ints, width: int) -> Ints:
        """The pairs that are recorded of some tiles, one after the other, in so many columns."""
        found = [self.read(int(number), Pairs).pairs for number in numbers if self.objects[number]]
        return np.concatenate(found) if found else np.zeros((0, width), np.int64)

    def repeated(self, numbers: Sequence[int] | Ints | None = None) -> Ints:
        """The place of each row's tile among some tiles (all if none are named): as often as it has rows."""
        counts = self.objects if numbers is None else self.objects[np.asarray(numbers, np.int64)]
        return np.repeat(np.arange(len(counts)), counts.astype(np.int64))

    def _place(self, number: int) -> Place:
        row = self._rows[number]
        return Place(int(row["pack"]), int(row["offset"]), int(row["size"]))
