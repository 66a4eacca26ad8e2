"""What tells whether an object is kept within a region, of each piece of it in a tile's core."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...labels.objects import NOWHERE
from ...labels.runs import run_starts, spread
from ...tiling.grid import Tile
from ...tiling.regions import flat_in_image, lengths
from ..checkpoint.records import Inside
from ..plan import Plan

__all__ = ["cut", "facts_of", "neighbours", "recorded_inside", "runs_inside", "spread_inside"]

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def facts_of(plan: Plan, tile: Tile, labels: NDArray[Any], count: int, inside: Mask) -> Ints | None:
    """Facts of the pieces 1..count in a tile's core, (count, k); None if the run is not restricted to a region.

    With `clip` it is one: the flat position in the image of the piece's first pixel in the region, or `NOWHERE`. With
    the other rules: the piece's pixels, those in the region, the neighbours that it may continue into as bits, and the
    sum of its pixels' positions along each axis.
    """
    if plan.within is None:
        return None
    flat = labels.ravel()
    if plan.clipped:
        within = np.flatnonzero(flat.astype(np.bool_) & inside.ravel())
        first = np.full(count + 1, NOWHERE)
        # of equal labels the last one stays: the first pixel
        first[flat[within[::-1]]] = flat_in_image(within[::-1], tile.core, plan.grid.shape)
        return first[1:, None]
    area, pixels = (np.bincount(each, minlength=count + 1)[1:] for each in (flat, flat[inside.ravel()]))
    faces = np.zeros(count + 1, np.int64)
    for bit, (_, face) in enumerate(neighbours(plan)):
        faces[np.unique(labels[face])] |= 1 << bit
    places = (np.broadcast_to(along, labels.shape).ravel() for along in np.ix_(*_positions(tile)))
    sums = [np.bincount(flat, weights=along, minlength=count + 1)[1:] for along in places]
    return np.column_stack([area, pixels, faces[1:], *sums]).astype(np.int64)


def _positions(tile: Tile) -> list[Ints]:
    return [np.arange(part.start, part.stop) for part in tile.core]


def neighbours(plan: Plan) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """The offsets of the tiles that an object may continue into, and which part of a core faces each."""
    grid, faces = plan.grid, {-1: slice(0, 1), 0: slice(None), 1: slice(-1, None)}
    steps = ((0,) if axis in grid.separate else (-1, 0, 1) for axis in grid.axes)
    most = plan.joining.diagonals or len(grid.axes)
    for offset in itertools.product(*steps):
        if 0 < sum(map(abs, offset)) <= most:
            yield offset, tuple(faces[step] for step in offset)


def runs_inside(plan: Plan, tile: Tile, inside: Mask) -> Ints | None:
    """Which pixels of a core are in the region, as lengths of runs, the first one outside; None if nobody needs it."""
    if plan.within is None or not plan.within.is_cut(tile) or not (plan.clipped or plan.owning):
        return None
    flat = inside.ravel()
    runs = np.diff(run_starts(flat), append=flat.size)
    return np.concatenate([[0], runs]) if flat[0] else runs


def spread_inside(runs: Ints, tile: Tile) -> Mask:
    """The pixels of a core that are in the region, from lengths of runs."""
    mask: Mask = spread(np.arange(len(runs)) % 2 == 1, runs, lengths(tile.core))
    return mask


def recorded_inside(plan: Plan, tile: Tile) -> tuple[Mask, Ints | None]:
    """Which pixels of a segmented tile's core are in the region, and their runs, if the tile lies partly in it.

    None are, if the tile was empty and this is a further output, of which nothing is recorded then.
    """
    assert plan.within is not None
    if not plan.within.is_cut(tile):
        return plan.within.inside(tile), None
    recorded = plan.tiles.read(tile.number, Inside).inside if plan.tiles.holds(tile.number) else None
    runs = np.array([math.prod(lengths(tile.core))]) if recorded is None else recorded
    return spread_inside(runs, tile), runs


def cut(labels: NDArray[Any], tile: Tile, inside: Mask) -> NDArray[Any]:
    """A tile's labels with what lies in its core and outside of the region as background."""
    labels = labels.copy()
    labels[tile.inner] = np.where(inside, labels[tile.inner], 0)
    return labels
