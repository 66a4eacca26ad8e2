"""From normalised pixels to the labels of a tile, with the functions of whichever Cellpose is installed."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Placement, Region, fit_into_memory

from . import patches, weights
from .masks import LARGEST, LEAST, masks
from .options import KNOWN, Options
from .scaling import scaled

__all__ = ["labels"]

_GPU = threading.Lock()


def labels(pixels: NDArray[np.float32], options: Options, place: Placement) -> NDArray[Any]:
    """The labels of normalised pixels (c, y, x) or (c, z, y, x), without the axis c, which lie there in the image."""
    model = weights.loaded(options.model, options.gpu)
    missing = 0 if weights.newer() else weights.most_channels() - len(pixels)
    filled = np.pad(pixels, [(0, missing)] + [(0, 0)] * (pixels.ndim - 1))

    def evaluated(batch_size: int) -> NDArray[Any]:
        if options.do_3D:
            return _volume(model, filled, options, batch_size)
        return _plane(model, filled, options, place, batch_size)

    with _GPU if options.gpu else contextlib.nullcontext():
        return fit_into_memory(evaluated, options.batch_size)


def _plane(
    model: Any, pixels: NDArray[np.float32], options: Options, place: Placement, batch_size: int
) -> NDArray[Any]:
    """A part of a plane by what the network says of it, where that is what it says in the whole plane.

    Cellpose's own `eval` would place its patches by the size of the part. What no patch covers is left empty.
    """
    flows, part = _flows(model, pixels, options, place, batch_size)
    found = np.zeros(pixels.shape[1:], np.int64)
    inner = tuple(slice(p.start - r.start, p.stop - r.start) for p, r in zip(part, place.region, strict=True))
    found[inner] = masks(flows, part, place.shape, options, model.device)
    return found


def _flows(
    model: Any, pixels: NDArray[np.float32], options: Options, place: Placement, batch_size: int
) -> tuple[NDArray[np.float32], Region]:
    """Flows along y and x and the score of being a cell, and for which part of the image."""
    height, width = place.shape
    size = (max(1, int(height * options.scale)), max(1, int(width * options.scale)))  # as Cellpose rounds
    pixels, part = scaled(pixels, place.region, (height, width), size)
    down, along = (patches.line(length).within(each) for length, each in zip(size, part, strict=True))
    said = patches.across(model, pixels, (part[0].start, part[1].start), (down, along), batch_size)
    return scaled(said, (down.covered, along.covered), size, (height, width))


def _volume(model: Any, pixels: NDArray[np.float32], options: Options, batch_size: int) -> NDArray[Any]:
    thick = np.pad(pixels, [(0, 0)] + [(0, max(0, LEAST - n)) for n in pixels.shape[1:]])
    found: NDArray[Any] = model.eval(
        np.moveaxis(thick, 0, -1),
        channel_axis=3,
        z_axis=0,
        do_3D=True,
        normalize={"normalize": False},  # a bool would stay in a global of Cellpose's, for every later call
        diameter=getattr(model, "diam_mean", KNOWN) / options.scale,
        anisotropy=options.anisotropy,
        cellprob_threshold=options.cellprob_threshold,
        flow3D_smooth=options.flow3D_smooth,
        min_size=0,
        max_size_fraction=LARGEST,
        niter=options.niter,
        batch_size=batch_size,
    )[0]
    return found[tuple(slice(n) for n in pixels.shape[1:])]
