"""The measurer `overlaps`: how objects lie on those of another label image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Block, Column, Columns, Facts, Quantity, Rows, unsplit
from tilewright.errors import InvalidOption

__all__ = ["Overlaps"]

Ids = NDArray[np.uint64]
WIDTH = 4  # of a row: the other's id, the shared pixels, the other's pixels or 0, whether it is a child


@dataclass(frozen=True, kw_only=True)
class Overlaps:
    """Of each other label image, the object that shares most pixels with an object, and how many lie mostly on it.

    `parent-nuclei` is the id of the nucleus with most of the object's pixels, of several the smallest id; 0 if there is
    none. `shared_pixels-nuclei` and `iou-nuclei` (intersection over union) are with this one. `children-nuclei` counts
    the nuclei that share more pixels with this object than with any other, of equals with that of the smallest id.

    An other object is known whole if it lies within `reach` pixels around a block that has a part of both. One that is
    larger may count as no child, and an IoU with it may be NaN; the other columns are right for any size.

    InvalidOption for a reach below 0, and if no label image is named.
    """

    given: tuple[str, ...] = field(metadata={"help": "the names of the other label images"})
    reach: int = field(default=64, metadata={"help": "the largest extent of the other image's objects, in pixels"})

    pixels = False

    def __post_init__(self) -> None:
        if not self.given:
            raise InvalidOption("overlaps needs the name of at least one other label image as given")
        if self.reach < 0:
            raise InvalidOption(f"reach must be at least 0 pixels, not {self.reach}")

    @property
    def halo(self) -> int:
        """As far as the other image's objects reach."""
        return self.reach

    def columns(self, _: Facts, /) -> Mapping[str, Column]:
        """Four columns for each label image."""
        columns = {}
        for name in self.given:
            columns[f"parent-{name}"] = Column(dtype="uint64")
            columns[f"children-{name}"] = Column(dtype="int64")
            columns[f"shared_pixels-{name}"] = Column(dtype="int64")
            columns[f"iou-{name}"] = Column()
        return columns

    def quantities(self, _: Facts, /) -> Mapping[str, Quantity]:
        """An object's pixels, and rows of the others that it shares pixels with in a block."""
        rows = Quantity(merge="rows", dtype="uint64", width=WIDTH)
        return {"pixels": Quantity(dtype="int64"), **{f"rows-{name}": rows for name in self.given}}

    def partial(self, block: Block, /) -> Mapping[str, Any]:
        """The same of a block."""
        labels = block.labels[block.core]
        result: dict[str, Any] = {"pixels": np.bincount(labels.ravel(), minlength=block.n + 1)[1 : block.n + 1]}
        return result | {f"rows-{name}": _rows(block, block.given[name]) for name in self.given}

    def finish(self, merged: Mapping[str, Any], _: Facts, /) -> Columns:
        """The columns."""
        columns: dict[str, Any] = {}
        for name in self.given:
            columns |= _columns(merged[f"rows-{name}"], merged["pixels"], name)
        return columns

    __call__ = unsplit


def _rows(block: Block, given: Ids) -> Rows:
    """What an object and each of the others have in common in a block's core."""
    others, other = np.unique(given, return_inverse=True)
    other = other.reshape(given.shape)
    core = block.core
    label, number, shared = _pairs(block.labels[core], other[core], len(others))
    own = (label > 0) & (label <= block.n) & (others[number] > 0)
    label, number, shared = label[own], number[own], shared[own]
    area = np.where(_cut(block, other, len(others)), 0, np.bincount(other.ravel(), minlength=len(others)))
    child = (area[number] > 0) & (_parents(block, other, len(others))[number] == label)
    values = np.stack([others[number], *(each.astype(np.uint64) for each in (shared, area[number], child))], axis=1)
    return Rows(label - 1, values)


def _pairs(labels: NDArray[Any], other: NDArray[Any], m: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Label, other object and shared pixels of each two that share any."""
    key, shared = np.unique(labels.astype(np.int64) * m + other, return_counts=True)
    return key // m, key % m, shared


def _cut(block: Block, other: NDArray[Any], m: int) -> NDArray[np.bool_]:
    """(m,) which of the other objects reach an edge of the block that is not the image's."""
    cut = np.zeros(m, bool)
    for axis, (part, length) in enumerate(zip(block.place.region, block.place.shape, strict=True)):
        planes = np.moveaxis(other, axis, 0)
        if part.start > 0:
            cut[planes[0]] = True
        if part.stop < length:
            cut[planes[-1]] = True
    return cut


def _parents(block: Block, other: NDArray[Any], m: int) -> NDArray[Any]:
    """(m,) the number of the object that each of the others shares most pixels with in the block; 0 if with none."""
    label, number, shared = _pairs(block.labels, other, m)
    on = label > 0
    label, number, shared = label[on], number[on], shared[on]
    order = np.lexsort((block.ids[label - 1], -shared, number))
    first = order[np.flatnonzero(np.diff(number[order], prepend=-1))]
    parents = np.zeros(m, np.int64)
    parents[number[first]] = label[first]
    return parents


def _columns(rows: Rows, pixels: NDArray[np.int64], name: str) -> Columns:
    """The columns of one other label image."""
    order = np.lexsort((rows.values[:, 0], rows.of))
    of, values = rows.of[order], rows.values[order]
    new = (np.diff(of, prepend=-1) != 0) | (np.diff(values[:, 0], prepend=0) != 0)
    first = np.flatnonzero(new)
    of, ids = of[first], values[first, 0]
    shared, area, child = np.zeros((3, 0), np.int64)
    if len(first):
        shared = np.add.reduceat(values[:, 1], first).astype(np.int64)
        area, child = np.maximum.reduceat(values[:, 2:], first).astype(np.int64).T
    best = np.lexsort((ids, -shared, of))
    best = best[np.flatnonzero(np.diff(of[best], prepend=-1))]
    n = len(pixels)
    parent, most, iou = np.zeros(n, np.uint64), np.zeros(n, np.int64), np.zeros(n)
    mine, known = of[best], area[best] > 0
    parent[mine], most[mine] = ids[best], shared[best]
    union = pixels[mine] + area[best] - shared[best]
    iou[mine] = np.where(known, shared[best] / union.clip(1), np.nan)
    return {
        f"parent-{name}": parent,
        f"children-{name}": np.bincount(of, child, n).astype(np.int64),
        f"shared_pixels-{name}": most,
        f"iou-{name}": iou,
    }
