"""One channel of several."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, InvalidOption

from .numbers import floating

__all__ = ["Combine"]


@dataclass(frozen=True, kw_only=True)
class Combine:
    """The maximum or the sum of all channels, each times its weight.

    The maximum without weights keeps the dtype. Any other result is float32, or float64 for pixels that float32 does
    not hold exactly.

    >>> pixels = np.array([[[1, 5]], [[3, 4]]])
    >>> Combine()(pixels).tolist(), Combine(method="sum", weights=(1, 0.5))(pixels).tolist()
    ([[3, 5]], [[2.5, 7.0]])
    """

    method: Literal["maximum", "sum"] = field(default="maximum", metadata={"help": "what is made of the channels"})
    weights: tuple[float, ...] | None = field(
        default=None, metadata={"help": "what each channel is multiplied with; none: nothing"}
    )

    axes: ClassVar[str] = "czyx"
    channels: ClassVar[int] = 0

    def prepare(self, image: Image) -> Combine:
        """InvalidOption if there are weights, but not for each channel."""
        if self.weights is not None and len(self.weights) != image.size("c"):
            raise InvalidOption(
                f"weights {list(self.weights)} has {len(self.weights)} numbers, but the image has {image.size('c')} "
                "channels; give one each"
            )
        return self

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """The pixels without their first axis, that of channels."""
        if self.method == "maximum" and self.weights is None:
            brightest: NDArray[Any] = pixels.max(0)
            return brightest
        weighted = [weight * each for weight, each in zip(self.weights or (1.0,) * len(pixels), pixels, strict=True)]
        result = weighted[0]
        for each in weighted[1:]:  # one after the other, because numpy adds in an order that goes by the shape
            result = np.maximum(result, each) if self.method == "maximum" else result + each
        return np.asarray(result, floating(pixels.dtype))
