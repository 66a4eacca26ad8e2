"""Which tile draws an object that several tiles saw: the best view wins, locally and without a global order.

Each tile's view of an object is a copy. A copy is cut off if it reaches an edge of its tile's outer region where the
image goes on, or if another tile saw it go on beyond that edge: masks of networks, and of whatever erodes, end short of
the edge of what they are shown. The others are complete.

1. Complete copies claim their pixels, the best first. Better is: further from the tile's edge (up to a limit, since
   beyond the context that a network needs all copies are equally good); then agreed on by more tiles; then mostly in
   its own tile's core; then larger. A copy with too few pixels left is dropped.
2. Cut copies that complete ones do not cover are linked where they agree: objects larger than the halo. Only copies
   with pixels in their own tile's core are linked: those suffice, since an object that goes on from one core to the
   next has pixels in both, and at the edge of a tile slivers of one object lie on another. Linked ones of which no tile
   has a fair share in its own core are dropped: the tiles that saw that place best saw nothing.

What a dropped copy has in its own core and nobody draws is left to the step that draws: it belongs to the object that
draws most of the copy there.

What a copy is worth is a number of its own, and the order matters only among copies that share pixels. Hence `decide`
goes in rounds over the pairs that do: in each it settles every copy whose better rivals are settled. It need be shown
no more than the surroundings of what is asked: what hangs on copies that it knows too little of it leaves open, and all
else is as it would be if the whole run were shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..abc.merger import NOTHING, Copies, Decision, Evidence

__all__ = ["Rule", "decide"]

Ints = NDArray[np.signedinteger[Any]]
Bools = NDArray[np.bool_]

# Bits of a worth, from the highest: complete, distance from the edge, tiles that agree, in the core, pixels.
_DISTANCE, _AGREE, _AREA = 15, 10, 35


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The numbers of the rule; `builtin.mergers.Overlap` documents those that a user may set."""

    best_at: int = 12
    free: float = 0.7
    same: float = 0.3
    agree: float = 0.5
    part: float = 0.75
    free_if_alone: float = 0.9
    covered: float = 0.5
    fair: float = 0.25


def decide(copies: Copies, evidence: Evidence, rule: Rule) -> Decision:
    """Apply the rule to the copies of a run, or of a part of it.

    Only copies that share pixels with others are weighed against each other; most objects are at no seam. Of the others
    the complete ones are drawn, and those that are cut off if half of their pixels are in their tile's core.
    """
    members, ends = np.unique(np.concatenate([evidence.lower, evidence.upper]), return_inverse=True)
    lower, upper = ends[: len(evidence.lower)], ends[len(evidence.lower) :]
    weighed = _weighed(copies.at(members), replace(evidence, lower=lower, upper=upper), rule)
    worth, undecided = np.where((copies.margin > 0) | _central(copies), 0, NOTHING), ~copies.known
    worth[members], undecided[members] = weighed.worth, weighed.open
    return Decision(worth=worth, open=undecided, links=members[weighed.links])


def _weighed(copies: Copies, evidence: Evidence, rule: Rule) -> Decision:
    iou, containment = evidence.iou(), evidence.containment()
    alike, same = iou >= rule.agree, (iou >= rule.same) | (containment >= rule.part)
    support = _support(copies, evidence, alike)
    cut = _cut_short(copies, evidence, alike, same, support == 0, rule)
    copies = replace(copies, margin=np.where(cut, 0, copies.margin))
    complete, central = copies.margin > 0, _central(copies)
    worth = _worth(copies, support, rule)
    need = np.where(central | (support > 0), rule.free, max(rule.free, rule.free_if_alone))
    drawn, unsure = _claim(copies, evidence, complete, worth, need)

    least = rule.covered * copies.area
    taken, at_most = (_covered(len(copies), evidence, takers) for takers in (drawn, drawn | unsure))
    left = ~complete & (at_most < least) & copies.known
    unsure |= ~complete & (taken < least) & ~left
    ends = np.column_stack([evidence.lower[same], evidence.upper[same]])
    links = ends[(left & (copies.core_area > 0))[ends].all(axis=1)]
    undecided = unsure.copy()
    for one, other in (ends.T, ends.T[::-1]):
        undecided[one[left[one] & unsure[other]]] = True
    linked = np.zeros(len(copies), np.bool_)
    linked[links] = True
    drawn |= linked | (left & central)
    return Decision(worth=np.where(drawn, worth, NOTHING), open=undecided, links=links)


