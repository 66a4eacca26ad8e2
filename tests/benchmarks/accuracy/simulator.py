"""Cells whose truth is known, and a segmenter that disagrees with itself from crop to crop.

    truth = cells("dense", seed=0)        # 1536², cells of about 28 px: touching, apart, or apart with long fibres
    labels = noisy(truth)                 # what a network might return for that crop

`perfect` returns the truth of the crop. `noisy` adds what depends on the crop: borders that waver by 1.4 px (by three
times that within 10 px of the crop's edge, where a network lacks context), 1 % of objects missed, 0.8 % of touching
pairs fused, 1.5 % of objects split.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["KINDS", "SIDE", "cells", "noisy", "perfect"]

Labels = NDArray[np.int32]

SIDE = 1536
KINDS = ("dense", "sparse", "fibre")
SPACING = 28  # of cells, px
FIBRES, LENGTH, WIDTH = 12, 650, 6
WAVER, EDGE = 1.4, 10  # px
MISSED, FUSED, SPLIT = 0.01, 0.008, 0.015
SMALLEST, SMALLEST_FOUND = 60, 20  # px


def cells(kind: str, seed: int, side: int = SIDE) -> Labels:
    """A label image of jittered grid points' Voronoi cells, cut off at a radius; "volume" is dense, and in 3-D."""
    random = np.random.default_rng(seed)
    dimensions = 3 if kind == "volume" else 2
    grid = np.indices([side // SPACING + 2] * dimensions).reshape(dimensions, -1).T * SPACING
    points = grid + random.uniform(-SPACING * 0.38, SPACING * 0.38, grid.shape)
    points = np.clip(np.round(points).astype(int), 0, side - 1)
    seeds = np.zeros([side] * dimensions, np.int32)
    seeds[tuple(points.T)] = np.arange(1, len(points) + 1)
    distance, nearest = ndimage.distance_transform_edt(seeds == 0, return_indices=True)
    labels = np.where(distance > SPACING * 0.62, 0, seeds[tuple(nearest)])
    if kind in ("sparse", "fibre"):
        labels[ndimage.binary_dilation(_borders(labels))] = 0
    if kind == "fibre":
        _draw_fibres(labels, random)
    return _without_small(perfect(labels), SMALLEST)


def perfect(crop: NDArray[Any]) -> Labels:
    """Every connected piece of the truth that a crop shows, numbered in raster order."""
    links = np.zeros([2 * n - 1 for n in crop.shape], bool)  # every second place is a pixel, between two is their link
    even = (slice(None, None, 2),) * crop.ndim
    links[even] = crop > 0
    for axis in range(crop.ndim):
        pixels, between = np.moveaxis(crop, axis, 0), [*even]
        between[axis] = slice(1, None, 2)
        links[tuple(between)] = np.moveaxis((pixels[1:] == pixels[:-1]) & (pixels[1:] > 0), 0, axis)
    pieces: Labels = ndimage.label(links)[0][even]
    return pieces


def noisy(crop: NDArray[Any]) -> Labels:
    """The crop's truth with errors of its own, always the same for the same crop."""
    if not crop.any():
        return np.zeros(crop.shape, np.int32)
    random = np.random.default_rng(_key(crop))
    labels = perfect(crop)[_wavering(crop.shape, random)]
    labels[(random.random(labels.max() + 1) < MISSED)[labels]] = 0
    labels = _with_fused(labels, random)
    _split(labels, random)
    return _without_small(perfect(labels), SMALLEST_FOUND)


def _key(crop: NDArray[Any]) -> int:
    sample = np.frombuffer(np.ascontiguousarray(crop, np.int32).tobytes(), np.uint8)[::997].astype(np.int64)
    return int(sample.dot(np.arange(1, len(sample) + 1)) % 2**31)


def _wavering(shape: tuple[int, ...], random: np.random.Generator) -> tuple[NDArray[np.int64], ...]:
    """Where each pixel of a crop is taken from: nearby, by a smooth random field for each axis."""
    fields = [ndimage.gaussian_filter(random.standard_normal(shape), 4) for _ in shape]
    places = np.indices(shape)
    ends = np.array(shape).reshape(-1, *[1] * len(shape)) - 1
    boost = 1 + 2 * np.clip(1 - np.minimum(places, ends - places).min(axis=0) / EDGE, 0, 1)
    moved = (p + f * (WAVER / fields[0].std()) * boost for p, f in zip(places, fields, strict=True))
    return tuple(np.clip(np.round(m), 0, n - 1).astype(int) for m, n in zip(moved, shape, strict=True))


def _with_fused(labels: Labels, random: np.random.Generator) -> Labels:
    left, right = labels[:, :-1], labels[:, 1:]
    touch = (left != right) & (left > 0) & (right > 0)
    pairs = np.unique(np.stack([left[touch], right[touch]], 1), axis=0)
    number = np.arange(labels.max() + 1)
    for kept, gone in pairs[random.random(len(pairs)) < FUSED]:
        number[gone] = number[kept]
    return number[labels]


def _split(labels: Labels, random: np.random.Generator) -> None:
    """Give one half of some objects' boxes a number of its own."""
    following = labels.max() + 1
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if box is None or random.random() > SPLIT:
            continue
        view = labels[box]
        half = view == label
        random.integers(2)  # keeps the sequence of the simulator's published figures
        if random.random() < 0.5:
            half[: half.shape[0] // 2] = False
        else:
            half[:, : half.shape[1] // 2] = False
        view[half] = following
        following += 1


def _borders(labels: Labels) -> NDArray[np.bool_]:
    moved = (np.roll(labels, step, (0, 1)) for step in ((0, 1), (1, 0), (1, 1), (1, -1)))
    return np.logical_or.reduce([other != labels for other in moved])


def _draw_fibres(labels: Labels, random: np.random.Generator) -> None:
    side = len(labels)
    following = labels.max() + 1
    for number in range(following, following + FIBRES):
        y, x, angle = random.integers(20, side - 20), random.integers(0, side - 700), random.uniform(-0.5, 0.5)
        along = np.arange(LENGTH)
        ys, xs = (y + np.sin(angle) * along).astype(int), (x + np.cos(angle) * along).astype(int)
        line = np.zeros(labels.shape, bool)
        inside = (ys >= 0) & (ys < side) & (xs < side)
        line[ys[inside], xs[inside]] = True
        labels[ndimage.binary_dilation(line, iterations=WIDTH)] = number


def _without_small(labels: Labels, least: int) -> Labels:
    """The labels without small objects, numbered anew."""
    kept = np.bincount(labels.ravel()) >= least
    kept[0] = False
    number: Labels = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return number[labels]
