"""Filling small holes, by a rule so local that a tile with a halo decides it as the whole image would."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["filled"]

Mask = NDArray[np.bool_]


def filled(mask: Mask, size: int, connectivity: int) -> Mask:
    """The mask with its holes filled that are at most `size` pixels long along every axis.

    A hole is a connected piece of background that does not touch the array's border; along an axis of one pixel, where
    all is border, it may. Background connects the way foreground does not: through corners if the foreground's
    connectivity is 1, else through faces alone. So a closed line of foreground always has an inside.

    >>> ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], bool)
    >>> [int(filled(ring, 1, connectivity).sum()) for connectivity in (1, 2)]
    [7, 8]
    """
    if not (size and mask.size):
        return mask
    background = mask.ndim if connectivity == 1 else 1
    pieces, _ = ndimage.label(~mask, ndimage.generate_binary_structure(mask.ndim, background))
    boxes = ndimage.find_objects(pieces)
    hole = np.array([False, *(_small_inside(box, mask.shape, size) for box in boxes)])
    filled_in: Mask = mask | hole[pieces]
    return filled_in


def _small_inside(box: tuple[slice, ...], shape: tuple[int, ...], size: int) -> bool:
    return all(
        part.stop - part.start <= size and (length == 1 or (part.start > 0 and part.stop < length))
        for part, length in zip(box, shape, strict=True)
    )
