"""The segmenter `tissue`: what is stained of a slide, and what is glass, on a coarse level."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Image
from tilewright.errors import InvalidOption

from .filters import filled, radius, smoothed
from .methods import threshold_of

__all__ = ["Tissue"]


@dataclass(frozen=True, kw_only=True)
class Tissue:
    """Pieces of tissue: what is more coloured than the glass of a slide, or brighter, or darker.

    pixels: c, y, x of any real dtype. `saturation` is the difference between a pixel's greatest and least channel, and
    `grey` the mean of its channels; the value is smoothed, and Otsu's threshold of it found in `prepare`, once for the
    whole image. A segmenter that was not prepared takes it from the array that it is handed.

    >>> slide = np.full((3, 9, 9), 240, np.uint8)
    >>> slide[1, 2:7, 3:8] = 120
    >>> Tissue(sigma=0)(slide).max(axis=1)
    array([0, 0, 1, 1, 1, 1, 1, 0, 0], dtype=int32)
    """

    by: Literal["saturation", "grey"] = field(
        default="saturation",
        metadata={
            "help": "what differs between tissue and glass: how coloured a pixel is, or its mean over the channels"
        },
    )
    dark: bool = field(
        default=False, metadata={"help": "tissue has the lower values, as grey does where light goes through a slide"}
    )
    threshold: float | None = field(
        default=None, metadata={"help": "values above it are tissue; None: Otsu's, found once for the whole image"}
    )
    sigma: float = field(default=2.0, metadata={"help": "Gaussian smoothing before the threshold, in pixels"})
    fill_holes: int = field(
        default=32, metadata={"help": "holes at most this many pixels long along y and x are filled"}
    )
    min_size: int = field(
        default=64, metadata={"help": "pieces of fewer pixels are dropped, once the tiles are joined"}
    )

    axes = "cyx"
    merger = "touch"

    def __post_init__(self) -> None:
        if self.by not in ("saturation", "grey"):
            raise InvalidOption(f"by must be 'saturation' or 'grey', not {self.by!r}")
        for name in ("sigma", "fill_holes", "min_size"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise InvalidOption(f"{name} must be at least 0, not {getattr(self, name)}")

    @property
    def halo(self) -> int:
        """Pixels around a tile's core from which the core's foreground is what it is in the whole image."""
        return radius(self.sigma) + (self.fill_holes + 1 if self.fill_holes else 0)

    def prepare(self, image: Image) -> Tissue:
        """This segmenter with its threshold fixed. InvalidOption if it needs colours and the image has none."""
        if self.by == "saturation" and image.size("c") < 2:
            raise InvalidOption(
                f"tissue is found by its saturation, but the image has {image.size('c')} channel; give by='grey' "
                "(--set by=grey), with dark=True for a brightfield image"
            )
        if self.threshold is not None:
            return self
        coloured = "c" in image.axes
        values = image.map(
            self._values if coloured else lambda pixels: self._values(pixels[np.newaxis]),
            axes="cyx" if coloured else "yx",
            context=radius(self.sigma),
            channels=0 if coloured else None,
        )
        return dataclasses.replace(self, threshold=threshold_of(values, "otsu", dark=self.dark))

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.int32]:
        """The labels of an array c, y, x: 1..n by first pixel. Applies no `min_size`."""
        if self.threshold is None:
            return self.prepare(Image(pixels, axes="cyx"))(pixels)
        values = self._values(pixels)
        foreground = values <= self.threshold if self.dark else values > self.threshold
        labels = np.empty(values.shape, np.int32)
        ndimage.label(filled(foreground, self.fill_holes, 1), output=labels)
        return labels

    def _values(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """The smoothed values of an array c, y, x."""
        work = pixels.astype(np.float32)
        return smoothed(np.ptp(work, axis=0) if self.by == "saturation" else work.mean(axis=0), self.sigma)
