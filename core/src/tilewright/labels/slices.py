"""Objects of slices that were segmented separately, linked along z by their overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption
from ..tiling.grid import TileGrid

__all__ = ["chosen_iou", "links"]

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
            f"the image has axes {grid.axes!r}"
            if "z" not in grid.axes
            else "this segmenter is handed z, and its objects join along it"
        )
        raise InvalidOption(f"join_z links slices that a segmenter with axes 'yx' has segmented separately, but {why}")
    return DEFAULT if join_z is True else join_z


def links(lower: Ints, upper: Ints, shared: Ints, area: Ints, first: Ints, least: float) -> NDArray[np.bool_]:
    """Whether each pair of objects from consecutive slices is one object, as Cellpose's `stitch3D` decides it.

    lower, upper: (n,) objects of a slice and of the next one that share `shared` pixels; each pair once.
    area, first: of every object its pixels, and its first pixel, which decides between equals.
    least: the IoU from which a pair may be one.

    An object is linked to the object of the slice before with which its IoU is highest, if no other object of its own
    slice has a higher IoU with that one. So links form chains, which fork only where two have exactly the same IoU.
    """
    iou = shared / (area[lower] + area[upper] - shared)
    best_above = np.zeros(len(area))
    np.maximum.at(best_above, lower, iou)
    kept = np.flatnonzero((iou >= least) & (iou == best_above[lower]))
    order = kept[np.lexsort((first[lower[kept]], -iou[kept], upper[kept]))]
    _, best = np.unique(upper[order], return_index=True)
    chosen = np.zeros(len(lower), np.bool_)
    chosen[order[best]] = True
    return chosen
