"""Which tile draws an object that several tiles saw: the best view wins, locally and without a global order.

Every tile's view of an object is a copy. A copy that reaches the inner end of its tile's outer region is cut, the
others are complete.

1. Complete copies claim their pixels, the best first: far from the tile's edge (capped, since beyond the context that
   a network needs all copies are equally good), then those on which more tiles agree, then those that lie mostly in
   their own tile's core, then the larger. One that finds too few of its pixels free is dropped.
2. Cut copies that complete ones do not cover are united where they agree: objects larger than the halo. A group of
   which no tile has a fair share in its own core is dropped: the tiles that saw that place best saw nothing.

The order matters only among copies that share pixels. Hence `decide` goes in rounds over the pairs that do: in each it
settles every copy whose better rivals are settled. The outcome is that of the one global order, and no such order is
walked through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Copies", "Decision", "Evidence", "Rule", "decide", "united"]

Ints = NDArray[np.signedinteger[Any]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Copies:
    """All copies of a run, an entry each, in the order of their tiles and of the ids therein.

    area, core_area: pixels in the tile's outer region and in its core.
    margin: pixels between the copy's bounding box and the nearest edge of the outer region that is not the image's
        border; 0 says that the copy is cut, and the largest int64 that no such edge is nearer than the widest overlap
        of two tiles is wide.
    """

    area: Ints
    core_area: Ints
    margin: Ints

    def __len__(self) -> int:
        return len(self.area)


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """Pairs of copies from two tiles that share pixels, an entry for each pair.

    lower, upper: the two copies, by their place in `Copies`.
    shared: pixels that both have.
    seen_lower, seen_upper: pixels of either in the region that both tiles looked at.
    """

    lower: Ints
    upper: Ints
    shared: Ints
    seen_lower: Ints
    seen_upper: Ints

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union within the region that both tiles saw."""
        return self.shared / (self.seen_lower + self.seen_upper - self.shared)

    def containment(self) -> NDArray[np.float64]:
        """The share of the smaller one that the other holds, within the region that both tiles saw."""
        return self.shared / np.minimum(self.seen_lower, self.seen_upper)


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """What is drawn, an entry for each copy.

    rank: of the copies that have a pixel, the one of the lowest rank draws it; -1 draws nothing.
    group: a number that the copies of one object have in common.
    """

    rank: Ints
    group: Ints


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The numbers of the rule; `mergers.Overlap` documents those that a user may set."""

    best_at: int = 12
    free: float = 0.7
    same: float = 0.3
    agree: float = 0.5
    free_if_alone: float = 0.9
    covered: float = 0.5


def decide(copies: Copies, evidence: Evidence, rule: Rule) -> Decision:
    """Apply the rule to all copies of a run.

    Only those that share pixels with others are weighed against each other: most objects never meet a seam. Of the
    others, all with rank 0, the complete ones are drawn, and the cut ones of which half is in their tile's core.
    """
    members, ends = np.unique(np.concatenate([evidence.lower, evidence.upper]), return_inverse=True)
    lower, upper = ends[: len(evidence.lower)], ends[len(evidence.lower) :]
    few = Copies(area=copies.area[members], core_area=copies.core_area[members], margin=copies.margin[members])
    weighed = _weighed(few, replace(evidence, lower=lower, upper=upper), rule)
    alone = (copies.margin > 0) | (2 * copies.core_area >= copies.area)
    group = np.arange(len(copies), dtype=_index_dtype(len(copies)))
    rank = np.where(alone, 0, -1).astype(group.dtype)
    group[members], rank[members] = members[weighed.group], weighed.rank
    return Decision(rank=rank, group=group)


def _weighed(copies: Copies, evidence: Evidence, rule: Rule) -> Decision:
    complete = copies.margin > 0
    support = _support(len(copies), evidence, rule)
    central = 2 * copies.core_area >= copies.area
    near = np.minimum(copies.margin, rule.best_at)
    order = np.lexsort((-copies.area, ~central, -support, -near, ~complete))
    place = np.empty(len(copies), np.int64)
    place[order] = np.arange(len(copies))
    need = np.where(central | (support > 0), rule.free, max(rule.free, rule.free_if_alone))

    drawn = _claim(copies, evidence, complete, place, need)
    left = ~complete & (_covered(copies, evidence, drawn) < rule.covered * copies.area)
    same = left[evidence.lower] & left[evidence.upper] & (evidence.containment() >= rule.same)
    group = united(len(copies), evidence.lower[same], evidence.upper[same])
    drawn |= left & _has_share(copies, group, left)
    return Decision(rank=np.where(drawn, place, -1), group=group)


def united(count: int, lower: Ints, upper: Ints) -> Ints:
    """For each of `count` things the smallest of those that it is joined with, directly or through others.

    int32 where that is enough: of a hundred million things half a gigabyte is saved.
    """
    group: Ints = np.arange(count, dtype=_index_dtype(count))
    if not len(lower):
        return group
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # only what occurs in a pair takes part: most objects never meet a seam
    members, ends = np.unique(np.concatenate([lower, upper]), return_inverse=True)
    links = coo_array((np.ones(len(lower), np.bool_), (ends[: len(lower)], ends[len(lower) :])), (len(members),) * 2)
    n_parts, part = connected_components(links, directed=False)
    smallest = np.full(n_parts, count, group.dtype)
    np.minimum.at(smallest, part, members.astype(group.dtype))
    group[members] = smallest[part]
    return group


def _index_dtype(count: int) -> np.dtype[np.signedinteger[Any]]:
    return np.dtype(np.int32 if count < 2**31 else np.int64)


def _support(count: int, evidence: Evidence, rule: Rule) -> Ints:
    agree = evidence.iou() >= rule.agree
    ends = np.concatenate([evidence.lower[agree], evidence.upper[agree]])
    return np.bincount(ends, minlength=count).astype(np.int64)


def _claim(copies: Copies, evidence: Evidence, complete: Bools, place: Ints, need: NDArray[np.float64]) -> Bools:
    """Settle the complete copies in rounds: each once all better ones with which it shares pixels are settled."""
    rivals = complete[evidence.lower] & complete[evidence.upper]
    better, worse, shared = evidence.lower[rivals], evidence.upper[rivals], evidence.shared[rivals]
    swap = place[better] > place[worse]
    better, worse = np.where(swap, worse, better), np.where(swap, better, worse)

    claimed = np.zeros(len(copies), np.int64)
    drawn = np.zeros(len(copies), np.bool_)
    waiting = np.flatnonzero(complete)
    while len(waiting):
        blocked = np.zeros(len(copies), np.bool_)
        blocked[worse] = True
        ready = waiting[~blocked[waiting]]
        waiting = waiting[blocked[waiting]]
        drawn[ready] = claimed[ready] <= (1 - need[ready]) * copies.area[ready]
        settled = ~blocked[better]
        takes = settled & drawn[better]
        np.add.at(claimed, worse[takes], shared[takes])
        better, worse, shared = better[~settled], worse[~settled], shared[~settled]
    return drawn


def _covered(copies: Copies, evidence: Evidence, drawn: Bools) -> Ints:
    """How many pixels of each copy the drawn ones take, counted pair by pair."""
    covered = np.zeros(len(copies), np.int64)
    for one, other in ((evidence.lower, evidence.upper), (evidence.upper, evidence.lower)):
        takes = drawn[other]
        np.add.at(covered, one[takes], evidence.shared[takes])
    return covered


def _has_share(copies: Copies, group: Ints, left: Bools) -> Bools:
    """Whether what a group's tiles hold in their cores makes up half of its largest copy.

    The cores partition the image, so for a segmenter that is right the cores hold the whole object.
    """
    in_core = np.bincount(group[left], weights=copies.core_area[left], minlength=len(copies))
    largest = np.zeros(len(copies), np.int64)
    np.maximum.at(largest, group[left], copies.area[left])
    share: Bools = 2 * in_core >= largest
    return share[group]
