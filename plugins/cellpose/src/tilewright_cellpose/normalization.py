"""Brightness on the network's scale: 0 and 1 are two percentiles of the whole image, channel by channel.

Cellpose takes them from the array that it is handed. Taken from tiles, they make the same cell bright in one and dark
in the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Image

__all__ = ["measured", "normalized"]


def measured(image: Image, percentiles: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """The values at two percentiles of each channel, from a bounded sample spread over the whole image."""
    channels = [image.select(i) for i in range(image.size("c"))] if "c" in image.axes else [image]
    return tuple(channel.percentiles(*percentiles) for channel in channels)


def normalized(pixels: NDArray[Any], ranges: tuple[tuple[float, float], ...]) -> NDArray[np.float32]:
    """Pixels (c, ...) on that scale, a new array: Cellpose writes into the one that it is given.

    A range without an extent makes its channel 0, as Cellpose makes a channel of one value. NaN is 0, infinities are
    the ends of the range.

    >>> normalized(np.array([[10, 30, 50]]), ((10.0, 50.0),))
    array([[0. , 0.5, 1. ]], dtype=float32)
    """
    low, high = (
        np.array(ends, np.float64).reshape((-1,) + (1,) * (pixels.ndim - 1)) for ends in zip(*ranges, strict=True)
    )
    scale = np.divide(1, high - low, out=np.zeros_like(high), where=high > low)
    scaled: NDArray[np.float32] = np.subtract(pixels, low, dtype=np.float32, casting="unsafe")
    np.multiply(scaled, scale, out=scaled, casting="unsafe")
    np.nan_to_num(scaled, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    return scaled
