"""Brightness brought to the range from 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, InvalidOption

from .numbers import floating

__all__ = ["Rescale"]


@dataclass(frozen=True, kw_only=True)
class Rescale:
    """Pixels divided so that two percentiles of the whole image become 0 and 1, for each channel by itself.

    The percentiles are those of `Image.percentiles`: of all pixels of an image of up to 2²² pixels, else of a sample of
    so many that is spread over it. Several time points have the same ones. The result is float32, or float64 for pixels
    that float32 does not hold exactly.

    >>> Rescale(limits=((10, 20),))(np.array([[[0, 10, 15, 20, 30]]])).tolist()
    [[[0.0, 0.0, 0.5, 1.0, 1.0]]]
    """

    low: float = field(default=1.0, metadata={"help": "the percentile that becomes 0"})
    high: float = field(default=99.0, metadata={"help": "the percentile that becomes 1"})
    clip: bool = field(default=True, metadata={"help": "what lies beyond becomes 0 or 1"})
    limits: tuple[tuple[float, float], ...] | None = field(
        default=None,
        metadata={"help": "the values that become 0 and 1, a pair for each channel; none: the two percentiles"},
    )

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 100:
            raise InvalidOption(f"low and high must be percentiles from 0 to 100 and rise, not {self.low}, {self.high}")
        for pair in self.limits or ():
            if not pair[0] < pair[1]:
                raise InvalidOption(f"limits must be pairs that rise, not {pair}")

    @property
    def axes(self) -> str:
        """Channels too, because each has limits of its own."""
        return "czyx"

    def prepare(self, image: Image) -> Rescale:
        """With the limits of the whole image. InvalidOption if there are limits, but not for each channel."""
        count = image.size("c")
        if self.limits is None:
            channels = [image.select(i) for i in range(count)] if "c" in image.axes else [image]
            found = [each.percentiles(self.low, self.high) for each in channels]
            return replace(self, limits=tuple((low, high if low < high else low + 1) for low, high in found))
        if len(self.limits) != count:
            raise InvalidOption(
                f"limits has {len(self.limits)} pairs, but the image has {count} channels; give one each"
            )
        return self

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """The pixels, with channels along the first axis."""
        limits = np.array(self.limits or [np.percentile(each, (self.low, self.high)) for each in pixels])
        low, high = (each.reshape(-1, *[1] * (pixels.ndim - 1)) for each in limits.T)
        scaled = (pixels - low) / (high - low)
        return np.asarray(scaled.clip(0, 1) if self.clip else scaled, floating(pixels.dtype))
