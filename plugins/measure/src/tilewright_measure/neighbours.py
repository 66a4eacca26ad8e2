"""The measurer `neighbours`: which objects touch, and how near the next one is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Block, Column, Columns, Facts, Quantity, Rows, unsplit
from tilewright.errors import InvalidOption

from .patterns import framed
from .shapes import unit_of

__all__ = ["Neighbours"]


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """How many objects share a face of pixels with an object, how long that border is, and the nearest other object.

    The distance is that between the centres of the two nearest pixels, from border to border, and not between
    centroids. It is NaN where no other object lies within `distance` pixels, of the axis with the least spacing.

    InvalidOption for a distance below 0.
    """

    distance: int = field(
        default=10, metadata={"help": "how far the nearest object is searched for, in pixels; 0: not at all"}
    )

    pixels = False

    def __post_init__(self) -> None:
        if self.distance < 0:
            raise InvalidOption(f"distance must be at least 0 pixels, not {self.distance}")

    @property
    def halo(self) -> int:
        """As far as it searches, and 1 for contacts."""
        return max(1, self.distance)

    def columns(self, facts: Facts, /) -> Mapping[str, Column]:
        """contacts, border_shared, and nearest_distance unless nothing is searched for."""
        columns = {
            "contacts": Column(dtype="int64"),
            "border_shared": Column(unit=unit_of(facts, len(facts.axes) - 1)),
            "nearest_distance": Column(unit=unit_of(facts, 1)),
        }
        return columns if self.distance else {name: columns[name] for name in ("contacts", "border_shared")}

    def quantities(self, facts: Facts, /) -> Mapping[str, Quantity]:
        """The faces that an object shares along each axis, the other objects behind them, and the least distance."""
        shared = Quantity(dtype="int64", width=len(facts.axes))
        quantities = {"shared": shared, "others": Quantity(merge="counts", dtype="uint64", width=2)}
        return quantities | ({"nearest": Quantity(merge="min")} if self.distance else {})

    def partial(self, block: Block, /) -> Mapping[str, Any]:
        """The same of the part of each object in a block's core."""
        shared, others = _faces(block)
        result: dict[str, Any] = {"shared": shared, "others": others}
        return result | ({"nearest": _nearest(block, self.distance)} if self.distance else {})

    def finish(self, merged: Mapping[str, Any], facts: Facts, /) -> Columns:
        """The columns."""
        shared = merged["shared"].reshape(-1, len(facts.axes))
        faces = [math.prod(facts.spacing) / step for step in facts.spacing]
        contacts = np.bincount(merged["others"].of, minlength=len(shared))
        columns = {"contacts": contacts, "border_shared": shared @ np.array(faces)}
        if self.distance:
            columns["nearest_distance"] = np.where(np.isinf(merged["nearest"]), np.nan, merged["nearest"])
        return columns

    __call__ = unsplit


def _faces(block: Block) -> tuple[NDArray[np.int64], Rows]:
    """(n, d) how many faces of pixels across each axis an object shares, and rows of the others' ids with the faces."""
    labels = framed(block, 1)
    core, m = (slice(1, -1),) * labels.ndim, len(block.ids) + 1
    here = labels[core]
    shared, keys = np.zeros((block.n, labels.ndim), np.int64), [np.zeros(0, np.int64)]
    for axis, step in itertools.product(range(labels.ndim), (-1, 1)):
        other = np.roll(labels, step, axis)[core]
        at = (here != other) & (other > 0) & (here > 0) & (here <= block.n)
        own = here[at].astype(np.int64)
        shared[:, axis] += np.bincount(own - 1, minlength=block.n)
        keys.append(own * m + other[at])
    key, count = np.unique(np.concatenate(keys), return_counts=True)
    return shared, Rows(key // m - 1, np.stack([block.ids[key % m - 1], count.astype(np.uint64)], axis=1))


def _nearest(block: Block, distance: int) -> NDArray[np.float64]:
    """(n,) the distance of each object's pixels in the core to the nearest pixel of another object; infinite if none.

    The nearest pixel of an object lies at its border. Steps are tried from the shortest on, and an object that has met
    another one at a shorter step is not looked at any more.
    """
    labels = framed(block, distance)
    core = (slice(distance, -distance),) * labels.ndim
    here = labels[core]
    inside = np.ones(here.shape, bool)
    for axis, step in itertools.product(range(labels.ndim), (-1, 1)):
        inside &= np.roll(labels, step, axis)[core] == here
    border = np.nonzero(~inside & (here > 0) & (here <= block.n))
    own = here[border]
    at = np.ravel_multi_index([place + distance for place in border], labels.shape)
    flat, strides = labels.ravel(), np.array(labels.strides) // labels.itemsize
    nearest = np.full(block.n + 1, np.inf)
    for length, offset in _steps(distance, block.facts.spacing):
        other = flat[at + int(strides @ offset)]
        met = own[(other > 0) & (other != own)]
        if len(met):
            nearest[met] = np.minimum(nearest[met], length)
            searching = np.isinf(nearest[own])
            at, own = at[searching], own[searching]
        if not len(at):
            break
    return nearest[1:]


def _steps(distance: int, spacing: tuple[float, ...]) -> list[tuple[float, tuple[int, ...]]]:
    """The steps to pixels within a distance, with their lengths in units, ascending."""
    around = itertools.product(range(-distance, distance + 1), repeat=len(spacing))
    lengths = [(math.hypot(*(s * n for s, n in zip(step, spacing, strict=True))), step) for step in around]
    return sorted(each for each in lengths if 0 < each[0] <= distance * min(spacing))
