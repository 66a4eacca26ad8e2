"""A large image from a small one: mirrored copies side by side, their true number of objects, and its OME-Zarr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from yaozarrs import v05
from yaozarrs.write.v05 import write_image

__all__ = ["mosaic", "true_count", "write"]

Pixels = NDArray[Any]


def mosaic(pixels: Pixels, copies: int) -> Pixels:
    """Copies by copies of an image, every other one mirrored, so that what meets at their borders is the same.

    >>> mosaic(np.array([[1, 2], [3, 4]]), 2).tolist()
    [[1, 2, 2, 1], [3, 4, 4, 3], [3, 4, 4, 3], [1, 2, 2, 1]]
    """
    row = np.concatenate([pixels[:, :: -1 if x % 2 else 1] for x in range(copies)], axis=1)
    return np.concatenate([row[:: -1 if y % 2 else 1] for y in range(copies)], axis=0)


def true_count(mask: Pixels, copies: int) -> int:
    """The number of objects in a mosaic: one that meets its mirror image at a border of the copies is one with it.

    >>> true_count(np.array([[1, 0], [0, 2]]), 2)
    5
    """
    ids = mosaic(mask.astype(np.int64), copies)
    blocks = np.arange(copies**2).reshape(copies, copies) * (int(mask.max()) + 1)
    unique = np.where(ids > 0, ids + np.kron(blocks, np.ones(mask.shape, np.int64)), 0)
    pairs = np.concatenate([_meeting(unique, mask.shape[0]), _meeting(unique.T, mask.shape[1])])
    objects = np.unique(unique[unique > 0])
    row, column = np.searchsorted(objects, pairs).T
    graph = coo_array((np.ones(len(row), np.int8), (row, column)), shape=(len(objects), len(objects)))
    return int(connected_components(graph, directed=False, return_labels=False))


def _meeting(ids: Pixels, length: int) -> Pixels:
    """Pairs of ids on two sides of the borders between rows of copies; mirroring makes their originals the same."""
    above, below = ids[length - 1 : -1 : length], ids[length::length]
    both = (above > 0) & (below > 0)
    return np.unique(np.stack([above[both], below[both]], axis=1), axis=0)


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