def _central(copies: Copies) -> Bools:
    return 2 * copies.core_area >= copies.area


def _support(copies: Copies, evidence: Evidence, alike: Bools) -> Ints:
    """The number of tiles that agree on a copy; the largest possible number if it is not known."""
    ends = np.concatenate([evidence.lower[alike], evidence.upper[alike]])
    support = np.bincount(ends, minlength=len(copies)).astype(np.int64)
    return np.where(copies.known, support, 2**_AGREE - 1)


def _cut_short(copies: Copies, evidence: Evidence, alike: Bools, same: Bools, lone: Bools, rule: Rule) -> Bools:
    """Which copies go on beyond their own tile's outer region in the view of another tile, whatever their margin.

    The other view must be like the copy. That the copy may be a part of it is enough near the tile's edge, where masks
    end short; and for a copy that is like no other, if it is a fair part of what the other tile saw there: a whole cell
    beside a long fibre that another tile saw as one is not.

    What this says of a copy that is not known holds whatever else there is; it may be cut off without this saying so.
    """
    near = copies.margin < rule.best_at
    cut = np.zeros(len(copies), np.bool_)
    for one, other, seen in (
        (evidence.lower, evidence.upper, evidence.seen_upper),
        (evidence.upper, evidence.lower, evidence.seen_lower),
    ):
        part = same & (near[one] | lone[one] & (evidence.shared >= rule.fair * seen))
        cut[one[(alike | part) & (copies.area[other] > seen)]] = True
    return cut


def _worth(copies: Copies, support: Ints, rule: Rule) -> Ints:
    """One number by which copies are compared, so that no list of all copies has to be sorted."""
    worth: Ints = (copies.margin > 0).astype(np.int64)
    for value, bits in (
        (np.minimum(copies.margin, rule.best_at), _DISTANCE),
        (support, _AGREE),
        (_central(copies), 1),
        (copies.area, _AREA),
    ):
        worth = (worth << bits) + np.minimum(value, 2**bits - 1)
    return worth


def _claim(
    copies: Copies, evidence: Evidence, complete: Bools, worth: Ints, need: NDArray[np.float64]
) -> tuple[Bools, Bools]:
    """Settle the complete copies in rounds: each after all better copies that share pixels with it.

    Returns which copies are drawn, and which cannot be settled because they wait, directly or through others, for a
    copy that is not known.
    """
    rivals = complete[evidence.lower] & complete[evidence.upper]
    better, worse, shared = evidence.lower[rivals], evidence.upper[rivals], evidence.shared[rivals]
    swap = worth[better] < worth[worse]
    better, worse = np.where(swap, worse, better), np.where(swap, better, worse)

    claimed = np.zeros(len(copies), np.int64)
    drawn, waiting = np.zeros(len(copies), np.bool_), complete.copy()
    while True:
        ready = waiting & copies.known
        ready[worse] = False
        if not ready.any():
            return drawn, waiting
        waiting &= ~ready
        drawn |= ready & (claimed <= (1 - need) * copies.area)
        settled = ~waiting[better]
        takes = settled & drawn[better]
        np.add.at(claimed, worse[takes], shared[takes])
        better, worse, shared = better[~settled], worse[~settled], shared[~settled]


def _covered(count: int, evidence: Evidence, takers: Bools) -> Ints:
    """The number of pixels of each copy that some copies take, counted pair by pair."""
    covered = np.zeros(count, np.int64)
    for one, other in ((evidence.lower, evidence.upper), (evidence.upper, evidence.lower)):
        takes = takers[other]
        np.add.at(covered, one[takes], evidence.shared[takes])
    return covered
