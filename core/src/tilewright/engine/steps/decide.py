"""The step that decides which copies are drawn: block by block of tiles, each from what is recorded around it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...abc.merger import Copies, Decision, Evidence, upheld
from ...components.blame import blamed, whose
from ...errors import InvalidLabels
from ...labels.objects import linked, united
from ...tiling.grid import TileGrid
from ..checkpoint.records import DecisionRecord, Recorded, Views, keep
from ..checkpoint.tables import Table
from ..plan import Plan

__all__ = ["blocks", "decide", "drawn_together"]

Ints = NDArray[np.signedinteger[Any]]
Box = tuple[range, ...]

COPIES = 2**16  # about as many to a task: its memory goes by them, and what it decides twice by the block's surface


def blocks(grid: TileGrid, objects: Ints) -> Iterator[Sequence[int]]:
    """The tiles with objects in boxes that hold about `COPIES` each; `objects` counts them by tile."""
    parts = [1] * len(grid.counts)
    while math.prod(parts) * COPIES < objects.sum() and math.prod(parts) < len(grid):
        sides = zip(grid.counts, parts, grid.reach, strict=True)
        # what joins with nothing is cut first: it costs nothing
        lengths = [count / part / (reach or 1e-9) if part < count else 0 for count, part, reach in sides]
        parts[int(np.argmax(lengths))] += 1
    for box in product(*(_split(count, part) for count, part in zip(grid.counts, parts, strict=True))):
        numbers = _busy(grid, box, objects)
        if len(numbers):
            yield numbers.tolist()


def decide(plan: Plan, numbers: Sequence[int]) -> list[Recorded]:
    """Record what each copy of these tiles is worth, and with which ones it is linked.

    The merger is shown the tiles around them, and more of them as long as it leaves open what was asked.
    """
    rings = 1
    while True:
        view = _View.around(plan, numbers, rings)
        asked = np.repeat(np.isin(view.shown, numbers), view.objects)
        decision = _decided(plan, view)
        if not decision.open[asked].any():
            return list(_recorded(plan, view, decision, numbers))
        if view.copies.known.all():
            raise InvalidLabels(f"{_merger(plan)} left open what is drawn, although it was shown all that there is")
        rings *= 2


@dataclass(frozen=True, kw_only=True, eq=False)
class _View:
    """What a merger is shown. shown, objects: the tiles, in order, and how many copies each has."""

    shown: Ints
    objects: Ints
    copies: Copies
    evidence: Evidence

    @classmethod
    def around(cls, plan: Plan, numbers: Sequence[int], rings: int) -> _View:
        """Of so many rings of tiles around these all is known, and of one more what it has to do with them."""
        grid, tiles, seams = plan.grid, plan.tiles, Table.load(plan.checkpoint, "seams")
        box = _box(grid, numbers)
        inner, outer = (_wider(grid, box, more) for more in (rings, rings + 1))
        shown = _busy(grid, outer, tiles.objects)
        objects = tiles.objects[shown].astype(np.int64)
        known = np.repeat(np.isin(shown, _busy(grid, inner, tiles.objects)), objects)
        area, core_area, margin = tiles.columns(shown, Views)

        pairs, lower = seams.pairs(shown, 6), seams.repeated(shown)
        upper = np.searchsorted(shown, pairs[:, 0])
        there = shown[np.minimum(upper, len(shown) - 1)] == pairs[:, 0]
        pairs[:, 0] = upper
        rows = linked(np.cumsum(objects) - objects, lower[there], pairs[there])
        rows = rows[known[rows[:, :2]].any(axis=1)]
        lower, upper, shared, seen_lower, seen_upper = rows.T
        return cls(
            shown=shown,
            objects=objects,
            copies=Copies(area=area, core_area=core_area, margin=margin, known=known),
            evidence=Evidence(lower=lower, upper=upper, shared=shared, seen_lower=seen_lower, seen_upper=seen_upper),
        )


def _decided(plan: Plan, view: _View) -> Decision:
    with blamed("merger", plan.merger, f"deciding {len(view.copies):,} copies"):
        decision = plan.merger.decide(view.copies, view.evidence)  # type: ignore[attr-defined]
    if not isinstance(decision, Decision):
        raise InvalidLabels(f"{_merger(plan)} returned {type(decision).__name__} from decide, not a Decision")
    fault = decision.fault(len(view.copies))
    if fault:
        raise InvalidLabels(f"{_merger(plan)} returned a wrong Decision: {fault}")
    return decision


def _merger(plan: Plan) -> str:
    return whose("merger", plan.merger)


def _recorded(plan: Plan, view: _View, decision: Decision, numbers: Sequence[int]) -> Iterator[Recorded]:
    """Record of each tile what its copies are worth, and the links of which they are the lower end."""
    ends, copies = np.cumsum(view.objects), view.copies
    starts, links = ends - view.objects, decision.links[np.argsort(decision.links[:, 0], kind="stable")]
    tiles = np.searchsorted(ends, links, side="right")
    labels = links - starts[tiles] + 1
    sizes = [part[side] for side in links.T for part in (copies.area, copies.core_area)]
    rows = np.column_stack([view.shown[tiles[:, 1]], labels, *sizes])
    for number, at in zip(numbers, np.searchsorted(view.shown, numbers), strict=True):
        own = rows[slice(*np.searchsorted(links[:, 0], [starts[at], ends[at]]))]
        record = DecisionRecord(worth=decision.worth[starts[at] : ends[at]], pairs=own, basis=np.array(plan.basis))
        yield Recorded(number, keep(plan.checkpoint, number, record), len(own))


def drawn_together(rows: Ints) -> Ints:
    """The copies that are linked with others, and for each the first of its object; -1 if they are not drawn.

    rows: lower, upper, area and core area of the lower, and of the upper.
    """
    ends = np.concatenate([rows[:, [0, 2, 3]], rows[:, [1, 4, 5]]])
    copies, first, at = np.unique(ends[:, 0], return_index=True, return_inverse=True)
    group = united(len(copies), at[: len(rows)], at[len(rows) :])
    return np.stack([copies, np.where(upheld(group, *ends[first, 1:].T), copies[group], -1)])


def _busy(grid: TileGrid, box: Box, objects: Ints) -> Ints:
    """The tiles of a box that have objects, in order."""
    numbers = np.ravel_multi_index(np.ix_(*box), grid.counts).ravel()
    found: Ints = numbers[objects[numbers] > 0]
    return found


def _box(grid: TileGrid, numbers: Sequence[int]) -> Box:
    return tuple(range(int(i.min()), int(i.max()) + 1) for i in np.unravel_index(numbers, grid.counts))


def _wider(grid: TileGrid, box: Box, rings: int) -> Box:
    return tuple(
        range(max(0, part.start - rings * reach), min(count, part.stop + rings * reach))
        for part, reach, count in zip(box, grid.reach, grid.counts, strict=True)
    )


def _split(count: int, parts: int) -> list[range]:
    ends = [count * part // parts for part in range(parts + 1)]
    return [range(start, stop) for start, stop in pairwise(ends)]
