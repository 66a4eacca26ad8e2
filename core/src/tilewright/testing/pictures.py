"""Pictures that the tests segment, and how alike two label images are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..image import SPATIAL, Image
from ..labels.pairs import count_pairs
from ..labels.runs import Runs

__all__ = ["agreement", "agreements", "cells", "crop", "discs", "spots"]

LENGTHS = {"z": 12, "y": 210, "x": 150}
OBJECTS = 90  # rows that hold discs; below there is noise on the left and nothing at all on the right
STEPS = {"z": 12, "y": 30, "x": 30}  # pixels from disc to disc
RADIUS = 9.0
NOISE = 2.0  # standard deviation


def discs(axes: str) -> Image:
    """Bright round objects that do not touch, of several sizes, on a noisy background: uint16.

    Values are at most 255. Objects on the right are dimmer than on the left, so that a tile is not like the whole. The
    lower part has none: background noise on the left and zeros on the right, as outside of a scan. With `c` there are
    three channels, all alike. Along `z` the discs are balls, half as long.
    """
    spatial = [axis for axis in axes if axis in SPATIAL]
    random = np.random.default_rng(7)
    distance = np.zeros([LENGTHS[axis] for axis in spatial])
    for i, axis in enumerate(spatial):
        steps = np.arange(LENGTHS[axis]) % STEPS[axis] - STEPS[axis] / 2 + 0.5
        along = steps * (2 if axis == "z" else 1)
        distance += along.reshape([-1 if j == i else 1 for j in range(len(spatial))]) ** 2
    number = sum(
        (np.arange(LENGTHS[axis]) // STEPS[axis]).reshape([-1 if j == i else 1 for j in range(len(spatial))])
        for i, axis in enumerate(spatial)
    )
    inside = np.clip(RADIUS + number % 3 - np.sqrt(distance), 0, 1)
    below = [slice(OBJECTS, None) if axis == "y" else slice(None) for axis in spatial]
    if "y" in spatial:
        inside[tuple(below)] = 0
    bright = inside * np.linspace(200, 80, distance.shape[-1]) + 20
    pixels = np.clip(random.normal(bright, NOISE), 0, 255).astype(np.uint16)
    right = [slice(LENGTHS["x"] // 2, None) if axis == "x" else part for axis, part in zip(spatial, below, strict=True)]
    if "y" in spatial:
        pixels[tuple(right)] = 0
    if "c" in axes:
        pixels = np.stack([pixels] * 3, axis=axes.index("c"))
    return Image(data=pixels, axes=axes, name="discs")


def cells(axes: str, channels: int) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
    """Labels of objects that touch, and pixels of some channels: values up to 255, brighter where the id is larger.

    Some ids are left out. Objects have holes, lie in two parts, are one pixel large, a line, or cut by the image's
    border. There are none at the right.
    """
    shape = {"yx": (40, 52), "zyx": (9, 20, 24)}[axes]
    random = np.random.default_rng(11)
    seeds = np.array([random.integers(0, n, 16) for n in shape], float).T
    grid = np.moveaxis(np.indices(shape), 0, -1)[..., np.newaxis, :]
    distance = np.sqrt(((grid - seeds) ** 2).sum(axis=-1))
    nearest, away = distance.argmin(axis=-1), distance.min(axis=-1)
    labels = np.where((away < shape[-1] / 7) & ((away >= 1.5) | (nearest % 3 > 0)), 3 * nearest + 2, 0)
    labels[labels == 38] = 20  # two parts of one object
    labels[..., -shape[-1] // 6 :] = 0
    labels[..., -2, -3] = 900
    labels[..., 2, 3:20] = 901
    pixels = random.integers(0, 100, (channels, *shape)) + labels % 150
    return labels.astype(np.uint32), pixels.astype(np.uint16)


def spots(pixels: NDArray[Any], axes: str, above: float) -> NDArray[np.uint64]:
    """The connected components of the pixels above a value in any channel, as labels without `c`."""
    from scipy import ndimage  # a third of a second

    bright = pixels > above
    labels = ndimage.label(bright.any(axes.index("c")) if "c" in axes else bright)[0]
    return np.asarray(labels, np.uint64)


def crop(image: Image, lengths: dict[str, int]) -> NDArray[Any]:
    """A part of an image that holds objects, so many pixels long along each axis named, read as a run reads it."""
    region = []
    for axis, length in zip(image.axes, image.shape, strict=True):
        wanted = min(length, lengths.get(axis, length))
        start = (length - wanted) // 4
        region.append(slice(start, start + wanted))
    return image.read(tuple(region))


def agreements(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The least `agreement` of several label images, which lie along the first axis."""
    return min(agreement(*each) for each in zip(one, other, strict=True))


def agreement(one: NDArray[Any], other: NDArray[Any]) -> float:
    """How much of two label images' foreground lies in objects that correspond: 1 if they are equal up to numbering.

    Objects correspond that share more than half of the pixels that either has (IoU > 0.5, so each has one partner at
    most). Counted are the pixels that corresponding objects share, as a part of all that are foreground in either.
    """
    first, second = Runs.of(one), Runs.of(other)
    pairs = count_pairs(first.labels, second.labels)
    either = int(pairs[(pairs[:, 0] > 0) | (pairs[:, 1] > 0), 2].sum())
    both = pairs[(pairs[:, 0] > 0) & (pairs[:, 1] > 0)]
    shared = both[:, 2]
    union = first.area[both[:, 0] - 1] + second.area[both[:, 1] - 1] - shared
    return float(shared[2 * shared > union].sum() / either) if either else 1.0
