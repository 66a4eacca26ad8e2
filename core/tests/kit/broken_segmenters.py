"""A segmenter that keeps the contract, and one for each way of breaking it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Image, Placement

FOUR = threading.Barrier(4)  # the kit's threads, each of which calls once


@dataclass(frozen=True, kw_only=True)
class Good:
    level: float | None = None
    merger: ClassVar[str] = "touch"

    def prepare(self, image: Image) -> Good:
        return replace(self, level=np.mean([block.mean() for block in image.sample()]))

    def __call__(self, pixels: NDArray[Any]) -> Any:
        assert self.level is not None
        return ndimage.label(pixels > self.level)[0]


class Transposed(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        return super().__call__(pixels).T


class Halved(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        return super().__call__(pixels) / 2


class InPlace(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        if pixels.flags.writeable:
            pixels[...] = 0
        return super().__call__(pixels)


class WantsToWrite(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        pixels += np.zeros_like(pixels)
        return super().__call__(pixels)


class NeverEmpty(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        labels = super().__call__(pixels)
        return labels if labels.any() else labels + 1


class Random(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        return super().__call__(pixels) * (np.random.default_rng().random(pixels.shape) < 0.5)


@dataclass(frozen=True, kw_only=True)
class Locked(Good):
    lock: Any = field(default_factory=threading.Lock)


@dataclass(frozen=True, kw_only=True)
class Heavy(Good):
    weights: dict[str, Any] = field(default_factory=dict)

    def __call__(self, pixels: NDArray[Any]) -> Any:
        self.weights["first"] = np.ones(2**20)
        return super().__call__(pixels)


@dataclass(frozen=True, kw_only=True)
class Remembering(Good):
    seen: dict[str, Any] = field(default_factory=dict)

    def __call__(self, pixels: NDArray[Any]) -> Any:
        self.seen["pixels"] = pixels
        if threading.current_thread() is not threading.main_thread():
            FOUR.wait()
        return super().__call__(self.seen["pixels"])


class Even(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        if any(length % 2 and length > 1 for length in pixels.shape):
            raise ValueError("odd")
        return super().__call__(pixels)


class Thick(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        np.gradient(pixels)
        return super().__call__(pixels)


class Unprepared(Good):
    def prepare(self, image: Image) -> Good:
        return self

    def __call__(self, pixels: NDArray[Any]) -> Any:
        return ndimage.label(pixels > max(1, pixels.mean()))[0]


class Bare(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        return ndimage.label(ndimage.gaussian_filter(pixels.astype(float), 3) > self.level)[0]


class Blind(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        return np.zeros(pixels.shape, int)


class Backward(Good):
    halo = -1


class Forgetful(Good):
    def prepare(self, image: Image) -> Any:
        return None


class Scaled(Good):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        return super().__call__(pixels / (1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max / 65535))


class Beyond(Good):
    context: ClassVar[dict[str, float]] = {"y": 2.5}


class Homeless(Good):
    located: ClassVar[bool] = True

    def __call__(self, pixels: NDArray[Any], place: Placement) -> Any:  # type: ignore[override]
        return super().__call__(pixels)


class Lost(Good):
    located: ClassVar[bool] = True

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None) -> Any:
        return super().__call__(pixels) if place else super().__call__(pixels) % 2


class _Two(Good):
    outputs: ClassVar[tuple[str, ...]] = ("nuclei", "cells")

    def __call__(self, pixels: NDArray[Any]) -> Any:
        return {"nuclei": super().__call__(pixels), "cells": ndimage.label(pixels > pixels.max(initial=1) / 2)[0]}


class Incomplete(_Two):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        return {"nuclei": super().__call__(pixels)["nuclei"]}


class Undeclared(_Two):
    outputs: ClassVar[tuple[str, ...]] = ()


class Vain(_Two):
    def __call__(self, pixels: NDArray[Any]) -> Any:
        return {name: labels * (name == "nuclei") for name, labels in super().__call__(pixels).items()}


class Divided(_Two):
    """Whose second output depends on the tile."""
