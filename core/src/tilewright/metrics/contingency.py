"""The contingency table of two label images: the pixels that each pair of objects shares, counted block by block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidImage, InvalidLabels
from ..image import Image
from ..labels.pairs import paired_runs
from ..tiling.grid import TileGrid
from ..tiling.regions import Region, lengths

__all__ = ["Contingency", "aligned"]

Ids = NDArray[np.uint64]
Ints = NDArray[np.int64]

BLOCK = 2**22  # pixels that are compared at a time
COMPACT = 2**20  # rows that may wait before they are added up
BEYOND = np.float64(2**64)  # no id is so large


@dataclass(frozen=True, kw_only=True, eq=False)
class Contingency:
    """The pixels that objects of two label images share. Its size depends on the number of objects, not of pixels.

    reference, predicted: the ids of their objects, ascending.
    reference_area, predicted_area: pixels of each.
    pairs: (n, 2), the reference and the predicted object of each pair that shares pixels, as places in those arrays.
    shared: (n,), the number of pixels that each pair shares.
    """

    reference: Ids
    predicted: Ids
    reference_area: Ints
    predicted_area: Ints
    pairs: Ints
    shared: Ints

    @classmethod
    def of(cls, reference: Image, predicted: Image, block: Sequence[int] | None = None) -> Contingency:
        """Count block by block; the counts are the same for every block shape.

        InvalidImage if the images differ in axes or shape; an axis of length 1 that only one of them has is ignored.
        InvalidLabels for a pixel that is negative or not a whole number; a float may hold one.
        """
        axes, shape = aligned(reference, predicted)
        rows = _Rows()
        grid = TileGrid.regular(
            axes, shape=shape, tile=block or _block(reference, predicted, axes), halo=[0] * len(axes)
        )
        for tile in grid:
            one, other = (_labels(image, axes, tile.core) for image in (reference, predicted))
            if one.any() or other.any():
                rows.add(_counted(one.ravel(), other.ravel()))
        return cls._of_rows(*rows.total())

    @classmethod
    def _of_rows(cls, first: Ids, second: Ids, pixels: Ints) -> Contingency:
        reference, at_reference = np.unique(np.append(first, np.uint64(0)), return_inverse=True)
        predicted, at_predicted = np.unique(np.append(second, np.uint64(0)), return_inverse=True)
        places = np.column_stack([at_reference, at_predicted])[:-1] - 1  # background, at 0, is in both lists
        both = (places >= 0).all(axis=1)
        return cls(
            reference=reference[1:],
            predicted=predicted[1:],
            reference_area=_summed(places[:, 0], pixels, len(reference)),
            predicted_area=_summed(places[:, 1], pixels, len(predicted)),
            pairs=places[both].astype(np.int64),
            shared=pixels[both],
        )

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each pair."""
        return self.shared / (self.of_reference + self.of_predicted - self.shared)

    @property
    def of_reference(self) -> Ints:
        """The reference object's pixels, for each pair."""
        return self.reference_area[self.pairs[:, 0]]

    @property
    def of_predicted(self) -> Ints:
        """The predicted object's pixels, for each pair."""
        return self.predicted_area[self.pairs[:, 1]]


def aligned(one: Image, other: Image) -> tuple[str, tuple[int, ...]]:
    """The axes along which two images are compared, and their shape there."""
    axes, beside = (
        "".join(axis for axis in image.axes if image.size(axis) > 1 or axis in against.axes)
        for image, against in ((one, other), (other, one))
    )
    shape, there = tuple(map(one.size, axes)), tuple(map(other.size, beside))
    if axes != beside or shape != there:
        raise InvalidImage(
            f"label images of different extent cannot be compared: {one.source or one.name} has axes {one.axes!r} of "
            f"shape {one.shape}, {other.source or other.name} has {other.axes!r} of shape {other.shape}; give two "
            "of the same axes and shape"
        )
    return axes, shape


def _block(one: Image, other: Image, axes: str) -> list[int]:
    """The shape of a block of about `BLOCK` pixels, of whole storage chunks of both images if they are small enough."""
    units = [dict(zip(image.axes, image.chunks, strict=True)) for image in (one, other)]
    block = [max(unit[axis] for unit in units) for axis in axes]
    shape = [one.size(axis) for axis in axes]
    while math.prod(block) > BLOCK:
        longest = block.index(max(block))
        block[longest] = -(-block[longest] // 2)
    for axis in reversed(range(len(axes))):
        block[axis] *= max(1, min(BLOCK // math.prod(block), -(-shape[axis] // block[axis])))
    return block


def _labels(image: Image, axes: str, region: Region) -> NDArray[Any]:
    """The labels of a region, along `axes`; floats as the whole numbers that they hold."""
    parts = dict(zip(axes, region, strict=True))
    region = tuple(parts.get(axis, slice(0, 1)) for axis in image.axes)
    pixels = image.read(region)
    kind = pixels.dtype.kind
    if kind in "if":
        wrong = pixels < 0
        if kind == "f":
            wrong |= ~(pixels < BEYOND) | (pixels != np.floor(pixels))
        if wrong.any():
            at = np.unravel_index(wrong.argmax(), wrong.shape)
            place = ", ".join(f"{axis}={cut.start + n}" for axis, cut, n in zip(image.axes, region, at, strict=True))
            raise InvalidLabels(
                f"{image.source or image.name} has the value {pixels[at]} at {place}, which is not a label; background "
                "is 0, and the pixels of an object have its whole number above 0"
            )
    return (pixels.astype(np.uint64) if kind == "f" else pixels).reshape(lengths(tuple(parts.values())))


def _counted(one: NDArray[Any], other: NDArray[Any]) -> tuple[Ids, Ids, Ints]:
    """Rows of label, label, pixels, counted by runs, of which a block of a megapixel has some ten thousand."""
    ones, others, pixels = paired_runs(one, other)
    ids, at = np.unique(ones, return_inverse=True)
    others, at_other = np.unique(others, return_inverse=True)
    keys, at_key = np.unique(at * len(others) + at_other, return_inverse=True)
    counts = np.bincount(at_key, weights=pixels).astype(np.int64)
    return ids[keys // len(others)].astype(np.uint64), others[keys % len(others)].astype(np.uint64), counts


class _Rows:
    """A sum of tables of label, label, pixels. Equal pairs are put into one row from time to time."""

    def __init__(self) -> None:
        self._tables: list[tuple[Ids, Ids, Ints]] = []
        self._settled = self._waiting = 0

    def add(self, table: tuple[Ids, Ids, Ints]) -> None:
        self._tables.append(table)
        self._waiting += len(table[2])
        if self._waiting > max(COMPACT, self._settled):
            self.total()

    def total(self) -> tuple[Ids, Ids, Ints]:
        empty = np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.int64)
        one, other, pixels = (np.concatenate(column) for column in zip(empty, *self._tables, strict=True))
        order = np.lexsort((other, one))
        one, other, pixels = one[order], other[order], pixels[order]
        new = np.append(True, (one[1:] != one[:-1]) | (other[1:] != other[:-1]))[: len(one)]
        starts = np.flatnonzero(new)
        sums = np.add.reduceat(pixels, starts) if len(starts) else pixels
        self._tables, self._settled, self._waiting = [(one[starts], other[starts], sums)], len(starts), 0
        return self._tables[0]


def _summed(places: Ints, pixels: Ints, count: int) -> Ints:
    """The number of pixels of each object, without the background, whose place is -1."""
    return np.bincount(places + 1, weights=pixels, minlength=count)[1:].astype(np.int64)
