"""A transform that keeps the contract, and one for each way of breaking it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Placement

EIGHT = threading.Barrier(8)

random = np.random.default_rng()


@dataclass(frozen=True, kw_only=True)
class Good:
    size: int = 5

    @property
    def context(self) -> Any:
        return self.size - 1

    def __call__(self, pixels: NDArray[Any]) -> Any:
        return ndimage.grey_opening(pixels, self.size)


class Beyond(Good):
    context = -1


class Shrinking(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        return pixels[1:]


class Symbolic(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        return pixels.astype(object) if pixels.any() else pixels


class Fickle(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        return pixels / 2 if pixels.any() else pixels


class Bare(Good):
    context = 0


class Short(Good):
    context = 3


class Unprepared(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        return pixels / max(1, pixels.max())


class Placeless(Good):
    located = True

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None) -> Any:
        return pixels + np.uint16(0 if place is None else place.region[0].stop)


class Random(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        return pixels + random.integers(0, 2, pixels.shape, pixels.dtype)


@dataclass(frozen=True, kw_only=True)
class Locked(Good):
    lock: Any = field(default_factory=threading.Lock)


@dataclass(frozen=True, kw_only=True)
class Remembering(Good):
    seen: dict[str, Any] = field(default_factory=dict)

    def __call__(self, pixels: NDArray[Any]) -> Any:
        self.seen["pixels"] = pixels
        if threading.current_thread() is not threading.main_thread():
            EIGHT.wait()
        return super().__call__(self.seen["pixels"].copy())


class Thick(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        if min(pixels.shape) < 2:
            raise ValueError("too thin")
        return super().__call__(pixels)
