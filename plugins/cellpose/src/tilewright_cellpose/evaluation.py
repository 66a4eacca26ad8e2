"""From normalised pixels to the labels of a tile, with the functions of whichever Cellpose is installed."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import patches, weights
from .diameters import KNOWN
from .exhaustion import frugally

if TYPE_CHECKING:
    from .segmenter import Cellpose

__all__ = ["labels"]

_GPU = threading.Lock()

STEPS = 200  # along the flows, for objects of the size that the network knows
LEAST = (
    2  # pixels along each axis: Cellpose drops an axis of one from what it returns, and in 3-D from what it is given
)
LARGEST = 1.0  # share of the array that one object may be: what is most of a small tile is little of the image


def labels(pixels: NDArray[np.float32], options: Cellpose) -> NDArray[Any]:
    """The labels of normalised pixels (c, y, x) or (c, z, y, x), without the axis c."""
    model = weights.loaded(options.model, options.gpu)
    missing = 0 if weights.newer() else weights.most_channels() - len(pixels)
    padded = np.pad(pixels, [(0, missing)] + [(0, max(0, LEAST - n)) for n in pixels.shape[1:]])
    evaluate = _volume if options.do_3D else _plane
    with _GPU if options.gpu else contextlib.nullcontext():
        found = frugally(lambda batch_size: evaluate(model, padded, options, batch_size), options.batch_size)
    return found[tuple(slice(n) for n in pixels.shape[1:])]


def _plane(model: Any, pixels: NDArray[np.float32], options: Cellpose, batch_size: int) -> NDArray[Any]:
    """A plane by its flows. Cellpose's own `eval` would place the patches by the size of the tile."""
    from cellpose import dynamics

    height, width = pixels.shape[1:]
    scale = options.scale
    whole = [n + -n % options.pitch for n in (height, width)]  # so that all tiles are scaled alike to the last digit
    if scale != 1:
        pixels = np.pad(pixels, [(0, 0), (0, whole[0] - height), (0, whole[1] - width)])
        pixels = _resized(pixels, [round(n * scale) for n in whole])
    flows = patches.across(model, pixels, batch_size)
    if scale != 1:
        flows = _resized(flows, whole)
    flows = np.ascontiguousarray(flows[:, :height, :width])
    found: NDArray[Any] = dynamics.resize_and_compute_masks(
        flows[:2],
        flows[2],
        niter=options.niter or int(STEPS / scale),
        cellprob_threshold=options.cellprob_threshold,
        flow_threshold=options.flow_threshold,
        min_size=0,  # the run's affair
        max_size_fraction=LARGEST,
        device=model.device,
    )
    return found


def _volume(model: Any, pixels: NDArray[np.float32], options: Cellpose, batch_size: int) -> NDArray[Any]:
    found: NDArray[Any] = model.eval(
        np.moveaxis(pixels, 0, -1),
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
    return found


def _resized(planes: NDArray[np.float32], size: list[int]) -> NDArray[np.float32]:
    """Planes (c, y, x) by linear interpolation to another height and width."""
    from cellpose import transforms

    scaled = transforms.resize_image(np.ascontiguousarray(np.moveaxis(planes, 0, -1)), *size)
    return np.moveaxis(scaled.reshape(*size, -1), -1, 0)
