"""A network that keeps the contract, and one for each way of breaking it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Image, Placement
from tilewright.abc import Maps, Prediction, Window, Windows, untiled

SIZE, MARGIN = 48, 4
_calls: list[float] = []  # of networks that keep something between calls


@dataclass(frozen=True, kw_only=True)
class Good:
    level: float = 60.0
    batch: int = 3
    axes: ClassVar[str] = "yx"
    decode_options: ClassVar[tuple[str, ...]] = ("level",)
    first: ClassVar[int] = 0
    step: ClassVar[int] = SIZE - 2 * MARGIN

    @property
    def predictions(self) -> Mapping[str, Prediction]:
        return {"mean": Prediction()}

    def windows(self, image: Image, budget: int) -> Sequence[Windows]:
        return [self.laid(image, self.first, self.step)]

    def laid(self, image: Image, first: int, step: int, least: int = 1) -> Windows:
        shape = tuple(image.size(axis) for axis in self.axes)
        starts = tuple(tuple(range(first, max(first + least, n - MARGIN), step)) for n in shape)
        return Windows(axes=self.axes, shape=shape, starts=starts, size=(SIZE, SIZE), margin=(MARGIN, MARGIN))

    def predict(self, windows: Sequence[Window], which: int) -> Any:
        return [{"mean": self.mean(each)} for each in windows]

    def mean(self, window: Window) -> NDArray[Any]:
        pixels = window.padded(window.pixels).astype(np.float32)
        mean: NDArray[Any] = ndimage.uniform_filter(pixels, 3)[np.newaxis]
        return mean

    def decode(self, maps: Sequence[Maps], place: Placement) -> Any:
        return ndimage.label(maps[0]["mean"][0] > self.level)[0]

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None) -> NDArray[Any]:
        return untiled(self, pixels, self.axes)


class Peeking(Good):
    def windows(self, image: Image, budget: int) -> Sequence[Windows]:
        return [self.laid(image, -int(image.percentiles(0, 50)[1]) % MARGIN - MARGIN, self.step)]


class Fickle(Good):
    def windows(self, image: Image, budget: int) -> Sequence[Windows]:
        _calls.append(0)
        return [self.laid(image, -(len(_calls) % 2), self.step)]


class Sparse(Good):
    step = SIZE


class Thick(Good):
    def windows(self, image: Image, budget: int) -> Sequence[Windows]:
        return [self.laid(image, 0, self.step, least=0)]


class Growing(Good):
    def windows(self, image: Image, budget: int) -> Sequence[Windows]:
        _calls.append(0)
        return [self.laid(image, 0, max(1, self.step - len(_calls)))]


class Flat(Good):
    def mean(self, window: Window) -> NDArray[Any]:
        return super().mean(window)[0]


class Misnamed(Good):
    def predict(self, windows: Sequence[Window], which: int) -> Any:
        return [{"means": self.mean(each)} for each in windows]


class Nameless(Good):
    def predict(self, windows: Sequence[Window], which: int) -> Any:
        return [self.mean(each) for each in windows]


class Short(Good):
    def predict(self, windows: Sequence[Window], which: int) -> Any:
        return super().predict(windows[:2], which)


class Overflowing(Good):
    @property
    def predictions(self) -> Mapping[str, Prediction]:
        return {"mean": Prediction(dtype="float16")}

    def mean(self, window: Window) -> NDArray[Any]:
        return super().mean(window) * 1e3


class Fractional(Good):
    @property
    def predictions(self) -> Mapping[str, Prediction]:
        return {"mean": Prediction(dtype="int32")}


class Unpadded(Good):
    def mean(self, window: Window) -> NDArray[Any]:
        return window.pixels[np.newaxis].astype(np.float32)


class Normalising(Good):
    def predict(self, windows: Sequence[Window], which: int) -> Any:
        mean = np.mean([each.pixels.mean() for each in windows])
        return [{"mean": self.mean(each) + 1e-3 * mean} for each in windows]


class Counting(Good):
    def predict(self, windows: Sequence[Window], which: int) -> Any:
        return [{"mean": self.mean(each) + number} for number, each in enumerate(windows)]


class Training(Good):
    def predict(self, windows: Sequence[Window], which: int) -> Any:
        _calls.extend(float(each.pixels.mean()) for each in windows)
        return [{"mean": self.mean(each) + np.mean(_calls)} for each in windows]


class Deciding(Good):
    def mean(self, window: Window) -> NDArray[Any]:
        return np.where(super().mean(window) > self.level, 1e3, 0)


class Declaring(Good):
    @property
    def predictions(self) -> Mapping[str, Prediction]:
        return {"mean": Prediction(background=self.level)}


class Misspelt(Good):
    decode_options = ("levle",)


class Relative(Good):
    def decode(self, maps: Sequence[Maps], place: Placement) -> Any:
        mean = maps[0]["mean"][0]
        return ndimage.label(mean > max(self.level, mean.max() / 2))[0]


class Smoothing(Good):
    def decode(self, maps: Sequence[Maps], place: Placement) -> Any:
        return ndimage.label(ndimage.gaussian_filter(maps[0]["mean"][0], 2) > self.level)[0]


class Twofold(Good):
    def __call__(self, pixels: NDArray[Any], place: Placement | None = None) -> NDArray[Any]:
        labels: NDArray[Any] = ndimage.label(pixels > self.level)[0]
        return labels


class Half(Good):
    predict = None  # type: ignore[assignment]  # on purpose


class Plain:
    def __call__(self, pixels: NDArray[Any]) -> Any:
        return ndimage.label(pixels > 60)[0]
