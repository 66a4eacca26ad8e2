"""The segmenter: what is brighter or darker than a threshold, each connected piece an object of its own."""

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
from .methods import METHODS, threshold_of

__all__ = ["Threshold"]

_NAMES = f"{', '.join(map(repr, METHODS[:-1]))} or {METHODS[-1]!r}"


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Connected components of the pixels above a threshold, or of the others if `dark`.

    pixels: 1 to 3 spatial axes, any real dtype. NaN is background; +inf is above any threshold and -inf below.

    The name of a method becomes a number in `prepare`, once for the whole image. A segmenter that was not prepared
    takes it from the array that it is handed, in the same way: right for an image in one piece, wrong for its tiles.
    InvalidOption for a value that cannot be used, and for a connectivity of more dimensions than the pixels have.

    >>> pixels = np.array([[0, 9, 0, 0], [0, 9, 0, 9]])
    >>> Threshold(threshold=5)(pixels)
    array([[0, 1, 0, 0],
           [0, 1, 0, 2]], dtype=int32)
    """

    # Spelled out, since the text of an annotation is what a list of options shows.
    threshold: float | Literal["background", "otsu", "li", "triangle", "yen", "isodata", "mean"] = field(
        default="background",
        metadata={"help": "pixels above it are foreground; a method finds it once, for the whole image"},
    )
    dark: bool = field(
        default=False,
        metadata={"help": "objects are darker than the background: pixels up to the threshold are foreground"},
    )
    sigma: float = field(default=0.0, metadata={"help": "Gaussian smoothing before the threshold, in pixels"})
    min_size: int = field(
        default=0,
        metadata={"help": "objects of fewer pixels are dropped; tilewright does it, once the tiles are joined"},
    )
    fill_holes: int = field(
        default=0,
        metadata={"help": "holes at most this many pixels long along every axis are filled"},
    )
    connectivity: int = field(
        default=1,
        metadata={"help": "1: pixels that share a face are connected; 2: an edge; 3: a corner"},
    )
    channel: int | str | None = field(
        default=None,
        metadata={"help": "index or name of the channel to segment, where the run names none"},
    )

    def __post_init__(self) -> None:
        if isinstance(self.threshold, str):
            if self.threshold not in METHODS:
                raise InvalidOption(f"threshold must be a number or {_NAMES}, not {self.threshold!r}")
        elif not math.isfinite(self.threshold):
            raise InvalidOption(f"threshold must be a finite number or {_NAMES}, not {self.threshold}")
        if not (math.isfinite(self.sigma) and self.sigma >= 0):
            raise InvalidOption(f"sigma must be a finite number of at least 0 pixels, not {self.sigma}")
        for name, least in (("min_size", 0), ("fill_holes", 0), ("connectivity", 1)):
            if getattr(self, name) < least:
                raise InvalidOption(f"{name} must be at least {least}, not {getattr(self, name)}")

    @property
    def halo(self) -> int:
        """Pixels around a tile's core from which the core's foreground is what it is in the whole image."""
        return radius(self.sigma) + (self.fill_holes + 1 if self.fill_holes else 0)

    @property
    def merger(self) -> dict[str, Any]:
        """How tiles are to be joined: what touches is one object, by the connectivity used within them."""
        return {"name": "touch", "configuration": {"connectivity": self.connectivity}}

    def prepare(self, image: Image) -> Threshold:
        """This segmenter with its threshold fixed, from the whole image or pixels sampled all over it (of its channel).

        It is that of the pixels as they are, before `sigma` smooths them.
        """
        self._check_dimensions(len(image.spatial_axes))
        if not isinstance(self.threshold, str):
            return self
        if self.channel is not None and "c" in image.axes:
            image = image.select(self.channel)
        return dataclasses.replace(self, threshold=threshold_of(image, self.threshold, dark=self.dark))

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.int32]:
        """The labels of an array, 1..n by first pixel. Applies no `min_size`: a tile may hold a part of an object."""
        pixels = np.asarray(pixels)
        self._check_dimensions(pixels.ndim)
        if isinstance(self.threshold, str):
            return self.prepare(Image(pixels, axes="zyx"[-pixels.ndim :]))(pixels)
        threshold, smooth = np.float64(self.threshold), smoothed(pixels, self.sigma)
        foreground = filled(
            smooth <= threshold if self.dark else smooth > threshold, self.fill_holes, self.connectivity
        )
        structure = ndimage.generate_binary_structure(pixels.ndim, self.connectivity)
        labels = np.empty(pixels.shape, np.int32)
        ndimage.label(foreground, structure, output=labels)
        return labels

    def _check_dimensions(self, ndim: int) -> None:
        if self.connectivity > ndim:
            raise InvalidOption(
                f"connectivity {self.connectivity} is more than the {ndim} dimensions of the pixels; give at most that"
            )
