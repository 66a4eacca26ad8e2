"""Gaussian smoothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Image

from .numbers import check_least, floating, numbers_for, spacing_in, supported

__all__ = ["Gaussian"]


@dataclass(frozen=True, kw_only=True)
class Gaussian:
    """Pixels smoothed by a Gaussian, as `scipy.ndimage.gaussian_filter` does, along the image's spatial axes.

    The image is mirrored at its border (scipy's `reflect`). The result is float32, or float64 for pixels that float32
    does not hold exactly. A pixel that is NaN or infinite spreads as far as the kernel reaches.

    >>> import numpy as np
    >>> Gaussian(sigma=0.5)(np.array([[0, 0, 8, 0, 0]])).round(2).tolist()
    [[0.0, 0.85, 6.29, 0.85, 0.0]]
    """

    sigma: float | tuple[float, ...] = field(
        default=1.0,
        metadata={
            "help": "standard deviation, one for all spatial axes or one for each; 0 smooths nothing along an axis"
        },
    )
    unit: str | None = field(
        default=None,
        metadata={"help": "unit of sigma: none for pixels, or that of the image's spacing, such as micrometer"},
    )
    truncate: float = field(default=4.0, metadata={"help": "standard deviations at which the kernel ends"})

    def __post_init__(self) -> None:
        check_least("sigma", self.sigma, 0)
        check_least("truncate", self.truncate, 0)

    @property
    def context(self) -> int | tuple[int, ...]:
        """The kernel's radius, in pixels, as scipy rounds it."""
        if isinstance(self.sigma, tuple):
            return tuple(int(self.truncate * sigma + 0.5) for sigma in self.sigma)
        return int(self.truncate * self.sigma + 0.5)

    def prepare(self, image: Image) -> Gaussian:
        """With a sigma in pixels for each axis. InvalidOption if the image's spacing has another unit."""
        sigma = numbers_for("sigma", self.sigma, image.spatial_axes)
        if self.unit is not None:
            sigma = tuple(
                each / spacing_in(self.unit, image, axis, "sigma")
                for each, axis in zip(sigma, image.spatial_axes, strict=True)
            )
        return replace(self, sigma=sigma, unit=None)

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        smooth: NDArray[Any] = ndimage.gaussian_filter(
            supported(pixels), self.sigma, output=floating(pixels.dtype), mode="reflect", truncate=self.truncate
        )
        return smooth
