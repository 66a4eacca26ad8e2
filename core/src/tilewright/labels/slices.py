"""Objects of slices that were segmented separately, linked along z by their overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption
from ..tiling.grid import TileGrid

__all__ = ["chains", "chosen_iou"]

Ints = NDArray[np.signedinteger[Any]]

DEFAULT = 0.25  # that of Cellpose's stitch3D


def chosen_iou(join_z: bool | float, grid: TileGrid) -> float | None:
    """The IoU from which objects of consecutive slices are one, or None if slices are not to be linked.

    InvalidOption for a grid whose slices are not segmented separately.
    """
    if join_z is False:
        return None
    if "z" not in grid.separate:
        why = (
            f"the image has axes {grid.axes!r}, without z"
            if "z" not in grid.axes
            else "this segmenter is handed z, and its objects join along it"
        )
        raise InvalidOption(
            f"join_z links slices that a segmenter with axes 'yx' has segmented one by one, but {why}; leave join_z out"
        )
    return DEFAULT if join_z is True else join_z


def chains(lower: Ints, upper: Ints, shared: Ints, z: Ints, area: Ints, first: Ints, least: float) -> Ints:
    """For each object the first one of its chain through the slices, as Cellpose's `stitch3D` links them.

    lower, upper, shared, z: (n,) objects of a slice and of the next one, pixels that they share, and the first one's
        slice. A pair may stand in several rows, whose pixels add up.
    area, first: of every object its pixels, and its first pixel in raster order.
    least: the IoU from which a pair may be one.

    An object continues the chain of the slice before with which its IoU is highest (of equals the one that began
    first), if no other object of its own slice has a higher IoU with that chain. If several have the same, all of them
    continue it, and the next slice is compared with all of them together.
    """
    chain, size = np.arange(len(area)), area.copy()  # size: of a chain in the slice that it has reached
    order = np.argsort(z, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(z[order])) + 1) if len(order) else ():
        keys, at = np.unique(chain[lower[rows]] * len(area) + upper[rows], return_inverse=True)
        before, here = np.divmod(keys, len(area))
        both = np.bincount(at, weights=shared[rows])
        best = _best(before, here, both / (size[before] + area[here] - both), first, least)
        before, here = before[best], here[best]
        chain[here] = before
        size[before] = 0
        np.add.at(size, before, area[here])
    return chain


def _best(before: Ints, here: Ints, iou: NDArray[np.float64], first: Ints, least: float) -> Ints:
    """The pairs that are one: for each object of a slice at most one. `before` is ascending."""
    starts = np.flatnonzero(np.diff(before, prepend=-1))
    highest = np.repeat(np.maximum.reduceat(iou, starts), np.diff(starts, append=len(before)))
    kept = np.flatnonzero((iou >= least) & (iou == highest))
    order = kept[np.lexsort((first[before[kept]], -iou[kept], here[kept]))]
    best: Ints = order[np.unique(here[order], return_index=True)[1]]
    return best
