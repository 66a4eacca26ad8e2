"""Which pieces of objects are one object: the steps from segmented tiles to what is numbered, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..labels.objects import Objects, alike, linked, rooted, united
from .checkpoint.records import Areas, Firsts, Groups, Ids, Recorded
from .checkpoint.tables import Table
from .plan import Plan
from .steps.join import join

__all__ = ["Do", "Joining"]

Ints = NDArray[np.signedinteger[Any]]
Work = Callable[[Plan, Sequence[int]], list[Recorded]]


class Do(Protocol):
    """Called with a step's name, the kind of its records, its work, the plan and the tiles to do it on.

    batches: the same tiles as they go together, if it matters. It returns the records of all of them.
    """

    def __call__(
        self,
        step: str,
        kind: str,
        work: Work,
        shared: Plan,
        numbers: Sequence[int],
        batches: Iterable[Sequence[int]] | None = None,
    ) -> dict[int, Recorded]: ...


@dataclass(frozen=True, kw_only=True)
class Joining:
    """The objects of a plan whose tiles are segmented."""

    plan: Plan
    do: Do

    def objects(self) -> Objects:
        """Compare the seams, unite what is one object, and link slices if the plan says so."""
        tiles = self.plan.tiles
        seams = self._table("join", "seams", join, tiles.busy if len(tiles.busy) > 1 else [])
        objects = self._drawn(tiles, seams) if self.plan.owning else self._united(tiles, seams)
        return objects if self.plan.join_z is None else self._stacked(objects, self.plan.join_z)

    def _united(self, tiles: Table, seams: Table) -> Objects:
        pairs = _pairs(tiles, seams, 2)
        (first,) = tiles.columns(tiles.busy, Firsts)
        area = tiles.columns(tiles.busy, Areas).area if self.plan.measuring else first[:0]
        if self.plan.same_ids:
            (ids,) = tiles.columns(tiles.busy, Ids)
            pairs = np.concatenate([pairs, alike(ids)])
        return Objects(group=united(len(first), pairs[:, 0], pairs[:, 1]), first=first, area=area)

    def _drawn(self, tiles: Table, seams: Table) -> Objects:
        from .steps.decide import blocks, decide, drawn_together  # most mergers do not own
        from .steps.draw import draw

        seams.save("seams")
        together = blocks(self.plan.grid, tiles.objects)
        decided = self._table("decide", "decided", decide, tiles.busy, together)
        decided.save("decided")
        self.plan.checkpoint.save("together", drawn_together(_pairs(tiles, decided, 6)))
        drawn = self._table("draw", "drawn", draw, self.plan.wanted)
        drawn.save("drawn")
        group, first, area = drawn.columns(drawn.busy, Groups)
        return Objects(group=rooted(group), first=first, area=area)

    def _stacked(self, objects: Objects, least: float) -> Objects:
        from .steps.link_slices import below, link, stacked  # most runs link no slices

        pieces = self.plan.pieces
        links = self._table("link", "slices", link, below(self.plan.grid, pieces.objects))
        return stacked(objects, _pairs(pieces, links, 3), self.plan.grid, least)

    def _table(
        self,
        step: str,
        kind: str,
        work: Work,
        numbers: Sequence[int],
        batches: Iterable[Sequence[int]] | None = None,
    ) -> Table:
        recorded = self.do(step, kind, work, self.plan, numbers, batches)
        return Table.of(self.plan.checkpoint, recorded, len(self.plan.grid))


def _pairs(objects: Table, recorded: Table, width: int) -> Ints:
    """The pairs that were recorded of tiles, with labels turned into places in the table of all objects."""
    if not recorded.busy:
        return np.zeros((0, width), np.int64)
    rows = recorded.pairs(recorded.busy, width + 1)
    return linked(objects.before.astype(np.int64), recorded.repeated(), rows)
