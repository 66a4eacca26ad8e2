"""Gaussian smoothing that gives a pixel the same value, bit for bit, in every crop that holds its neighbourhood."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["radius", "smoothed"]

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
