"""Which tiles hold nothing: a threshold that is safe to skip by, and a quick look at every tile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..abc.tiler import Needs
from ..builtin.tilers import Grid
from ..components.options import checked_arguments
from ..components.quantities import real_number, whole_number
from ..image import Image
from ..storage.machine import cpus
from ..tiling.grid import Tile
from .inputs import UNSAID, Input
from .tiling import numbers_by_axis

__all__ = ["background_level", "estimate_empty_tiles"]

SEPARATE = 0.8  # share of the variance between two classes; a bell curve cut in half has 0.64, an even spread 0.75
APART = 6  # standard deviations: of the background between it and a class above, and above it to the threshold
BINS = 1024


@checked_arguments
def estimate_empty_tiles(
    image: Any,
    tile_shape: Sequence[int],
    threshold: float | None = None,
    channel: int | str | None = UNSAID,
    level: int = 0,
    sample_window: Sequence[int] | None = (24, 256, 256),
) -> dict[str, Any]:
    """Look into the middle of every tile and say which seem empty: no pixel there is above the threshold.

    Quick and rough: an object at a tile's border is not seen, where `tile_process(skip_empty=True)` looks at every
    pixel. `sample_window=None` does so here too. The window's numbers belong to the last axes. NaN hides nothing.

    Returns threshold (found as `tile_process` finds it, if not given), n_tiles, n_occupied, empty_fraction, and
    occupancy, a boolean for each tile in an array of the grid's shape.

    >>> image = np.zeros((4, 8)); image[0, 1] = 9; image[2, 6] = np.nan; image[3, 7] = 9
    >>> info = estimate_empty_tiles(image, (4, 4), threshold=5, sample_window=(2, 2))
    >>> info["occupancy"].tolist(), estimate_empty_tiles(image, (4, 4), threshold=5)["occupancy"].tolist()
    ([[False, False]], [[True, True]])
    """
    given = Input.open(image, level=level, channel=channel)
    tile = numbers_by_axis("tile_shape", tile_shape, given.image.axes, least=1)
    grid = Grid(tile=tile, halo=0)(given.plane, Needs(separate="t" if "t" in given.plane.axes else ""))
    window = _window(sample_window, len(grid.axes))
    threshold = background_level(given.plane) if threshold is None else real_number("threshold", threshold)

    def occupied(tile: Tile) -> bool:
        return bool((given.plane.read(_middle(tile, window)) > threshold).any())

    with ThreadPoolExecutor(cpus()) as pool:
        occupancy = np.fromiter(pool.map(occupied, grid), bool, len(grid)).reshape(grid.counts)
    n_occupied = int(occupancy.sum())
    return {
        "threshold": float(threshold),
        "n_tiles": len(grid),
        "n_occupied": n_occupied,
        "empty_fraction": 1 - n_occupied / len(grid) if len(grid) else 0.0,
        "occupancy": occupancy,
    }


def background_level(image: Image) -> float:
    """A level that no pixel of the background is above, from a sample spread over the whole image.

    The sample is cut in two (Otsu), its lower part again, and so on for as long as the parts lie clearly apart: what is
    left is the darkest population. The level is six of its standard deviations above its median, but never above the
    lowest cut. Where nothing lies apart, all may be signal: the level is then 0 (or the lowest pixel, if negative), by
    which only tiles without any signal at all are skipped.

    >>> pixels = np.random.default_rng(0).normal(100, 10, (64, 64))
    >>> background_level(Image(data=pixels, axes="yx"))
    0.0
    >>> pixels[:8, :8], pixels[40:, 40:] = 400, 65535
    >>> round(background_level(Image(data=pixels, axes="yx")))
    160
    """
    values = np.concatenate([block.ravel() for block in image.sample()] or [np.zeros(0)])
    values = values[np.isfinite(values)]
    step = 1.0 if values.dtype.kind in "bui" else 0.0
    dark, cut = values.astype(np.float64), None
    while (found := _cut(dark, step)) is not None:
        cut = found
        dark = dark[dark < cut]
    if cut is None:
        return min(0.0, float(values.min())) if values.size else 0.0
    middle = float(np.median(dark))
    spread = 1.4826 * float(np.median(np.abs(dark - middle))) or float(dark.std())
    return min(middle + APART * spread, float(np.nextafter(cut, -math.inf)))


def _cut(values: NDArray[np.float64], step: float) -> float | None:
    """Where values fall into two classes that lie apart (the first value of the upper one), or None if they do not."""
    if values.size < 2 or values.min() == values.max():
        return None
    counts, edges = np.histogram(values, BINS)
    sums = np.histogram(values, edges, weights=values)[0]
    below, above = np.cumsum(counts)[:-1], values.size - np.cumsum(counts)[:-1]
    split = (below > 0) & (above > 0)
    means = np.cumsum(sums)[:-1] / np.maximum(below, 1), (sums.sum() - np.cumsum(sums)[:-1]) / np.maximum(above, 1)
    between = np.where(split, below * above * (means[1] - means[0]) ** 2, -1) / values.size**2
    best = int(np.argmax(between))
    lower, upper = values[values < edges[best + 1]], values[values >= edges[best + 1]]
    if not lower.size or not upper.size:  # rounding at the edge of a bin
        return None
    apart = upper.mean() - lower.mean() >= APART * max(float(lower.std()), step)
    return float(upper.min()) if apart and between[best] >= SEPARATE * values.var() else None


def _window(said: Sequence[int] | None, dimensions: int) -> tuple[int | None, ...]:
    """The window's lengths for the last axes; an axis that it says nothing of is looked at whole."""
    if said is None:
        return (None,) * dimensions
    window = tuple(whole_number("sample_window", each, least=1, said=said) for each in said)
    return ((None,) * dimensions + window)[-dimensions:]


def _middle(tile: Tile, window: Sequence[int | None]) -> tuple[slice, ...]:
    middle = []
    for part, most in zip(tile.core, window, strict=True):
        length = part.stop - part.start
        taken = length if most is None else min(length, most)
        start = part.start + (length - taken) // 2
        middle.append(slice(start, start + taken))
    return tuple(middle)
