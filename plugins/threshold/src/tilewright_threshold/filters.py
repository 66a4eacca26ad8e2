"""Smoothing and filling of holes, so local that a tile with a halo gives each pixel what the whole image would.

Bit for bit: a pixel's value is the same in every crop that holds its neighbourhood.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["filled", "radius", "smoothed"]

Mask = NDArray[np.bool_]

TRUNCATE = 4.0  # deviations at which the kernel ends


def radius(sigma: float) -> int:
    """How many pixels away another pixel can be and still count."""
    return int(TRUNCATE * sigma + 0.5)


def smoothed(pixels: NDArray[Any], sigma: float) -> NDArray[Any]:
    """The pixels smoothed, as float32 where that holds them exactly, else float64; untouched if there is no radius.

    The array is mirrored at its borders. NaN and infinities stay where they are and count for nothing elsewhere: the
    mean is taken over the finite pixels around.

    >>> smoothed(np.array([0.0, 0.0, np.nan, 1.0, 1.0]), 0.3).round(2).tolist()
    [0.0, 0.0, nan, 1.0, 1.0]
    """
    if not radius(sigma) or not pixels.size:
        return pixels
    work = np.float32 if np.can_cast(pixels.dtype, np.float32) else np.float64
    finite = np.isfinite(pixels)
    if finite.all():
        return _gaussian(pixels.astype(work), sigma)
    mean = _gaussian(np.where(finite, pixels, 0).astype(work), sigma)
    # Only where something is missing: elsewhere the division would change the last bits, and in this crop alone.
    near = _gaussian((~finite).astype(work), sigma) > 0
    mean[near] /= np.maximum(_gaussian(finite.astype(work), sigma)[near], np.finfo(work).tiny)
    mean[~finite] = pixels[~finite]
    return mean


def _gaussian(pixels: NDArray[Any], sigma: float) -> NDArray[Any]:
    result: NDArray[Any] = ndimage.gaussian_filter(pixels, sigma, mode="reflect", truncate=TRUNCATE)
    return result


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
