"""The median of a neighbourhood."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Image

from .numbers import check_least, numbers_for, supported

__all__ = ["Median"]


@dataclass(frozen=True, kw_only=True)
class Median:
    """The median of the box around each pixel, as `scipy.ndimage.median_filter` finds it; the dtype stays.

    The image is mirrored at its border (scipy's `reflect`).

    >>> import numpy as np
    >>> Median(size=3)(np.array([[1, 1, 9, 1, 2, 2]])).tolist()
    [[1, 1, 1, 2, 2, 2]]
    """

    size: int | tuple[int, ...] = field(
        default=3,
        metadata={"help": "pixels along the box, one for all spatial axes or one for each; 1 leaves an axis out"},
    )

    def __post_init__(self) -> None:
        check_least("size", self.size, 1)

    @property
    def context(self) -> int | tuple[int, ...]:
        """Half of the box, in pixels."""
        return tuple(size // 2 for size in self.size) if isinstance(self.size, tuple) else self.size // 2

    def prepare(self, image: Image) -> Median:
        """With a size for each axis."""
        return replace(self, size=numbers_for("size", self.size, image.spatial_axes))

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        medians: NDArray[Any] = ndimage.median_filter(supported(pixels), size=self.size, mode="reflect")
        return medians
