"""Label images that have every kind of object: touching, one pixel, thin, with holes, cut by the border, in parts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label

Labels = NDArray[np.int32]


def noise(shape: tuple[int, ...], sigma: float, seed: int) -> NDArray[np.float64]:
    smooth: NDArray[np.float64] = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), sigma)
    return smooth


def split(foreground: NDArray[np.bool_], seeds: int, seed: int) -> NDArray[np.intp]:
    """Connected foreground cut along the borders between the nearest of some random places: objects that touch."""
    rng = np.random.default_rng(seed)
    places = np.stack([rng.integers(0, n, seeds) for n in foreground.shape])
    marked = np.zeros(foreground.shape, int)
    marked[tuple(places)] = np.arange(1, seeds + 1)
    nearest = ndimage.distance_transform_edt(marked == 0, return_distances=False, return_indices=True)
    cut: NDArray[np.intp] = label(np.where(foreground, marked[tuple(nearest)], 0), connectivity=1)
    return cut


def with_odd_ones(labels: NDArray[np.intp], step: int) -> Labels:
    """The labels with some objects in parts that lie far apart, single pixels, and lines along each axis."""
    labels = np.where((labels % 17 == 3) & (labels < 200), 3, labels)
    single = labels[(slice(None, None, step),) * labels.ndim]
    single[...] = labels.max() + 1 + np.arange(single.size).reshape(single.shape)
    for axis in range(labels.ndim):
        place: list[int | slice] = [7 + 3 * axis] * labels.ndim
        place[axis] = slice(2, 40)
        labels[tuple(place)] = labels.max() + 2  # and ids that are left out
    return labels.astype(np.int32)


@pytest.fixture(scope="session")
def plane() -> Labels:
    """2,000 objects in two dimensions."""
    smooth = noise((430, 470), 2.2, seed=0)
    return with_odd_ones(split(smooth > np.quantile(smooth, 0.45), 1100, seed=1), step=13)


@pytest.fixture(scope="session")
def volume() -> Labels:
    """600 objects in three dimensions."""
    smooth = noise((44, 50, 56), 1.6, seed=2)
    return with_odd_ones(split(smooth > np.quantile(smooth, 0.5), 400, seed=3), step=9)
