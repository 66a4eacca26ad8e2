"""The segmenter: what is brighter than a threshold, parted by the watershed of the distance to the background."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

from tilewright import Image
from tilewright.errors import InvalidOption

__all__ = ["Watershed"]

TRUNCATE = 4.0  # deviations at which a Gaussian kernel ends
BYTES = 56  # for each pixel beside itself: 54 were measured in 3-D, 47 in 2-D


@dataclass(frozen=True, kw_only=True)
class Watershed:
    """Round objects above a threshold, parted where they touch.

    pixels: 1 to 3 spatial axes, z first if there is one, any real dtype. NaN is background, and so is what the
        smoothing reaches from it.

    Every pixel above the threshold belongs to an object. The seeds are the maxima of the distance to the background,
    smoothed with a deviation of a quarter of `min_distance`; a piece of foreground without one is an object.

    `prepare` makes `"otsu"` a number, once for the whole image, and takes `anisotropy` from the image's spacing. A
    segmenter that was not prepared finds the threshold in the array that it is given, and takes pixels for cubes.

    >>> pixels = np.zeros((9, 16))
    >>> pixels[1:8, 1:8] = pixels[1:8, 9:15] = pixels[4, 8] = 10
    >>> Watershed(threshold=5, sigma=0, diameter=7)(pixels)[4]
    array([0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0], dtype=int32)
    """

    threshold: float | Literal["otsu"] = field(
        default="otsu",
        metadata={"help": "smoothed pixels above it are foreground; otsu: found once for the whole image"},
    )
    sigma: float = field(
        default=1.0, metadata={"help": "Gaussian smoothing before the threshold, in pixels of y and x"}
    )
    diameter: float = field(
        default=30.0, metadata={"help": "length of a typical object, in pixels of y and x; decides the halo"}
    )
    min_distance: int | None = field(
        default=None,
        metadata={"help": "pixels of y and x between two seeds at least; a sixth of the diameter if not given"},
    )
    anisotropy: float | None = field(
        default=None, metadata={"help": "step along z over that along y and x; the image's own if not given"}
    )
    min_size: int = field(
        default=0,
        metadata={"help": "objects of fewer pixels are dropped; tilewright does it, once the tiles are joined"},
    )
    channel: int | str | None = field(
        default=None,
        metadata={"help": "index or name of the channel to segment, where the run names none"},
    )
    merger = "overlap"

    def __post_init__(self) -> None:
        if isinstance(self.threshold, str):
            if self.threshold != "otsu":
                raise InvalidOption(f"threshold must be a number or 'otsu', not {self.threshold!r}")
        elif not math.isfinite(self.threshold):
            raise InvalidOption(f"threshold must be a finite number or 'otsu', not {self.threshold}")
        if not (math.isfinite(self.sigma) and self.sigma >= 0):
            raise InvalidOption(f"sigma must be a finite number of at least 0 pixels, not {self.sigma}")
        if not (math.isfinite(self.diameter) and self.diameter >= 1):
            raise InvalidOption(f"diameter must be a finite number of at least 1 pixel, not {self.diameter}")
        if self.anisotropy is not None and not (math.isfinite(self.anisotropy) and self.anisotropy > 0):
            raise InvalidOption(f"anisotropy must be a finite number above 0, not {self.anisotropy}")
        for name, least in (("min_distance", 1), ("min_size", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InvalidOption(f"{name} must be at least {least}, not {value}")

    @property
    def halo(self) -> dict[str, int]:
        """Pixels around a tile's core that decide its labels, if no object is longer than the diameter.

        An object of the core ends within one diameter of it, and the neighbours that it is parted from within two.
        Beyond them reach the smoothing before the threshold, that of the distance, and the search for a maximum.
        """
        reach = 2 * self.diameter + TRUNCATE * self.sigma + 2 * self._spacing
        return {"z": math.ceil(reach / (self.anisotropy or 1)), "y": math.ceil(reach), "x": math.ceil(reach)}

    def memory(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
        """Bytes that a call takes for a tile of that shape at its peak, the tile itself included."""
        return (BYTES + dtype.itemsize) * math.prod(shape)

    def prepare(self, image: Image) -> Watershed:
        """This segmenter with its threshold and anisotropy fixed for the whole image (or the one channel of it)."""
        if self.channel is not None and "c" in image.axes:
            image = image.select(self.channel)
        prepared = dataclasses.replace(self, anisotropy=self.anisotropy or _anisotropy(image))
        if self.threshold != "otsu":
            return prepared
        blocks = (prepared._smoothed(block, image.axes) for block in image.sample())
        return dataclasses.replace(prepared, threshold=_otsu(blocks))

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.int32]:
        """The labels of an array. Applies no `min_size`: a tile may hold a part of an object."""
        axes = "zyx"[-pixels.ndim :]
        smoothed = self._smoothed(pixels, axes)
        threshold = _otsu([smoothed]) if isinstance(self.threshold, str) else self.threshold
        foreground = smoothed > np.float64(threshold)
        steps = [self.anisotropy or 1.0 if axis == "z" else 1.0 for axis in axes]
        distance = ndimage.distance_transform_edt(foreground, sampling=steps)
        depth = ndimage.gaussian_filter(distance, [self._spacing / 4 / step for step in steps], truncate=TRUNCATE)
        labels: NDArray[np.int32] = watershed(-depth, self._seeds(depth, foreground, steps), mask=foreground)
        return labels

    def _seeds(self, depth: NDArray[Any], foreground: NDArray[np.bool_], steps: list[float]) -> NDArray[np.int32]:
        """A number for each maximum of the depth, a plateau being one, and for each piece of foreground without any.

        `skimage.feature.peak_local_max` knows no anisotropy, and sets several seeds on the ridge of a long object.
        """
        window = [2 * round(self._spacing / step) + 1 for step in steps]
        highest = foreground & (depth == ndimage.maximum_filter(depth, window))
        seeds, count = ndimage.label(highest, np.ones([3] * depth.ndim))
        pieces, parts = ndimage.label(foreground)
        seedless = np.ones(parts + 1, bool)
        seedless[pieces[highest]] = False
        filled: NDArray[np.int32] = np.where(foreground & seedless[pieces], count + pieces, seeds)
        return filled

    def _smoothed(self, pixels: NDArray[Any], axes: str) -> NDArray[Any]:
        """The pixels smoothed along the spatial axes, as float32 where that holds them exactly, else as float64."""
        sigma = {"z": self.sigma / (self.anisotropy or 1), "y": self.sigma, "x": self.sigma}
        work = np.float32 if np.can_cast(pixels.dtype, np.float32) else np.float64
        smoothed: NDArray[Any] = ndimage.gaussian_filter(
            pixels, [sigma.get(axis, 0) for axis in axes], output=work, truncate=TRUNCATE
        )
        return smoothed

    @property
    def _spacing(self) -> int:
        return self.min_distance or max(1, round(self.diameter / 6))


def _otsu(blocks: Iterable[NDArray[Any]]) -> float:
    """Otsu's threshold of the finite values, by scikit-image; nothing is above that of a constant image."""
    finite = np.concatenate([block[np.isfinite(block)] for block in blocks] or [np.empty(0)])
    return float(threshold_otsu(finite)) if finite.size else 0.0


def _anisotropy(image: Image) -> float | None:
    """The step along z over that along y, if the image knows both in one unit."""
    units = image.units
    if not {"z", "y"} <= set(image.spacing) or units.get("z") != units.get("y"):
        return None
    return image.spacing["z"] / image.spacing["y"]
