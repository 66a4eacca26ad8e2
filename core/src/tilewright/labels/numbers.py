"""Small numbers for the ids of a label block, whatever the ids are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tiling.regions import Region
from .runs import run_starts, spread

__all__ = ["ids_of", "numbered_block"]

Ids = NDArray[np.uint64]


def ids_of(labels: NDArray[Any]) -> Ids:
    """The ids of a label block without the background, ascending."""
    flat = np.ascontiguousarray(labels).ravel()
    return _ids(flat[run_starts(flat)])


def numbered_block(labels: NDArray[Any], own: Region | Ids) -> tuple[NDArray[np.intp], Ids, int]:
    """A label block with numbers in place of ids, the ids of the numbers 1..m, and how many objects are its own.

    own: the part of the block whose objects are its own, or their ids, ascending. They have the numbers 1..n, and all
        others those after n, both in the order of their ids.

    Counting goes by runs (stretches of equal labels), of which there are some 30 times fewer than pixels.
    """
    flat = np.ascontiguousarray(labels).ravel()
    starts = run_starts(flat)
    values = flat[starts]
    ids = _ids(values)
    mine = own if isinstance(own, np.ndarray) else ids if labels[own].shape == labels.shape else ids_of(labels[own])
    is_own = np.isin(ids, mine, assume_unique=True)
    n = int(is_own.sum())
    number = np.empty(len(ids) + 1, np.intp)
    number[0] = 0
    number[1:][is_own], number[1:][~is_own] = np.arange(1, n + 1), np.arange(n + 1, len(ids) + 1)
    numbers = spread(number[_places(ids, values)], np.diff(starts, append=flat.size), labels.shape)
    return numbers, np.concatenate([ids[is_own], ids[~is_own]]), n


def _ids(values: NDArray[Any]) -> Ids:
    """The distinct values above 0, ascending; looked up in a table where they lie close together."""
    values = values[values > 0]
    if not len(values):
        return np.zeros(0, np.uint64)
    low = values.min()
    span = int(values.max()) - int(low)
    if span > 4 * len(values) + 1024:
        return np.unique(values).astype(np.uint64)
    there = np.zeros(span + 1, bool)
    there[(values - low).astype(np.intp)] = True
    return np.flatnonzero(there).astype(np.uint64) + np.uint64(low)


def _places(ids: Ids, values: NDArray[Any]) -> NDArray[np.intp]:
    """The place of each value among some ids, counted from 1; 0 for the background."""
    if not len(ids):
        return np.zeros(len(values), np.intp)
    low, span = int(ids[0]), int(ids[-1]) - int(ids[0])
    if span > 4 * len(values) + 1024:
        return np.where(values > 0, np.searchsorted(ids, values.astype(np.uint64)) + 1, 0).astype(np.intp)
    place = np.zeros(span + 1, np.intp)
    place[(ids - np.uint64(low)).astype(np.intp)] = np.arange(1, len(ids) + 1)
    foreground = values > 0
    places = np.zeros(len(values), np.intp)
    places[foreground] = place[(values[foreground] - values.dtype.type(low)).astype(np.intp)]
    return places
