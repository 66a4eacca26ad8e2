"""The stage that draws: each pixel of a core goes to the best copy that is drawn there, whichever tile saw it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..labels import Runs, smallest_dtype
from ..regions import Region, common, lengths, relative
from ..tiles import Tile
from .join import part, record
from .plan import Plan
from .segment import Staged, whole_image

__all__ = ["settle"]

Ints = NDArray[np.signedinteger[Any]]

NOBODY = np.iinfo(np.int64).max  # the rank of background, and of what is not drawn


def settle(plan: Plan, numbers: Sequence[int]) -> list[Staged]:
    """Draw the cores of tiles, and stage them with their objects."""
    ranks, groups = plan.stage.load("rank"), plan.stage.load("group")
    return [_stage(plan, plan.grid[number], *_drawn(plan, plan.grid[number], ranks, groups)) for number in numbers]


def _drawn(plan: Plan, tile: Tile, ranks: Ints, groups: Ints) -> tuple[NDArray[Any], Ints]:
    """A tile's core, in which a number stands for a copy, and the group of each number's copy.

    The tile's own copies are laid down first; those of others then take the pixels where they rank better.
    """
    views = _views(plan, tile)
    rows = plan.tiles[[other.number for _, other, _ in views]]
    objects = [slice(int(row["before"]), int(row["before"] + row["objects"])) for row in rows]
    rank = np.concatenate([[NOBODY], *(ranks[part] for part in objects)])
    rank[rank < 0] = NOBODY
    group = np.concatenate([[-1], *(groups[part] for part in objects)])
    number = np.where(rank < NOBODY, np.arange(len(rank)), 0).astype(smallest_dtype(len(rank)))

    drawn = np.zeros(lengths(tile.core), number.dtype)
    before = 1
    for (offset, other, region), row in zip(views, rows, strict=True):
        names = np.append(number[:1], number[before : before + int(row["objects"])])
        before += int(row["objects"])
        copy = names[_labels(plan, other, offset, region)]
        here = drawn[relative(region, tile.core)]
        if any(offset):
            wins = rank[copy] < rank[here]
            here[wins] = copy[wins]
        else:
            here[...] = copy
    return drawn, group


def _views(plan: Plan, tile: Tile) -> list[tuple[tuple[int, ...], Tile, Region]]:
    """Who saw something in a tile's core, and where; the tile itself first."""
    found = []
    for offset, other in plan.grid.around(tile, plan.grid.reach):
        region = common(tile.core, other.outer)
        if region is not None and plan.tiles[other.number]["objects"]:
            found.append((offset, other, region))
    return sorted(found, key=lambda view: any(view[0]))


def _labels(plan: Plan, other: Tile, offset: Sequence[int], region: Region) -> NDArray[Any]:
    if any(offset):
        return part(plan, other, [-step for step in offset], region, {})
    return record(plan, other, "labels")["labels"][relative(region, other.outer)]


def _stage(plan: Plan, tile: Tile, drawn: NDArray[Any], group: Ints) -> Staged:
    runs = Runs.of(drawn)
    arrays: dict[str, NDArray[Any]] = {
        "objects": np.array([len(runs.first), 0, 0]),
        "attempt": np.array(plan.basis),
    }
    if len(runs.first):
        arrays |= {
            "labels": runs.labels,
            "first": whole_image(runs.first, tile.core, plan.grid),
            "area": runs.area,
            "group": group[drawn.ravel()[runs.first]],
        }
    return Staged(tile.number, plan.stage.append("settled", tile.number, arrays), len(runs.first))
