"""A threshold above the noise of a dark background, from a bounded sample of the image: for fluorescence.

It begins with the method of N. Otsu, "A threshold selection method from gray-level histograms", IEEE Trans. Syst. Man
Cybern. 9 (1979) 62-66: the split into two classes whose means lie furthest apart, weighted by their sizes. Four things
mislead that, and each has its step here: a few saturated pixels, zeros around the picture, brightness that varies from
object to object, and objects so rare that the noise of the background weighs more than they do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["background"]

Values = NDArray[np.float64]

FEW = 16  # so few distinct values are a drawing or a mask: nothing in it is noise, padding or saturation
PADDING = 0.25  # share of the sample from which pixels of exactly the lowest value may be padding
STRETCH = 32  # pixels between two of them, on average along the last axis: shorter stretches are objects, not a picture
NOISE = 3.0  # deviations above the background's mode up to which brightness is noise
REAL = 6.0  # deviations from which the median of what was found cannot be the noise's own tail


def background(blocks: Iterable[NDArray[Any]]) -> float:
    """The value above which a pixel is foreground, from blocks sampled over an image of real numbers.

    NaN and infinities are ignored. Of a constant image, or one without a finite pixel, nothing finite is above it.

    >>> background([np.array([10, 11, 12, 10, 11, 12, 90])])
    51.0
    """
    sampled = [np.asarray(block) for block in blocks]
    values = np.sort(
        np.concatenate([block[np.isfinite(block)].astype(np.float64) for block in sampled] or [np.empty(0)])
    )
    if not values.size or values[0] == values[-1]:
        return float(values[0]) if values.size else 0.0
    unsaturated = values[values < values[-1]]
    if not _many(unsaturated):
        return _between(values, _split(values))
    padding = values[0]
    if _padded(sampled, values) and _many(inside := unsaturated[unsaturated > padding]):
        threshold, real = _refined(inside)
        if real:
            return threshold
    threshold, real = _refined(unsaturated)
    return threshold if real else _refined(values)[0]  # below saturation there is only noise: what is saturated is it


def _refined(values: Values) -> tuple[float, bool]:
    """Otsu's threshold over brightness in units of the background's noise, and whether what it finds is no noise.

    Noise is folded to zero, so that it has no variance to split; above it the scale is logarithmic, so that one
    object a hundred times brighter than the others does not hide them.
    """
    plain = _split(values)
    centre, spread = _background(values[:plain])
    floor = centre + NOISE * spread
    scale = spread or (values[plain] - centre) / NOISE
    excess = np.arcsinh(np.maximum(values - floor, 0) / scale)
    split = _split(excess) if excess[-1] > 0 else len(values) - 1
    return _between(values, split), bool(np.median(values[split:]) > centre + REAL * spread)


def _background(darker: Values) -> tuple[float, float]:
    """The mode of sorted values and the standard deviation of what lies below it: 0 if the mode is the lowest.

    The mode is the middle of the shortest stretch that holds a quarter of the values. What lies above the mode is no
    guide to the noise, because it is mixed with the dim edges of objects.
    """
    quarter = len(darker) // 4
    start = int(np.argmin(darker[quarter:] - darker[: len(darker) - quarter]))
    centre = float(darker[start + quarter // 2])
    below = darker[: np.searchsorted(darker, centre)]
    # A quarter of a normal distribution's lower half lies within 0.3186 deviations of its mode.
    return centre, float(centre - np.quantile(below, 0.75)) / 0.3186 if below.size else 0.0


def _split(values: Values) -> int:
    """Where Otsu's criterion cuts sorted values that are not all equal: the position of the upper class's first."""
    ends = np.flatnonzero(values[1:] > values[:-1]) + 1
    scaled = (values - values[0]) / (values[-1] - values[0])
    sums, n = np.cumsum(scaled), len(values)
    lower, upper = sums[ends - 1] / ends, (sums[-1] - sums[ends - 1]) / (n - ends)
    return int(ends[np.argmax(ends * (n - ends) * (upper - lower) ** 2)])


def _between(values: Values, split: int) -> float:
    """The middle of the gap at a split, and never the upper value itself, which has to be above it."""
    lower, upper = float(values[split - 1]), float(values[split])
    middle = lower / 2 + upper / 2
    return middle if lower <= middle < upper else lower


def _many(values: Values) -> bool:
    return bool(np.count_nonzero(values[1:] > values[:-1]) >= FEW)


def _padded(blocks: list[NDArray[Any]], values: Values) -> bool:
    """Whether pixels of exactly the lowest value surround a picture, rather than being the background of objects."""
    lowest = values[0]
    rest = len(values) - int(np.searchsorted(values, lowest, side="right"))
    if len(values) - rest < PADDING * len(values):
        return False
    borders = sum(np.count_nonzero((b[..., 1:] == lowest) != (b[..., :-1] == lowest)) for b in blocks if b.ndim)
    return bool(2 * rest >= STRETCH * borders)
