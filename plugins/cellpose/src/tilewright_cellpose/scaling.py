"""A part of an image enlarged as the whole image would be: linear interpolation at the same places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tilewright import Region

__all__ = ["scaled"]


def scaled(
    pixels: NDArray[np.float32], parts: Region, old: tuple[int, ...], new: tuple[int, ...]
) -> tuple[NDArray[np.float32], Region]:
    """Pixels (c, y, x) or (c, z, y, x) of a part of an image of the old size, as that part of one of the new size.

    Returns the new pixels and which part they are: all whose neighbours lie within the old part. Places and weights
    are those of OpenCV's INTER_LINEAR, by which Cellpose resizes, so parts fit together as if the whole had been
    resized, but for the rounding of float32.

    >>> planes = np.arange(8, dtype=np.float32).reshape(1, 1, 8)
    >>> scaled(planes[..., 2:6], (slice(0, 1), slice(2, 6)), (1, 8), (1, 16))
    (array([[[2.25, 2.75, 3.25, 3.75, 4.25, 4.75]]], dtype=float32), (slice(0, 1, None), slice(5, 11, None)))
    """
    found = []
    for axis, (part, before, after) in enumerate(zip(parts, old, new, strict=True), 1):
        if before == after:
            found.append(part)
            continue
        lower, share, kept = _neighbours(part, before, after)
        upper = np.minimum(lower + 1, pixels.shape[axis] - 1)
        along = share.reshape((-1,) + (1,) * (pixels.ndim - 1 - axis))
        pixels = pixels.take(lower, axis) * (1 - along) + pixels.take(upper, axis) * along
        found.append(kept)
    return pixels, tuple(found)


def _neighbours(part: slice, before: int, after: int) -> tuple[NDArray[np.int64], NDArray[np.float32], slice]:
    """For each new pixel the place in the part of its lower neighbour, and the share of the upper one."""
    at = (np.arange(after) + 0.5) * (before / after) - 0.5
    lower = np.floor(at).astype(np.int64)
    share = np.where((lower >= 0) & (lower < before - 1), at - lower, 0).astype(np.float32)
    lower = lower.clip(0, before - 1)
    inside = np.flatnonzero((lower >= part.start) & (lower + (share > 0) < part.stop))
    kept = slice(int(inside[0]), int(inside[-1]) + 1)
    return lower[kept] - part.start, share[kept], kept
