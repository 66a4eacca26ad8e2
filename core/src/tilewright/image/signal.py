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

__all__ = ["is_small", "spread_of", "varied_place"]

SMALL = 2**22  # pixels that are read at once
BLOCKS = (128, 4096)  # of a larger image; the more only if all of the fewer are of one value, which is quick to read
HIGH = 99.8  # the percentile above which pixels count as no brighter: specks of dirt are not signal


def is_small(image: Image) -> bool:
    """Whether an image is searched whole."""
    return math.prod(image.shape) <= SMALL


def varied_place(image: Image, size: Mapping[str, int]) -> dict[str, int]:
    """By axis, the middle of a window of a size whose pixels vary most, of an image without channels.

    size: of the window, in pixels by axis; 1 along an axis that is left out. An image of more than 2²² pixels is
    searched at 128 places that are spread evenly over it, and at 4096 if these are blank. The middle of a blank image.
    """
    windows = [size.get(axis, 1) for axis in image.axes]
    place = _varied_window(image[...], windows) if is_small(image) else _varied_sample(image)
    return dict(zip(image.axes, place or [length // 2 for length in image.shape], strict=True))


def spread_of(pixels: NDArray[Any]) -> float:
    """The standard deviation of the finite pixels; 0 of none."""
    finite = np.asarray(pixels, np.float64)[np.isfinite(pixels)]
    return float(finite.std()) if finite.size else 0.0


def _varied_sample(image: Image) -> list[int]:
    """The middle of that sample of an image whose pixels vary most; nothing if all are blank."""
    for blocks in BLOCKS:
        regions = list(sampled(image.shape, image.chunks, SMALL, blocks))
        spreads = [spread_of(image.read(region)) for region in regions]
        if max(spreads) > 0:
            return [(part.start + part.stop) // 2 for part in regions[int(np.argmax(spreads))]]
    return []


def _varied_window(pixels: NDArray[Any], size: Sequence[int]) -> list[int]:
    """The middle of that window of a size whose pixels vary most; nothing if all are of one value."""
    low, high = percentiles_of([pixels], 0, HIGH)
    if low >= high or not pixels.size:
        return []
    unit = (np.nan_to_num(np.asarray(pixels, np.float32), nan=low) - low) / (high - low)
    spread = _spread(np.clip(unit, 0, 1).astype(np.float32), size)
    return [int(index) for index in np.unravel_index(int(spread.argmax()), spread.shape)]


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
