"""One plane of an image and of its labels, read no further than a picture needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Image

__all__ = ["Plane", "Window"]

Window = tuple[slice, slice]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plane:
    """The yx plane of an image at its first time point, its middle z and one channel.

    coarse: the image's resolution to look at it whole, itself if it has but one.
    labels: of the whole image, lazily readable, in the image's axes without c.
    """

    image: Image
    coarse: Image
    labels: Any
    channel: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.image.size("y"), self.image.size("x")

    def pixels(self, window: Window) -> NDArray[Any]:
        """The pixels of a window at full resolution."""
        return self._read(self.image, window)

    def overview(self, longest: int) -> NDArray[Any]:
        """The whole plane, with steps between the pixels that leave at most about `longest` along its longer side."""
        step = self.step(self.coarse, longest)
        return self._read(self.coarse, (slice(None, None, step), slice(None, None, step)))

    def label_overview(self, longest: int) -> NDArray[Any]:
        """The labels of the whole plane, likewise."""
        step = self.step(self.image, longest)
        return self.ids((slice(None, None, step), slice(None, None, step)))

    def ids(self, window: Window) -> NDArray[Any]:
        """The labels of a window."""
        axes = self.image.axes.replace("c", "")
        block = self.labels[self._region(self.image, axes, window)]
        return self._upright(np.asarray(block), axes)

    @staticmethod
    def step(image: Image, longest: int) -> int:
        return max(1, max(image.size("y"), image.size("x")) // longest)

    def _read(self, image: Image, window: Window) -> NDArray[Any]:
        return self._upright(image.read(self._region(image, image.axes, window)), image.axes)

    def _region(self, image: Image, axes: str, window: Window) -> tuple[slice, ...]:
        at = {"t": 0, "z": image.size("z") // 2, "c": self.channel}
        parts = {axis: slice(index, index + 1) for axis, index in at.items()} | dict(zip("yx", window, strict=True))
        return tuple(parts[axis] for axis in axes)

    @staticmethod
    def _upright(block: NDArray[Any], axes: str) -> NDArray[Any]:
        plane = block.reshape([n for n, axis in zip(block.shape, axes, strict=True) if axis in "yx"])
        return plane if axes.index("y") < axes.index("x") else plane.T
