"""Objects of a region: into which tiles they may continue, and which of them are kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..labels.objects import NOWHERE, Objects, linked, united
from .checkpoint.records import Facts
from .checkpoint.tables import Table
from .joining import Do, Joining
from .plan import Plan
from .steps.facts import neighbours
from .steps.join import join
from .within import Within

__all__ = ["Growth", "kept"]

Ints = NDArray[np.signedinteger[Any]]

AREA, INSIDE, FACES, SUMS = 0, 1, 2, 3  # the columns of facts, with all rules but `clip`


class Growth:
    """The objects of a region while the tiles that they continue into are segmented, ring by ring.

    `do` does a step on some tiles. Seams are judged once a tile beside them is new; `overlap` is decided anew for all.
    """

    def __init__(self, do: Do) -> None:
        self._do = do
        self._facts: dict[int, Ints] = {}
        self._lower: list[Ints] = []
        self._rows: list[Ints] = []

    def further(self, plan: Plan, new: Sequence[int], segmented: Collection[int]) -> list[int]:
        """The tiles, ascending, into which objects of the region may continue and that are not segmented.

        plan: as it joins the tiles that are. new: those of them that were not when this was called before.
        """
        pieces, group = self._drawn(plan) if plan.owning else self._united(plan, new)
        facts = np.concatenate([_none(plan), *(self._facts[number] for number in pieces.busy)])
        totals = _totals(facts, group)
        undecided = totals[:, INSIDE] > 0
        if plan.within is not None and plan.within.rule == "inside":
            undecided &= totals[:, INSIDE] == totals[:, AREA]  # one that has left the region is not kept
        ends = np.flatnonzero(undecided[group] & (facts[:, FACES] != 0))
        reached = _beyond(plan, pieces.repeated()[ends], facts[ends, FACES])
        return sorted(reached.difference(segmented, plan.grid.left_out))

    def _drawn(self, plan: Plan) -> tuple[Table, Ints]:
        """What is drawn of the tiles, and the object of each piece."""
        objects = Joining(plan=plan, do=self._do).objects()
        pieces = plan.pieces
        self._facts = {number: pieces.read(number, Facts).facts for number in pieces.busy}
        return pieces, objects.group.astype(np.int64)

    def _united(self, plan: Plan, new: Sequence[int]) -> tuple[Table, Ints]:
        """The tiles, and the object of each piece, once the seams of new tiles are judged."""
        grid, tiles = plan.grid, plan.tiles
        near = {other.number for n in new for _, other in grid.around(grid[n], [1] * len(grid.axes))}
        self._facts.update((n, tiles.read(n, Facts).facts) for n in new if tiles.objects[n])
        busy = [number for number in sorted(near) if tiles.objects[number]]
        seams = Table.of(plan.checkpoint, self._do("join", "seams", join, plan, busy), len(grid))
        self._lower.append(seams.repeated())
        self._rows.append(seams.pairs(seams.busy, 3))
        pairs = linked(tiles.before.astype(np.int64), np.concatenate(self._lower), np.concatenate(self._rows))
        return tiles, united(int(tiles.objects.sum()), pairs[:, 0], pairs[:, 1]).astype(np.int64)


def _beyond(plan: Plan, tiles: Ints, faces: Ints) -> set[int]:
    """The neighbours of tiles that pieces may continue into. faces: for each piece's tile, as bits."""
    index = np.stack(np.unravel_index(tiles, plan.grid.counts), axis=1)
    reached: set[int] = set()
    for bit, (offset, _) in enumerate(neighbours(plan)):
        there = index[faces >> bit & 1 == 1] + offset
        there = np.unique(there[((there >= 0) & (there < plan.grid.counts)).all(axis=1)], axis=0)
        reached.update(map(plan.grid.number, there.tolist()))
    return reached


def kept(plan: Plan, within: Within, pieces: Table, objects: Objects) -> Objects:
    """The objects that the rule keeps; the others are nowhere. within: the region with its mask."""
    facts = np.concatenate([_none(plan), *(pieces.read(number, Facts).facts for number in pieces.busy)])
    if plan.clipped:
        return replace(objects, first=facts[:, 0])
    totals = _totals(facts, objects.group)
    keeps = totals[:, INSIDE] > 0
    if within.rule == "inside":
        keeps &= totals[:, INSIDE] == totals[:, AREA]
    elif within.rule == "centroid":
        candidates = np.flatnonzero(keeps)
        keeps[candidates] = within.holds(plan.grid, _centres(totals[candidates]))
    return replace(objects, first=np.where(keeps[objects.group], objects.first, NOWHERE))


def _none(plan: Plan) -> Ints:
    """The facts of no pieces."""
    return np.zeros((0, 1 if plan.clipped else SUMS + len(plan.grid.axes)), np.int64)


def _totals(facts: Ints, group: Ints) -> Ints:
    """The sums of the facts of each object, at the place of its first piece."""
    totals = np.zeros_like(facts)
    np.add.at(totals, group, facts)
    return totals


def _centres(totals: Ints) -> Ints:
    """The pixel nearest to each object's centre, (n, axes); halves go to the even one, as with numpy.rint."""
    area: NDArray[Any] = totals[:, AREA, None]
    whole, rest = np.divmod(totals[:, SUMS:], area)
    centres: Ints = whole + ((2 * rest > area) | ((2 * rest == area) & (whole % 2 == 1)))
    return centres
