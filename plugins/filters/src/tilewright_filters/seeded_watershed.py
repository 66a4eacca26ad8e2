"""Cells that grow from nuclei."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from .numbers import check_least, supported

__all__ = ["SeededWatershed"]

Labels = NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class SeededWatershed:
    """Given labels, grown over the image by `skimage.segmentation.watershed`: each cell has the id of its nucleus.

    The image is smoothed (float64). Cells grow from their nuclei through pixels above the threshold, and meet where the
    smoothed image is darkest between them, or brightest. A nucleus that lies below the threshold stays as it is.

    A watershed is not local: tiles see `reach` pixels more on every side, which should be the length of a cell. Where
    the smoothed image is flat, cells meet half-way, and which of them gets the middle may depend on the tile.

    >>> pixels, nuclei = np.array([[9, 8, 7, 3, 8, 9]]), np.array([[4, 0, 0, 0, 0, 6]], np.uint64)
    >>> SeededWatershed(sigma=0, threshold=5)(pixels, given={"nuclei": nuclei}).tolist()
    [[4, 4, 4, 0, 6, 6]]
    """

    threshold: float = field(
        default=0.0, metadata={"help": "pixels belong to cells where the smoothed image is above it"}
    )
    sigma: float = field(default=2.0, metadata={"help": "standard deviation of the smoothing, in pixels; 0: none"})
    meet: Literal["dark", "bright"] = field(
        default="dark",
        metadata={"help": "cells meet where the image is dark (a stained cytoplasm) or bright (a stained membrane)"},
    )
    reach: int = field(
        default=120, metadata={"help": "pixels around a tile that are looked at: the length of a large cell"}
    )
    given: tuple[str] = field(default=("nuclei",), metadata={"help": "the name of the given labels"})

    keeps_ids: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_least("sigma", self.sigma, 0)
        check_least("reach", self.reach, 0)

    @property
    def context(self) -> int:
        """The reach, and the radius of the smoothing, in pixels."""
        return self.reach + int(4 * self.sigma + 0.5)

    def memory(self, shape: tuple[int, ...], _: np.dtype[Any]) -> int:
        """The bytes that a call takes: the smoothed image, ids and the watershed's queue."""
        return prod(shape) * 128

    def __call__(self, pixels: NDArray[Any], *, given: Mapping[str, Labels]) -> Labels:
        labels = given[self.given[0]]
        ids, numbers = np.unique(labels, return_inverse=True)
        if ids[-1] == 0:
            return labels
        numbers = numbers.reshape(labels.shape) + int(ids[0] > 0)  # scikit-image takes 32-bit ids
        smooth = ndimage.gaussian_filter(supported(pixels), self.sigma, output=np.float64)
        land = -smooth if self.meet == "dark" else smooth
        cells = watershed(land, numbers, mask=(smooth > self.threshold) | (labels > 0))
        found: Labels = np.concatenate([np.zeros(1, np.uint64), ids[ids > 0]])[cells]
        return found
