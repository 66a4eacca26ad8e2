"""Networks without weights: filters of whole numbers, which are exact, so that whatever a run does wrong shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Image, Placement
from tilewright.abc import Maps, Prediction, Window, Windows, untiled


def starts(length: int, size: int, step: int) -> tuple[int, ...]:
    """Windows of a size, at most `step` apart, from before the image to its end."""
    return tuple(range(0, max(1, length - size + step), step))


@dataclass(frozen=True, kw_only=True)
class Local:
    """Components of a local maximum and minimum above a level, seen in windows of which a margin is not kept."""

    level: float = 0.0
    size: int = 16
    batch: int = 3
    axes: str = "yx"
    halo: int = 2
    log: Path | None = None
    decode_options: tuple[str, ...] = field(default=("level",), init=False)

    @property
    def predictions(self) -> Mapping[str, Prediction]:
        return {"closed": Prediction(dtype="int64"), "sign": Prediction(dtype="int8", background=-1)}

    def windows(self, image: Image, budget: int) -> list[Windows]:
        shape = tuple(image.size(axis) for axis in self.axes)
        along = tuple(starts(length, self.size, self.size - 4) for length in shape)
        return [
            Windows(axes=self.axes, shape=shape, starts=along, size=(self.size,) * len(shape), margin=(2,) * len(shape))
        ]

    def predict(self, windows: Sequence[Window], which: int) -> list[dict[str, NDArray[Any]]]:
        if self.log:
            with self.log.open("a") as file:
                file.write("w" * len(windows))
        closed = [ndimage.minimum_filter(ndimage.maximum_filter(each.pixels, 3), 3) for each in windows]
        return [
            {"closed": each.padded(found)[np.newaxis], "sign": np.sign(each.padded(found))[np.newaxis]}
            for each, found in zip(windows, closed, strict=True)
        ]

    def decode(self, maps: Sequence[Maps], place: Placement) -> NDArray[Any]:
        (said,) = maps
        assert said.region == place.region
        labels: NDArray[Any] = ndimage.label((said["closed"][0] > self.level) & (said["sign"][0] >= 0))[0]
        return labels

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None) -> NDArray[Any]:
        return untiled(self, pixels, self.axes)
