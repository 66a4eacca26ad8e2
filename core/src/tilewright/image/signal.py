"""Where in an image there is something to see, found in bounded time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .image import Image
from .sampling import percentiles_of, sampled

__all__ = ["brightest_place", "is_small"]

SMALL = 2**22  # pixels that are read at once
BLOCKS = 128  # of a larger image
HIGH = 99.8  # the percentile above which pixels count as no brighter: specks of dirt are not signal


def is_small(image: Image) -> bool:
    """Whether an image is searched whole."""
    return math.prod(image.shape) <= SMALL


def brightest_place(image: Image, size: Mapping[str, int]) -> dict[str, int]:
    """By axis but `c`, the middle of a window of a size whose pixels vary most.

    size: of the window, in pixels by axis; 1 along an axis that is left out. An image of more than 2²² pixels is
    searched at 128 places that are spread evenly over it.
    """
    if is_small(image):
        pixels = image[...]
        spread = _spread(_clipped(pixels), [size.get(axis, 1) if axis != "c" else 1 for axis in image.axes])
        place: Sequence[Any] = np.unravel_index(int(spread.argmax()), spread.shape)
    else:
        regions = list(sampled(image.shape, image.chunks, SMALL, BLOCKS))
        best = max(regions, key=lambda region: float(np.nanstd(np.asarray(image.read(region), np.float32))))
        place = [(part.start + part.stop) // 2 for part in best]
    return {axis: int(index) for axis, index in zip(image.axes, place, strict=True) if axis != "c"}


def _clipped(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Pixels from 0 to 1, of which the brightest are alike and those that are no numbers are 0."""
    low, high = percentiles_of([pixels], 0, HIGH)
    unit = (np.nan_to_num(np.asarray(pixels, np.float32), nan=low) - low) / (high - low)
    clipped: NDArray[np.float32] = np.clip(unit, 0, 1).astype(np.float32)
    return clipped


def _spread(pixels: NDArray[np.float32], size: Sequence[int]) -> NDArray[np.float32]:
    """The variance in the window around each pixel whose window lies within the image; -1 elsewhere."""
    whole = [min(length, window) for length, window in zip(pixels.shape, size, strict=True)]
    mean = ndimage.uniform_filter(pixels, whole)
    variance = ndimage.uniform_filter(pixels * pixels, whole) - mean * mean
    result = np.full(pixels.shape, -1, np.float32)
    inner = tuple(
        slice(window // 2, length - (window - 1) // 2) for length, window in zip(pixels.shape, whole, strict=True)
    )
    result[inner] = variance[inner]
    return result
