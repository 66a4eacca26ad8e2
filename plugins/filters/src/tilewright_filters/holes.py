"""The holes of a whole label image, found block by block, and kept as one place for each part of a hole.

The image is cut into cells. What is connected within a cell is a fragment, and is known by the place of its first
pixel, which is the same in every block that holds the whole cell. So blocks that share a row of cells speak of the same
fragments, and no faces have to be kept from one block to the next.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from tilewright.abc import Region

__all__ = ["Holes", "cells_of"]

CELL = 2**12  # pixels: a place is kept for each cell that a hole meets
BLOCK = 2**20  # pixels that are looked at in one go
Labels = NDArray[np.uint64]
NONE = np.iinfo(np.uint64).max


def cells_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a cell: of equal sides, but 1 along an axis of length 1."""
    return _sides(shape, CELL)


class Holes(NamedTuple):
    """Where the parts of holes lie, as ascending flat positions in the image, and the ids of what is around them."""

    places: NDArray[np.int64]
    ids: Labels

    @classmethod
    def of(cls, read: Callable[[Region], Labels], shape: tuple[int, ...], block: int = BLOCK) -> Holes:
        """The holes of labels of that shape, of which regions can be read, of about so many pixels."""
        found = [_fragments(read(region), region, shape) for region in _blocks(shape, block)]
        places = np.concatenate([each.places for each in found])
        links = np.concatenate([each.links for each in found])
        lowest, highest = (np.concatenate([each.beside[i] for each in found]) for i in (0, 1))
        return cls._joined(places, links, lowest, highest)

    @classmethod
    def _joined(cls, places: NDArray[np.int64], links: NDArray[np.int64], lowest: Labels, highest: Labels) -> Holes:
        """The fragments of those gaps that have one object beside them and no border."""
        places, fragment = np.unique(places, return_inverse=True)
        pairs = np.searchsorted(places, links)
        graph = sparse.coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), (len(places),) * 2)
        count, gap = sparse.csgraph.connected_components(graph, directed=False)
        least, most = np.full(count, NONE), np.zeros(count, np.uint64)
        np.minimum.at(least, gap[fragment], lowest)
        np.maximum.at(most, gap[fragment], highest)
        hole = (least == most)[gap]
        return cls(places[hole], most[gap[hole]])

    def fill(self, labels: Labels, region: Region, shape: tuple[int, ...]) -> Labels:
        """The labels of a region with its holes filled. It has to hold each cell that meets what is used of it."""
        band = slice(*np.searchsorted(self.places, _flat_ends(region[0], shape)))
        places = np.stack(np.unravel_index(self.places[band], shape), axis=1)
        starts, stops = np.array([(part.start, part.stop) for part in region]).T
        inside = ((places >= starts) & (places < stops)).all(axis=1)
        if not inside.any():
            return labels
        gaps, count = ndimage.label(labels == 0)
        filling = np.zeros(count + 1, np.uint64)
        filling[gaps[tuple((places[inside] - starts).T)]] = self.ids[band][inside]
        return np.where(gaps > 0, filling[gaps], labels)


class _Fragments(NamedTuple):
    """The fragments of a block: their places, which are linked, and the lowest and highest id beside each."""

    places: NDArray[np.int64]
    links: NDArray[np.int64]
    beside: tuple[Labels, Labels]


def _fragments(labels: Labels, region: Region, shape: tuple[int, ...]) -> _Fragments:
    gaps = labels == 0
    numbers, count = _numbered(gaps, cells_of(shape))
    lowest, highest = np.full(count + 1, NONE), np.zeros(count + 1, np.uint64)
    links = []
    for one, other in _neighbours(labels.ndim):
        linked = gaps[one] & gaps[other] & (numbers[one] != numbers[other])
        pairs = np.unique(numbers[one][linked] * np.int64(count + 1) + numbers[other][linked])  # quick to sort
        links.append(np.stack(np.divmod(pairs, count + 1), axis=1))
        for here, there in ((one, other), (other, one)):
            edge = gaps[here] & ~gaps[there]
            np.minimum.at(lowest, numbers[here][edge], labels[there][edge])
            np.maximum.at(highest, numbers[here][edge], labels[there][edge])
    lowest[_at_border(numbers, region, shape)] = 0  # as if another object lay there, which no pixel has
    places = _first_places(numbers, count, region, shape)
    return _Fragments(places[1:], places[np.concatenate(links)], (lowest[1:], highest[1:]))


def _numbered(gaps: NDArray[np.bool_], cells: tuple[int, ...]) -> tuple[NDArray[np.int32], int]:
    """A number for each fragment: as if a line without gaps lay between cells."""
    cuts = [np.arange(cell, n, cell) for cell, n in zip(cells, gaps.shape, strict=True)]
    for axis, cut in enumerate(cuts):
        gaps = np.insert(gaps, cut, False, axis=axis)
    numbers, count = ndimage.label(gaps)
    kept = [np.delete(np.arange(n), cut + np.arange(len(cut))) for n, cut in zip(gaps.shape, cuts, strict=True)]
    return numbers[np.ix_(*kept)], count


def _neighbours(ndim: int) -> Iterator[tuple[Region, Region]]:
    """Along each axis, the pixels that have one after them, and those that are that one."""
    for axis in range(ndim):
        before, after = [slice(None)] * ndim, [slice(None)] * ndim
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        yield tuple(before), tuple(after)


def _at_border(numbers: NDArray[np.int32], region: Region, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """The fragments that touch the image's border; an axis of length 1 has none."""
    faces = [np.zeros(0, np.int32)]
    for axis, (part, n) in enumerate(zip(region, shape, strict=True)):
        if n > 1:
            faces += [numbers.take(0, axis).ravel()] if part.start == 0 else []
            faces += [numbers.take(-1, axis).ravel()] if part.stop == n else []
    return np.unique(np.concatenate(faces))


def _first_places(numbers: NDArray[np.int32], count: int, region: Region, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Where in the image the first pixel of each fragment lies; fragment 0 is what is no gap."""
    first = np.zeros(count + 1, np.int64)
    backwards = np.arange(numbers.size)[::-1]
    first[numbers.ravel()[backwards]] = backwards  # of several values for one fragment the last one stays
    places = np.unravel_index(first, numbers.shape)
    moved = [at + part.start for at, part in zip(places, region, strict=True)]
    return np.asarray(np.ravel_multi_index(moved, shape))


def _flat_ends(part: slice, shape: tuple[int, ...]) -> tuple[int, int]:
    """The flat positions at which a part of the first axis starts and stops."""
    row = int(np.prod(shape[1:], dtype=np.int64))
    return part.start * row, part.stop * row


def _blocks(shape: tuple[int, ...], pixels: int) -> Iterator[Region]:
    """Regions of whole cells that cover the image; each has a row of cells more than it needs to cover, for links."""
    cells = cells_of(shape)
    sides = [max(1, side // cell) * cell for side, cell in zip(_sides(shape, pixels), cells, strict=True)]
    starts = [range(0, n, side) for n, side in zip(shape, sides, strict=True)]
    for corner in itertools.product(*starts):
        ends = zip(corner, sides, cells, shape, strict=True)
        yield tuple(slice(start, min(start + side + cell, n)) for start, side, cell, n in ends)


def _sides(shape: tuple[int, ...], pixels: int) -> tuple[int, ...]:
    dimensions = max(1, sum(n > 1 for n in shape))
    side = round(pixels ** (1 / dimensions))
    return tuple(side if n > 1 else 1 for n in shape)
