"""How far the objects that a tile saw are from its edge, and how much of them is in its core."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...labels.runs import run_starts
from ...tiling.grid import Tile, TileGrid

__all__ = ["weights"]

Ints = NDArray[np.int64]

FAR = np.iinfo(np.int64).max


def weights(
    labels: NDArray[Any], count: int, tile: Tile, grid: TileGrid
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each of `count` objects in a tile's outer region: its pixels in the core, and how far it is from the edge."""
    return _areas(labels[tile.inner], count), _margins(labels, count, tile, grid)


def _areas(labels: NDArray[Any], count: int) -> NDArray[np.int64]:
    flat = labels.ravel()
    starts = run_starts(flat)
    areas = np.bincount(flat[starts], weights=np.diff(starts, append=flat.size), minlength=count + 1)
    return areas[1:].astype(np.int64)


def _margins(labels: NDArray[Any], count: int, tile: Tile, grid: TileGrid) -> NDArray[np.int64]:
    """The planes between each object and the nearest edge beyond which the image goes on; `FAR` if there is none near.

    Only what another tile sees too has rivals, so no object is looked for deeper than the widest overlap is.
    """
    margins = np.full(count + 1, FAR)
    depth = max(_overlap(tile, grid, axis) for axis in range(len(grid.axes)))
    for axis, (outer, letter) in enumerate(zip(tile.outer, grid.axes, strict=True)):
        if letter in grid.separate:
            continue
        planes = np.moveaxis(labels, axis, 0)
        if outer.start > 0:
            np.minimum(margins, _nearest(planes[:depth], count), out=margins)
        if outer.stop < grid.shape[axis]:
            np.minimum(margins, _nearest(planes[::-1][:depth], count), out=margins)
    return margins[1:]


def _overlap(tile: Tile, grid: TileGrid, axis: int) -> int:
    """How much of a tile at most a neighbour along an axis sees too."""
    shared = [0]
    for step in (-1, 1):
        if 0 <= tile.index[axis] + step < grid.counts[axis]:
            index = [i + step * (a == axis) for a, i in enumerate(tile.index)]
            near, own = grid.at(index).outer[axis], tile.outer[axis]
            shared.append(min(near.stop, own.stop) - max(near.start, own.start))
    return max(shared)


def _nearest(planes: NDArray[Any], count: int) -> NDArray[np.int64]:
    """The first plane in which each object is."""
    nearest = np.full(count + 1, FAR)
    flat = planes.ravel()
    starts = run_starts(flat)
    np.minimum.at(nearest, flat[starts], starts // max(1, flat.size // max(1, len(planes))))
    return nearest
