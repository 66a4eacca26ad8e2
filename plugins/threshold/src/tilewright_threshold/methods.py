"""The threshold of a whole image by the name of its method: those of scikit-image by its own functions."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tilewright import Image
from tilewright.errors import PluginError

from .background import background
from .statistics import BINS, Statistics, finite

__all__ = ["METHODS", "Method", "threshold_of"]

Method = Literal["background", "otsu", "li", "triangle", "yen", "isodata", "mean"]
METHODS: tuple[Method, ...] = get_args(Method)
SAMPLED = ("background", "li")  # these take pixels, so they get as many as fit into memory

LARGEST = 2**32  # pixels: of a larger image a sample is read, whatever the method
PIXELS = 2**22  # of the triangle, at most about
TOLERANCE = 1e-6  # of the range, at which Li's iteration ends
BEYOND = 1e-12  # relative: more than rounding changes a constant image that is smoothed

logger = logging.getLogger("tilewright")


def threshold_of(image: Image, method: Method, *, dark: bool = False) -> float:
    """The value above which a pixel is foreground; with `dark`, the value up to which it is.

    image: of one channel. NaN and infinities are left out. In a constant image, or one without a finite pixel, nothing
    is foreground. NotReadable if a block cannot be read; PluginError for a method of scikit-image where that is not
    installed.

    >>> threshold_of(Image(np.array([10, 11, 12, 10, 11, 12, 90]), axes="x"), "otsu")
    12.0
    """
    blocks: list[NDArray[Any]] = []
    if method in SAMPLED or math.prod(image.shape) > LARGEST:
        blocks = _sample(image, method)
        image = Image(np.concatenate([block.ravel() for block in blocks] or [np.empty(0)]), axes="x")
    statistics = Statistics(image)
    low, high = statistics.range
    if low == high:
        return float(np.nextafter(low - abs(low) * BEYOND, -np.inf)) if dark else low + abs(low) * BEYOND
    if method == "background":
        value = _background(blocks, dark)
    elif method == "mean":
        value = statistics.mean
    else:
        value = _by_name(method, image, statistics)
    # The triangle of a mask is the mask's greater value, above which there is nothing.
    return float(min(value, np.nextafter(high, -np.inf)))


def _sample(image: Image, method: Method) -> list[NDArray[Any]]:
    blocks = list(image.sample())
    taken, size = sum(block.size for block in blocks), math.prod(image.shape)
    if taken < size:
        logger.info("threshold %r is taken from a sample of %d of the image's %d pixels", method, taken, size)
    return blocks


def _background(blocks: list[NDArray[Any]], dark: bool) -> float:
    if not dark:
        return background(blocks)
    # What lies above the negative's threshold lies below it here; the threshold itself is background in both.
    return float(np.nextafter(-background([-block.astype(np.float64) for block in blocks]), -np.inf))


def _by_name(method: Method, image: Image, statistics: Statistics) -> float:
    try:
        from skimage import filters  # a third of a second, which a number for a threshold does not cost
    except ImportError as error:
        raise PluginError(
            f"the threshold {method!r} needs scikit-image, which cannot be imported ({error}); install it: "
            "pip install 'tilewright-threshold[methods]', or give the threshold as a number"
        ) from error
    function = getattr(filters, f"threshold_{method}")
    with np.errstate(divide="ignore", invalid="ignore"):  # Yen's criterion is the logarithm of 0 at an end
        if method in ("otsu", "yen", "isodata"):
            return float(function(hist=statistics.histogram))
        if method == "triangle":
            return _triangle(function, *statistics.histogram)
        # In a dtype that does not overflow, and of integers only where a bin for each is not too many.
        low, high = statistics.range
        integers = image.dtype.kind != "f"
        pixels = finite(image[...]).astype(np.int64 if integers and high - low < BINS else np.float64)
        # Its own tolerance for floats, half the least difference, can be too fine to be ever reached.
        return float(function(pixels, tolerance=max(0.5 * integers, (high - low) * TOLERANCE)))


def _triangle(function: Callable[..., Any], counts: NDArray[np.int64], centres: NDArray[np.float64]) -> float:
    """The triangle of a histogram, which scikit-image takes as pixels only: of its bins' numbers, as often as they are.

    The triangle stays the same if all counts are divided alike.
    """
    times = np.ceil(counts * min(1.0, PIXELS / counts.sum())).astype(np.int64)
    return float(centres[function(np.repeat(np.arange(len(counts)), times))])
