"""Which pieces of objects are one object: from the recorded tiles to what is numbered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...labels.objects import Objects, alike, linked, rooted, united
from ..checkpoint.tables import columns, index_of, rows_of
from ..plan import Plan
from .decide import blocks, decide, drawn_together
from .draw import draw
from .join import compare
from .link_slices import below, count, stacked
from .segment import Recorded

__all__ = ["Union"]

Ints = NDArray[np.signedinteger[Any]]
Work = Callable[[Plan, Sequence[int]], list[Recorded]]


class Do(Protocol):
    """Called with a step's name, the kind of its records, its work, the plan and the tiles to do it on.

    batches: the same tiles as they go together, if it matters. It returns what is recorded of all of them.
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
class Union:
    """The objects of a plan whose tiles are recorded."""

    plan: Plan
    do: Do

    def objects(self) -> Objects:
        """Compare the seams, unite what is one object, and link slices if the plan says so."""
        busy = np.flatnonzero(self.plan.tiles["objects"]).tolist()
        seams = self._index(self.do("join", "seams", compare, self.plan, busy))
        objects = self._settled(busy, seams) if self.plan.owning else self._united(busy, seams)
        return objects if self.plan.join_z is None else self._stacked(objects, self.plan.join_z)

    def _united(self, busy: Sequence[int], seams: NDArray[Any]) -> Objects:
        index, checkpoint = self.plan.tiles, self.plan.checkpoint
        pairs = self._pairs(index, seams, 2)
        (first,) = columns(checkpoint, index[busy], "first")
        area = columns(checkpoint, index[busy], "area")[0] if self.plan.measuring else first[:0]
        if self.plan.same_ids:
            (ids,) = columns(checkpoint, index[busy], "ids")
            pairs = np.concatenate([pairs, alike(ids)])
        checkpoint.save("pieces", index)
        return Objects(group=united(len(first), pairs[:, 0], pairs[:, 1]), first=first, area=area)

    def _settled(self, busy: Sequence[int], seams: NDArray[Any]) -> Objects:
        index, checkpoint = self.plan.tiles, self.plan.checkpoint
        checkpoint.save("seams", seams)
        together = blocks(self.plan.grid, index["objects"])
        decided = self._index(self.do("decide", "decided", decide, self.plan, busy, together))
        checkpoint.save("decided", decided)
        checkpoint.save("together", drawn_together(self._pairs(index, decided, 6)))
        drawn = self._index(self.do("draw", "drawn", draw, self.plan, range(len(index))))
        checkpoint.save("pieces", drawn)
        group, first, area = columns(checkpoint, drawn[drawn["objects"] > 0], "group", "first", "area")
        return Objects(group=rooted(group), first=first, area=area)

    def _stacked(self, objects: Objects, least: float) -> Objects:
        pieces = self.plan.checkpoint.load("pieces")
        counts = self.do("link", "slices", count, self.plan, below(self.plan.grid, pieces["objects"]))
        return stacked(objects, self._pairs(pieces, self._index(counts), 3), least)

    def _index(self, recorded: Mapping[int, Recorded]) -> NDArray[Any]:
        return index_of(recorded, len(self.plan.grid))

    def _pairs(self, index: NDArray[Any], recorded: NDArray[Any], width: int) -> Ints:
        """The rows that were recorded of pairs of tiles, with labels turned into places in the table of all objects."""
        rows = rows_of(self.plan.checkpoint, recorded, width + 1)
        lower = np.repeat(np.arange(len(recorded)), recorded["objects"].astype(np.int64))
        return linked(index["before"].astype(np.int64), lower, rows)
