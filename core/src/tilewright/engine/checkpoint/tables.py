"""Tables of what is recorded: a row for each tile, and columns of an entry for each object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...labels.runs import spread
from ...tiling.regions import Region, lengths
from ..plan import Plan
from ..steps.segment import Recorded
from .log import Checkpoint, Place

__all__ = ["columns", "index_of", "labels_of", "place_of", "record", "rows_of", "strips"]

Ints = NDArray[np.signedinteger[Any]]

INDEX = np.dtype([("pack", "u4"), ("offset", "u8"), ("size", "u8"), ("objects", "u8"), ("before", "u8")])
"""A row for each tile: where its record lies, its number of objects, and how many the tiles before it have."""


def index_of(recorded: Mapping[int, Recorded], count: int) -> NDArray[Any]:
    """The table of `count` tiles, one row each, from what was recorded of them."""
    index = np.zeros(count, INDEX)
    for number, each in recorded.items():
        if not each.failed:
            index[number] = (*each.place, each.objects, 0)
    index["before"] = np.cumsum(index["objects"]) - index["objects"]
    return index


def place_of(row: Any) -> Place:
    """Where the record of a row of the table lies."""
    return Place(int(row["pack"]), int(row["offset"]), int(row["size"]))


def record(plan: Plan, number: int, *names: str) -> dict[str, NDArray[Any]]:
    """The named arrays that are recorded of a tile."""
    return plan.checkpoint.read(place_of(plan.tiles[number]), *names)


def strips(plan: Plan, number: int) -> dict[str, NDArray[Any]]:
    """All parts of a tile that its seams need (`strips_of`)."""
    return record(plan, number, *(letter + side for letter in plan.grid.axes for side in "+-"))


def labels_of(checkpoint: Checkpoint, row: Any, region: Region) -> NDArray[Any]:
    """The labels that are recorded of a region: of all of a tile that was segmented, or of the core that was drawn."""
    runs = checkpoint.read(place_of(row), "values", "lengths")
    return spread(runs["values"], runs["lengths"], lengths(region))


def columns(checkpoint: Checkpoint, rows: NDArray[Any], *names: str) -> list[Ints]:
    """Arrays that hold one entry an object, of some tiles one after the other. Each of the tiles has objects."""
    found = [np.zeros(int(rows["objects"].sum()), np.int64) for _ in names]
    at = 0
    for row in rows:
        arrays = checkpoint.read(place_of(row), *names)
        end = at + len(arrays[names[0]])
        for column, name in zip(found, names, strict=True):
            column[at:end] = arrays[name]
        at = end
    return found


def rows_of(checkpoint: Checkpoint, rows: NDArray[Any], width: int) -> Ints:
    """The rows of pairs that are recorded of some tiles, one after the other."""
    found = [checkpoint.read(place_of(row), "pairs")["pairs"] for row in rows[rows["objects"] > 0]]
    return np.concatenate(found) if found else np.zeros((0, width), np.int64)
