"""The step that draws: each pixel of a core goes to the best copy that is drawn there, whichever tile saw it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...abc.merger import NOTHING
from ...labels.pairs import count_pairs
from ...labels.runs import Runs, smallest_dtype
from ...tiling.grid import Tile
from ...tiling.regions import Region, common, flat_in_image, lengths, relative
from ..checkpoint.records import DrawnRecord, Recorded, Worth, keep
from ..checkpoint.tables import Table
from ..plan import Plan
from .facts import facts_of, recorded_inside
from .join import strip_part

__all__ = ["draw"]

Ints = NDArray[np.signedinteger[Any]]


def draw(plan: Plan, numbers: Sequence[int]) -> list[Recorded]:
    """Draw the cores of tiles, and record them with their objects."""
    decided, together = Table.load(plan.checkpoint, "decided"), plan.checkpoint.load("together")
    return [_record(plan, plan.grid[number], *_drawn(plan, plan.grid[number], decided, together)) for number in numbers]


def _drawn(plan: Plan, tile: Tile, decided: Table, together: Ints) -> tuple[NDArray[Any], Ints, int]:
    """A tile's core, in which a number stands for a copy, the group of each number's copy, and the pixels left undrawn.

    The better a copy, the lower its number, and 0 is nobody's. The tile's own copies are laid down first; those of
    others then take the pixels where they are better. What the tile labelled and nobody draws comes last.
    """
    views = _views(plan, tile)
    said = [_judged(plan, other, decided, together) for _, other, _ in views]
    none = np.zeros(0, np.int64)
    place, worth, group = (np.concatenate([none, *column]) for column in zip((none,) * 3, *said, strict=True))
    order = np.lexsort((place, -worth))[: np.count_nonzero(worth > NOTHING)]
    number = np.zeros(len(worth), smallest_dtype(len(order)))
    number[order] = np.arange(1, len(order) + 1)

    drawn = np.zeros(lengths(tile.core), number.dtype)
    own: NDArray[Any] = drawn
    at = 0
    for (offset, other, region), (copies, _, _) in zip(views, said, strict=True):
        names = np.concatenate([np.zeros(1, number.dtype), number[at : at + len(copies)]])
        at += len(copies)
        labels = _labels(plan, other, offset, region)
        copy = names[labels]
        here = drawn[relative(region, tile.core)]
        if any(offset):
            wins = copy - 1 < here - 1  # unsigned: nobody's number less one is the largest
            here[wins] = copy[wins]
        else:
            here[...], own = copy, labels
    return drawn, np.concatenate([[-1], group[order]]), _fill(drawn, own)


def _fill(drawn: NDArray[Any], own: NDArray[Any]) -> int:
    """Give what a tile labelled in its core and nobody draws to who draws most of the same copy there (law 10).

    Where two tiles saw an object differently these are the slivers between the two borders, and the other part of what
    one of them split. Returns the number of pixels that are still nobody's: of copies of which nothing is drawn there.
    """
    missing = (own > 0) & (drawn == 0)
    if not missing.any():
        return 0
    concerned = np.zeros(int(own.max()) + 1, np.bool_)
    concerned[own[missing]] = True
    where = concerned[own]
    pairs = count_pairs(own[where], drawn[where])
    pairs = pairs[pairs[:, 1] > 0]
    label, copy, _ = pairs[np.lexsort((-pairs[:, 1], pairs[:, 2]))].T
    heir = np.zeros(len(concerned), drawn.dtype)
    heir[label] = copy  # of a label's rows the last one counts: that of the most pixels, then of the best copy
    filled = heir[own[missing]]
    drawn[missing] = filled
    return int(np.count_nonzero(filled == 0))


def _judged(plan: Plan, tile: Tile, decided: Table, together: Ints) -> tuple[Ints, Ints, Ints]:
    """Of each copy of a tile its place among all, its worth, and the group that it belongs to."""
    before = int(plan.tiles.before[tile.number])
    place = np.arange(before, before + int(plan.tiles.objects[tile.number]))
    worth = decided.read(tile.number, Worth).worth
    linked = slice(*np.searchsorted(together[0], [place[0], place[-1] + 1]))
    group = place.copy()
    group[together[0, linked] - place[0]] = together[1, linked]
    return place, np.where(group < 0, NOTHING, worth), group


def _views(plan: Plan, tile: Tile) -> list[tuple[tuple[int, ...], Tile, Region]]:
    """Who saw something in a tile's core, and where; the tile itself first."""
    found = []
    for offset, other in plan.grid.around(tile, plan.grid.reach):
        region = common(tile.core, other.outer)
        if region is not None and plan.tiles.objects[other.number]:
            found.append((offset, other, region))
    return sorted(found, key=lambda view: any(view[0]))


def _labels(plan: Plan, other: Tile, offset: Sequence[int], region: Region) -> NDArray[Any]:
    if any(offset):
        return strip_part(plan, other, [-step for step in offset], region, {})
    return plan.tiles.labels(other.number, other.outer)[relative(region, other.outer)]


def _record(plan: Plan, tile: Tile, drawn: NDArray[Any], group: Ints, undrawn: int) -> Recorded:
    runs = Runs.of(drawn)
    head = np.array([len(runs.first), 0, 0])
    record = DrawnRecord(head=head, basis=np.array(plan.basis), undrawn=np.array(undrawn))
    if len(runs.first):
        record = record._replace(
            values=runs.values,
            lengths=runs.lengths,
            first=flat_in_image(runs.first, tile.core, plan.grid.shape),
            area=runs.area,
            group=group[drawn.ravel()[runs.first]],
        )
        if plan.within is not None:
            inside, part = recorded_inside(plan, tile)
            facts = facts_of(plan, tile, runs.labels, len(runs.first), inside)
            record = record._replace(inside=part if plan.clipped else None, facts=facts)
    return Recorded(tile.number, keep(plan.checkpoint, tile.number, record), len(runs.first), undrawn=undrawn)
