"""Objects and their numbers.

Objects are numbered 1..N by their first pixel in raster order, so the numbers do not depend on the tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NOWHERE", "Objects", "alike", "distinct", "dtype_for", "linked", "numbered", "rooted", "united"]

Ints = NDArray[np.signedinteger[Any]]

NOWHERE = np.iinfo(np.int64).max
"""The first pixel of what is not drawn."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Objects:
    """The objects to be numbered: an entry for each piece of an object.

    group: the place of the object's first piece. first: the piece's first pixel, or `NOWHERE`. area: its number of
        pixels.
    """

    group: Ints
    first: Ints
    area: Ints


def united(count: int, lower: Ints, upper: Ints) -> Ints:
    """For each of `count` things the smallest one that it is joined with, directly or through others.

    In each round, for all pairs at once, the larger of a pair's two roots gets the smaller one as its root, and paths
    are shortened, until no pair has two roots: some ten rounds (Shiloach and Vishkin, J. Algorithms 3, 1982). The dtype
    is int32 if that is enough, which saves half a gigabyte for a hundred million things.
    """
    group: Ints = np.arange(count, dtype=np.int32 if count < 2**31 else np.int64)
    one, other = lower, upper
    while len(one):
        one, other = group[one], group[other]
        apart = one != other
        one, other = one[apart], other[apart]
        one, other = np.minimum(one, other), np.maximum(one, other)
        np.minimum.at(group, other, one)
        _cut_short(group, other)
    for ends in (lower, upper):
        _cut_short(group, ends)
    return group


def _cut_short(group: Ints, members: Ints) -> None:
    """Let every member point to its root directly."""
    near = group[members]
    while not np.array_equal(near, far := group[near]):
        group[members] = near = far


def numbered(objects: Objects, min_size: int) -> tuple[NDArray[np.unsignedinteger[Any]], int]:
    """For each piece its object's number, 1..N by first pixel in raster order, and N.

    Objects with fewer than `min_size` pixels get 0, and those that are nowhere. The numbers are of `dtype_for(N)`. The
    arrays of `objects` are overwritten: for a hundred million pieces copies would take gigabytes.
    """
    group, first = objects.group, objects.first
    others = np.flatnonzero(
        group != np.arange(len(group), dtype=group.dtype)
    )  # pieces that are not their group's first
    roots = group[others]
    np.minimum.at(first, roots, first[others])
    kept = first != NOWHERE
    if min_size > 0:
        np.add.at(objects.area, roots, objects.area[others])
        kept &= objects.area >= min_size
    kept[others] = False
    leaders = np.flatnonzero(kept).astype(group.dtype)
    leaders = leaders[np.argsort(first[leaders])]  # first pixels are all different, so any sort is stable
    dtype = dtype_for(len(leaders))
    number: NDArray[np.unsignedinteger[Any]] = np.zeros(len(group), dtype)
    number[leaders] = np.arange(1, len(leaders) + 1, dtype=dtype)
    number[others] = number[roots]
    return number, len(leaders)


def dtype_for(count: int) -> np.dtype[np.unsignedinteger[Any]]:
    """What the numbers 0..count are kept in: uint32, or uint64 from 2³² on."""
    return np.dtype(np.uint32 if count < 2**32 else np.uint64)


def rooted(group: Ints) -> Ints:
    """Groups named by the place of their first piece instead of by arbitrary numbers."""
    _, place, of_group = np.unique(group, return_index=True, return_inverse=True)
    roots: Ints = place[of_group]
    return roots


def linked(before: Ints, lower: Ints, pairs: Ints) -> Ints:
    """Rows of tiles and labels, with each tile and its label turned into a place in the table of all objects."""
    at_lower = before[lower] + pairs[:, 1] - 1
    at_upper = before[pairs[:, 0]] + pairs[:, 2] - 1
    return np.column_stack([at_lower, at_upper, pairs[:, 3:]])


def alike(ids: Ints) -> Ints:
    """Pairs of places with equal ids: a chain through all places of an id."""
    order = np.argsort(ids, kind="stable")
    equal = np.flatnonzero(ids[order[1:]] == ids[order[:-1]])
    return np.column_stack([order[equal], order[equal + 1]])


def distinct(ids: NDArray[np.uint64]) -> int:
    """How many different ids there are. The ids are sorted in place: a copy of hundreds of millions is gigabytes."""
    ids.sort()
    return int(np.count_nonzero(ids[1:] != ids[:-1])) + min(1, len(ids))
