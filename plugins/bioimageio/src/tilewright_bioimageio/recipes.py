"""From maps to objects: pieces of foreground, or pieces parted where the model sees boundaries."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

__all__ = ["parted", "pieces"]


def pieces(foreground: NDArray[np.float32], threshold: float) -> NDArray[Any]:
    """Pixels above a threshold; those that share a side are one object.

    >>> pieces(np.array([[0.9, 0.6, 0.1, 0.7]], np.float32), 0.5)
    array([[1, 1, 0, 2]], dtype=int32)
    """
    labels: NDArray[Any] = ndimage.label(foreground > threshold)[0]
    return labels


def parted(
    foreground: NDArray[np.float32], boundaries: NDArray[np.float32], threshold: float, seed_threshold: float
) -> NDArray[Any]:
    """Foreground above a threshold, by the watershed of the boundaries from seeds.

    Seeds are pieces of the foreground less the boundaries above a threshold of their own. Foreground that is not
    connected to a seed is left out.

    >>> foreground = np.array([[0.9, 0.9, 0.8, 0.9, 0.9, 0.2]], np.float32)
    >>> parted(foreground, np.array([[0.0, 0.1, 0.9, 0.2, 0.0, 0.0]], np.float32), 0.5, 0.6)
    array([[1, 1, 1, 2, 2, 0]], dtype=int32)
    """
    inside = foreground > threshold
    seeds, _ = ndimage.label(inside & (foreground - boundaries > seed_threshold))
    labels: NDArray[Any] = watershed(boundaries, seeds, mask=inside)
    return labels
