"""Small numbers for the ids of a label block, whatever the ids are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..tiling.regions import Region
from .runs import run_starts, spread

__all__ = ["BlockRuns", "Numbered", "ids_of"]

Ids = NDArray[np.uint64]


def ids_of(labels: NDArray[Any]) -> Ids:
    """The ids of a label block without the background, ascending."""
    flat = np.ascontiguousarray(labels).ravel()
    return _ids(flat[run_starts(flat)])


@dataclass(frozen=True, kw_only=True, eq=False)
class Numbered:
    """A label block with numbers in place of ids, by its runs: stretches of equal labels along the last axis.

    There are some 30 times fewer runs than pixels, so the pixels themselves are made only for who looks at them.

    ids: of the numbers 1..m, 0 is the background. The n objects that are the block's own have the first numbers, and
        all others those after n, both in the order of their ids.
    starts: (k,) the flat position of each run's first pixel. numbers: (k,).
    """

    shape: tuple[int, ...]
    ids: Ids
    n: int
    starts: NDArray[np.int64]
    numbers: NDArray[np.intp]

    @classmethod
    def of(cls, labels: NDArray[Any], own: Region | Ids) -> Numbered:
        """Number a block. own: the part of the block whose objects are its own, or their ids, ascending."""
        flat = np.ascontiguousarray(labels).ravel()
        starts = _starts(flat, labels.shape[-1])
        values = flat[starts]
        ids = _ids(values)
        mine = own if isinstance(own, np.ndarray) else ids if labels[own].shape == labels.shape else ids_of(labels[own])
        is_own = np.isin(ids, mine, assume_unique=True)
        n = int(is_own.sum())
        number = np.zeros(len(ids) + 1, np.intp)
        number[1:][is_own], number[1:][~is_own] = np.arange(1, n + 1), np.arange(n + 1, len(ids) + 1)
        both = np.concatenate([ids[is_own], ids[~is_own]])
        return cls(shape=labels.shape, ids=both, n=n, starts=starts, numbers=number[_places(ids, values)])

    @cached_property
    def labels(self) -> NDArray[np.intp]:
        """The numbers of all pixels."""
        return spread(self.numbers, self._lengths, self.shape)

    @cached_property
    def _lengths(self) -> NDArray[np.int64]:
        return np.diff(self.starts, append=math.prod(self.shape))

    def within(self, core: Region) -> BlockRuns:
        """The runs of a part of the block, in raster order."""
        inner = tuple(part.stop - part.start for part in core)
        if inner == self.shape or not len(self.starts):
            return BlockRuns(self.starts, self._lengths, self.numbers)
        *lines, first = np.unravel_index(self.starts, self.shape)
        last = np.minimum(first + self._lengths, core[-1].stop)
        first = np.maximum(first, core[-1].start)
        there = first < last
        for line, part in zip(lines, core, strict=False):
            there &= (part.start <= line) & (line < part.stop)
        start = np.zeros(int(there.sum()), np.int64)
        for at, part, length in zip([*lines, first], core, inner, strict=True):
            start = start * length + (at[there] - part.start)
        return BlockRuns(start, (last - first)[there], self.numbers[there])


class BlockRuns(NamedTuple):
    """Stretches of equal labels along the last axis of a region, in raster order; a stretch ends where its line does.

    start: (k,) the flat position of the first pixel in the region. length: (k,) pixels. number: (k,) of the object.
    """

    start: NDArray[np.int64]
    length: NDArray[np.int64]
    number: NDArray[np.intp]


def _starts(flat: NDArray[Any], width: int) -> NDArray[np.int64]:
    """The flat positions at which a label differs from the one before, and those of the first pixels of lines."""
    new = np.ones(flat.shape, bool)
    np.not_equal(flat[1:], flat[:-1], out=new[1:])
    new[:: max(1, width)] = True
    return np.flatnonzero(new)


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
