"""Which pieces of objects are one object: from the staged tiles to what is numbered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ownership import Copies, Evidence, united
from .join import compare, index_of
from .objects import Objects, alike, linked, rooted
from .plan import Plan
from .segment import Staged
from .settle import settle
from .stack import below, count, stacked
from .stage import Place

__all__ = ["Union"]

Ints = NDArray[np.signedinteger[Any]]
Work = Callable[[Plan, Sequence[int]], list[Staged]]


@dataclass(frozen=True, kw_only=True)
class Union:
    """The objects of a plan whose tiles are staged.

    do: called with a stage's name, the kind of its records, its work, the plan and the tiles to do it on; it returns
        what is staged of all of them.
    """

    plan: Plan
    do: Callable[[str, str, Work, Plan, Sequence[int]], dict[int, Staged]]

    def objects(self) -> Objects:
        """Compare the seams, unite what is one object, and link slices if the plan says so."""
        index = self.plan.tiles
        busy = np.flatnonzero(index["objects"]).tolist()
        seams = self.do("join", "seams", compare, self.plan, busy)
        pairs = self._pairs(index, seams, 5 if self.plan.owning else 2)
        objects = self._settled(index, busy, pairs) if self.plan.owning else self._united(index, busy, pairs)
        return objects if self.plan.join_z is None else self._stacked(objects, self.plan.join_z)

    def _united(self, index: NDArray[Any], busy: Sequence[int], pairs: Ints) -> Objects:
        (first,) = self._columns(index, busy, "first")
        needs_area = self.plan.min_size or self.plan.join_z is not None
        area = self._columns(index, busy, "area")[0] if needs_area else first[:0]
        if self.plan.same_ids:
            (ids,) = self._columns(index, busy, "ids")
            pairs = np.concatenate([pairs, alike(ids)])
        self.plan.stage.save("pieces", index)
        return Objects(group=united(len(first), pairs[:, 0], pairs[:, 1]), first=first, area=area)

    def _settled(self, index: NDArray[Any], busy: Sequence[int], pairs: Ints) -> Objects:
        area, core_area, margin = self._columns(index, busy, "area", "core_area", "margin")
        lower, upper, shared, seen_lower, seen_upper = pairs.T
        decision = self.plan.merger.decide(  # type: ignore[attr-defined]  # an owning merger has it
            Copies(area=area, core_area=core_area, margin=margin),
            Evidence(lower=lower, upper=upper, shared=shared, seen_lower=seen_lower, seen_upper=seen_upper),
        )
        self.plan.stage.save("rank", decision.rank)
        self.plan.stage.save("group", decision.group)
        tiles = range(len(self.plan.grid))
        settled = index_of(self.do("settle", "settled", settle, self.plan, tiles), len(tiles))
        self.plan.stage.save("pieces", settled)
        busy = np.flatnonzero(settled["objects"]).tolist()
        group, first, area = self._columns(settled, busy, "group", "first", "area")
        return Objects(group=rooted(group), first=first, area=area)

    def _stacked(self, objects: Objects, least: float) -> Objects:
        pieces = self.plan.stage.load("pieces")
        counts = self.do("stack", "slices", count, self.plan, below(self.plan.grid, pieces["objects"]))
        return stacked(objects, self._pairs(pieces, counts, 3), least)

    def _pairs(self, index: NDArray[Any], staged: Mapping[int, Staged], columns: int) -> Ints:
        """The rows that were staged of pairs of tiles, with labels turned into places in the table of all objects."""
        found = [staged[number] for number in sorted(staged) if staged[number].objects]
        if not found:
            return np.zeros((0, columns), np.int64)
        pairs = np.concatenate([self.plan.stage.read(each.place, "pairs")["pairs"] for each in found])
        lower = np.repeat([each.number for each in found], [each.objects for each in found])
        return linked(index["before"].astype(np.int64), lower, pairs)

    def _columns(self, index: NDArray[Any], busy: Sequence[int], *names: str) -> list[Ints]:
        """Arrays that hold one entry an object, of all tiles one after the other."""
        places = [Place(*(int(part) for part in row)) for row in index[busy][["pack", "offset", "size"]].tolist()]
        columns = [np.zeros(int(index["objects"].sum()), np.int64) for _ in names]
        at = 0
        for place in places:
            arrays = self.plan.stage.read(place, *names)
            end = at + len(arrays[names[0]])
            for column, name in zip(columns, names, strict=True):
                column[at:end] = arrays[name]
            at = end
        return columns
