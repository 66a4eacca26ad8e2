"""The diameter of objects and the scale that follows, for which Cellpose 3 has a model; once for an image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Image
from tilewright.errors import InvalidOption, NotReadable

from . import memory, weights
from .normalization import normalized
from .options import KNOWN, Options

__all__ = ["estimated", "rescale"]

SIDE = 512  # pixels of a window
WINDOWS = 16  # looked at, of which the brightest few are measured
MEASURED = 5


def estimated(options: Options, image: Image) -> float:
    """The median diameter in pixels of the objects in the brightest of some windows spread over the image.

    Cellpose estimates it in each array that it is given, so that tiles would be rescaled differently.
    InvalidOption with Cellpose 4, which has no size models.
    """
    if weights.newer():
        raise InvalidOption(
            f"diameter 'auto' needs a size model, and Cellpose {weights.version()} has none; leave diameter out, since "
            "its models take objects of any size, or give a number of pixels"
        )
    model = _size_model(options)
    windows = sorted((normalized(w, options.ranges or ()) for w in _windows(image)), key=np.mean)[-MEASURED:]
    padded = [np.pad(w, [(0, weights.most_channels() - len(w)), (0, 0), (0, 0)]) for w in windows]
    given = {"channel_axis": 2, "normalize": {"normalize": False}, "batch_size": memory.batch(options)}
    found = [model.eval(np.moveaxis(w, 0, -1), **given) for w in padded]
    return round(float(np.median([diameter for diameter, _ in found])), 2)


def rescale(options: Options) -> float:
    """The enlargement that brings objects to the diameter that the network knows.

    Cellpose 4 takes images as they are unless a diameter is given. Weights of Cellpose 3 say for which they were made.
    """
    if weights.newer():
        return KNOWN / float(options.diameter or KNOWN)
    model = weights.loaded(options.model, options.gpu)
    return float(model.diam_mean) / float(options.diameter or model.diam_labels)


def _size_model(options: Options) -> Any:
    models = weights.models()
    try:
        path = models.size_model_path(options.model)
    except OSError as error:
        raise NotReadable(
            f"there is no size model for {options.model!r} ({error}); give diameter as a number of pixels, or None"
        ) from error
    return models.SizeModel(cp_model=weights.loaded(options.model, options.gpu), pretrained_size=path)


def _windows(image: Image) -> Iterator[NDArray[Any]]:
    """Windows (c, y, x) at places spread over the image."""
    kept = [axis for axis in image.axes if axis in "cyx"]
    whole = image.size("y") <= SIDE and image.size("x") <= SIDE and image.size("z") == image.size("t") == 1
    for shares in np.random.default_rng(0).random((1 if whole else WINDOWS, len(image.axes))):
        region = []
        for axis, length, share in zip(image.axes, image.shape, shares, strict=True):
            size = length if axis == "c" else min(length, SIDE) if axis in "yx" else 1
            start = round(share * (length - size))
            region.append(slice(start, start + size))
        block = image.read(tuple(region))
        block = block.reshape([n for n, axis in zip(block.shape, image.axes, strict=True) if axis in kept])
        ordered = block.transpose([kept.index(axis) for axis in "cyx" if axis in kept])
        yield ordered if "c" in kept else ordered[np.newaxis]
