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


@dataclass(frozen=True, kw_only=True)
class Planes:
    """The mean of what three sets of planes say, each of windows that overlap and are averaged by a taper."""

    level: float = 0.0
    batch: int = 4
    axes: str = "zyx"
    halo: int = 3

    @property
    def predictions(self) -> Mapping[str, Prediction]:
        return {"sums": Prediction(channels=2)}

    def windows(self, image: Image, budget: int) -> list[Windows]:
        return [self._set(image, axes) for axes in ("yx", "xz", "zy")]

    def _set(self, image: Image, axes: str) -> Windows:
        shape = tuple(image.size(axis) for axis in axes)
        along = tuple(tuple(range(-2, max(-2, length - 9) + 5, 5)) for length in shape)
        taper = tuple(float(1 + min(i, 8 - i)) for i in range(9))
        return Windows(axes=axes, shape=shape, starts=along, size=(9, 9), taper=(taper, taper))

    def predict(self, windows: Sequence[Window], which: int) -> list[dict[str, NDArray[Any]]]:
        planes = [each.padded(each.pixels) for each in windows]
        return [{"sums": np.stack([ndimage.uniform_filter(p.astype(float), 3), p * (which + 1.0)])} for p in planes]

    def decode(self, maps: Sequence[Maps], place: Placement) -> NDArray[Any]:
        means = sum(each["sums"].sum(axis=0, dtype=np.float64) for each in maps)
        assert means.shape == tuple(part.stop - part.start for part in place.region)
        labels: NDArray[Any] = ndimage.label(means > self.level)[0]
        return labels

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None) -> NDArray[Any]:
        return untiled(self, pixels, self.axes)


@dataclass(frozen=True, kw_only=True)
class Points:
    """A square around every bright pixel: a table of candidates instead of maps."""

    level: float = 990.0
    batch: int = 2
    axes: str = "yx"
    halo: int = 4
    context: int = 2
    merger: str = "overlap"

    @property
    def predictions(self) -> Mapping[str, Prediction]:
        return {"place": Prediction(dtype="int32", channels=2, rows=True), "value": Prediction(rows=True)}

    def windows(self, image: Image, budget: int) -> list[Windows]:
        shape = tuple(image.size(axis) for axis in self.axes)
        return [
            Windows(
                axes="yx", shape=shape, starts=tuple(starts(n, 20, 14) for n in shape), size=(20, 20), margin=(3, 3)
            )
        ]

    def predict(self, windows: Sequence[Window], which: int) -> list[dict[str, NDArray[Any]]]:
        found = []
        for each in windows:
            at = np.argwhere(each.pixels > self.level)
            first = [part.start for part in each.region]
            found.append({"place": at + first, "value": each.pixels[tuple(at.T)][:, np.newaxis].astype(np.float32)})
        return found

    def decode(self, maps: Sequence[Maps], place: Placement) -> NDArray[Any]:
        (said,) = maps
        labels = np.zeros([part.stop - part.start for part in place.region], int)
        order = np.lexsort((*said["place"].T[::-1], said["value"][:, 0]))  # the brightest is drawn last
        for number, (y, x) in enumerate(said["place"][order], 1):
            labels[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = number
        return labels

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None) -> NDArray[Any]:
        return untiled(self, pixels, self.axes)
