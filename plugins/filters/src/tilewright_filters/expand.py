"""Labels that grow by a distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil, prod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import expand_labels

from tilewright import Image

from .numbers import check_least, spacing_in

__all__ = ["Expand"]

Labels = NDArray[np.uint64]
NAMES = {"help": "the name of the given labels"}


@dataclass(frozen=True, kw_only=True)
class Expand:
    """Given labels, each grown into the background by a distance, as `skimage.segmentation.expand_labels` does.

    A pixel gets the label that is nearest. Which of several equally near ones it gets depends on where they lie, and
    not on tiles. Objects keep their ids; no pixels are read.

    >>> Expand(distance=2)(None, given={"nuclei": np.array([[0, 0, 7, 0, 0, 9, 0, 0, 0]], np.uint64)}).tolist()
    [[7, 7, 7, 7, 9, 9, 9, 9, 0]]
    """

    distance: float = field(default=1.0, metadata={"help": "how far labels grow, between the centres of pixels"})
    unit: str | None = field(
        default=None,
        metadata={"help": "unit of the distance: none for pixels, or that of the image's spacing, such as micrometer"},
    )
    given: tuple[str] = field(default=("nuclei",), metadata=NAMES)
    spacing: tuple[float, ...] | None = field(
        default=None, metadata={"help": "pixel size by axis; none: 1 without a unit, else the image's"}
    )

    keeps_ids: ClassVar[bool] = True
    pixels: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_least("distance", self.distance, 0)

    @property
    def context(self) -> int | tuple[int, ...]:
        """The distance, in pixels."""
        if self.spacing is None:
            return ceil(self.distance)
        return tuple(ceil(self.distance / each) for each in self.spacing)

    def memory(self, shape: tuple[int, ...], _: np.dtype[Any]) -> int:
        """The bytes that a call takes: distances, and the place of the nearest label by axis."""
        return prod(shape) * (48 + 16 * len(shape))

    def prepare(self, image: Image) -> Self:
        """With the spacing of each axis, if there is a unit. InvalidOption if the image's spacing has another."""
        if self.unit is None or self.spacing is not None:
            return self
        return replace(
            self, spacing=tuple(spacing_in(self.unit, image, axis, "distance") for axis in image.spatial_axes)
        )

    def __call__(self, _: None, *, given: Mapping[str, Labels]) -> Labels:
        return self.grown(given[self.given[0]], self.distance)

    def grown(self, labels: Labels, distance: float) -> Labels:
        """The labels, grown by a distance."""
        if not labels.any():
            return labels  # there is no nearest one
        grown: Labels = expand_labels(labels, distance, spacing=1 if self.spacing is None else self.spacing)
        return grown
