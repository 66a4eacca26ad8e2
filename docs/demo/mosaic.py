"""A large image from a small one: turned copies, stitched along seams around their objects, and its OME-Zarr."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from yaozarrs import v05
from yaozarrs.write.v05 import write_image

__all__ = ["mosaic", "write"]

Pixels = NDArray[Any]
Layers = NDArray[np.int64]  # (2, y, x): pixels, and the ids of the objects in them

OVERLAP = 64  # pixels along a seam, within which it may run
CUT = 1000  # what a seam pays for a pixel of an object, in units of brightness


def mosaic(pixels: Pixels, mask: Pixels, copies: int) -> tuple[Pixels, NDArray[np.int64]]:
    """An image of `copies` by `copies` square ones, and its objects, each with an id of its own.

    Every copy is turned by some quarters, every row is shifted, and all overlap a little. Where two meet, the seam runs
    around the objects of both, as far as there is a way. That is image quilting: Efros and Freeman, SIGGRAPH 2001.

    >>> pixels, objects = mosaic(np.zeros((128, 128), np.uint8), np.eye(128, dtype=np.uint8), 2)
    >>> pixels.shape, pixels.dtype, objects.shape
    ((192, 192), dtype('uint8'), (192, 192))
    """
    random, step = np.random.default_rng(0), len(pixels) - OVERLAP
    numbers = iter(range(copies * (copies + 1)))
    rows = []
    for _ in range(copies):
        row = reduce(_stitched, [_copy(pixels, mask, next(numbers), random) for _ in range(copies + 1)])
        shift = int(random.integers(step))
        rows.append(row[..., shift : shift + copies * step + OVERLAP].swapaxes(1, 2))
    image, objects = reduce(_stitched, rows).swapaxes(1, 2)
    return image.astype(pixels.dtype), objects


def _copy(pixels: Pixels, mask: Pixels, number: int, random: np.random.Generator) -> Layers:
    ids = np.where(mask > 0, mask + number * int(mask.max()), 0)
    turned: Layers = np.rot90(np.stack([pixels, ids]).astype(np.int64), int(random.integers(4)), axes=(1, 2))
    return turned


def _stitched(left: Layers, right: Layers) -> Layers:
    """Two layered images side by side: in the overlap the left one up to the seam, the right one from there on."""
    ends, starts = left[..., -OVERLAP:], right[..., :OVERLAP]
    cost = np.add(*(layers[0] + CUT * (layers[1] > 0) for layers in (ends, starts)))
    middle = np.where(np.arange(OVERLAP) < _seam(cost)[:, np.newaxis], ends, starts)
    return np.concatenate([left[..., :-OVERLAP], middle, right[..., OVERLAP:]], axis=2)


def _seam(cost: NDArray[np.int64]) -> NDArray[np.intp]:
    """The column of the cheapest way down in each row, one step to either side at most from row to row."""
    total = cost.copy()
    for row in range(1, len(total)):
        total[row] += ndimage.minimum_filter1d(total[row - 1], 3, mode="nearest")
    columns = [int(total[-1].argmin())]
    for row in total[-2::-1]:
        first = max(0, columns[-1] - 1)
        columns.append(first + int(row[first : columns[-1] + 2].argmin()))
    return np.array(columns[::-1])


def write(path: Path, pixels: Pixels, levels: int) -> None:
    """Write an image of y and x as OME-Zarr 0.5, with a pyramid of means. Its pixels have no physical size."""
    pyramid = [pixels]
    while len(pyramid) < levels:
        pyramid.append(_halved(pyramid[-1]))
    multiscale = v05.Multiscale(
        name=path.name.removesuffix(".ome.zarr"),
        axes=[v05.SpaceAxis(name="y"), v05.SpaceAxis(name="x")],
        datasets=[_dataset(level) for level in range(levels)],
    )
    image = v05.Image(multiscales=[multiscale])
    write_image(path, image, pyramid, writer="zarr", chunks=(512, 512), overwrite=True)


def _dataset(level: int) -> v05.Dataset:
    step = 2.0**level
    scale = v05.ScaleTransformation(scale=[step, step])
    shift = v05.TranslationTransformation(translation=[(step - 1) / 2, (step - 1) / 2])
    return v05.Dataset(path=str(level), coordinateTransformations=[scale, shift] if level else [scale])


def _halved(pixels: Pixels) -> Pixels:
    height, width = pixels.shape
    means = pixels.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    half: Pixels = np.rint(means).astype(pixels.dtype)
    return half
