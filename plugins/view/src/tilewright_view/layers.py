"""What is shown on top of each other: a channel of an image, labels, or the seams between tiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, Region
from tilewright.errors import InvalidImage

__all__ = ["Layer", "seams"]

Kind = Literal["image", "labels", "seams"]
LOW, HIGH = 0.5, 99.8  # percentiles between which an image's contrast lies
FEWEST, MOST = 2**16, 2**20  # pixels of the pieces in which a layer is sent


@dataclass(frozen=True, kw_only=True)
class Layer:
    """An image without `c` and its coarser levels, the finest first, as the browser shows it.

    Labels are shown by the colours of their ids. dtypes that the browser does not have are converted: `float16`,
    `float64` and 64-bit pixels to `float32`, truth values to `uint8`, signed labels to unsigned ones. InvalidImage for
    axes with `c`, for no level at all, and for labels that are not integers.
    """

    name: str
    kind: Kind
    levels: tuple[Image, ...]
    color: str = "#ffffff"
    contrast: tuple[float, float] = field(default=(0.0, 0.0))

    def __post_init__(self) -> None:
        if not self.levels or any("c" in each.axes or each.axes != self.levels[0].axes for each in self.levels):
            raise InvalidImage(
                f"the layer {self.name!r} must have levels of the same axes, without c; choose a channel"
            )
        if self.kind == "labels" and self.levels[0].dtype.kind not in "bui":
            raise InvalidImage(
                f"the labels {self.name!r} have dtype {self.levels[0].dtype}, but labels are integers; name "
                "them first, as the image, to look at their pixels"
            )

    @classmethod
    def of_image(cls, name: str, levels: Sequence[Image], color: str = "#ffffff") -> Layer:
        """A channel of an image, from the 0.5th to the 99.8th percentile of a sample of its pixels."""
        low, high = levels[0].percentiles(LOW, HIGH)
        ends = (float(low), float(high if high > low else low + 1))
        return cls(name=name, kind="image", levels=tuple(levels), color=color, contrast=ends)

    @property
    def axes(self) -> str:
        return self.levels[0].axes

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The dtype in which pixels are sent."""
        stored = self.levels[0].dtype
        if self.kind == "labels":
            return np.dtype(np.uint8) if stored.kind == "b" else np.dtype(f"<u{stored.itemsize}")
        if stored.kind == "b":
            return np.dtype(np.uint8)
        if stored.kind in "ui" and stored.itemsize < 8:
            return stored.newbyteorder("<")
        return np.dtype("<f4")

    @cached_property
    def pieces(self) -> tuple[tuple[int, ...], ...]:
        """For each level the shape of the pieces in which it is sent: its chunks, unless they are small or large."""
        return tuple(_piece(level) for level in self.levels)

    def piece(self, level: int, place: Sequence[int]) -> NDArray[Any]:
        """A piece of a level, filled up with zeros beyond the border. IndexError if there is none."""
        image, shape = self.levels[level], self.pieces[level]
        starts = [i * step for i, step in zip(place, shape, strict=False)]
        if len(place) != len(shape) or any(at >= n for at, n in zip(starts, image.shape, strict=True)):
            raise IndexError(f"{self.name} has no piece {tuple(place)} at level {level}")
        stops = [min(at + step, n) for at, step, n in zip(starts, shape, image.shape, strict=True)]
        pixels = image.read(tuple(map(slice, starts, stops))).astype(self.dtype, copy=False)
        if pixels.shape == shape:
            return np.ascontiguousarray(pixels)
        whole = np.zeros(shape, self.dtype)
        whole[tuple(map(slice, pixels.shape))] = pixels
        return whole


def _piece(image: Image) -> tuple[int, ...]:
    spatial = image.spatial_axes
    shape = [step if axis in spatial else 1 for axis, step in zip(image.axes, image.chunks, strict=True)]
    grows = [i for i, axis in enumerate(image.axes) if axis in spatial[-2:]]
    while math.prod(shape) < FEWEST and any(shape[i] < image.shape[i] for i in grows):
        shape[min((i for i in grows if shape[i] < image.shape[i]), key=lambda i: shape[i])] *= 2
    while math.prod(shape) > MOST:
        largest = max(range(len(shape)), key=lambda i: shape[i])
        shape[largest] = -(-shape[largest] // 2)
    return tuple(shape)


def seams(levels: Sequence[Image], tile: Sequence[int], color: str = "#ffe119") -> Layer:
    """A layer of the seams between tiles of a shape along the axes of labels, a pixel wide at each level."""
    finest = levels[0]
    drawn = tuple(
        Image(_Seams(level.shape, finest.shape, tile), level.axes, spacing=level.spacing, units=level.units)
        for level in levels
    )
    return Layer(name="tiles", kind="seams", levels=drawn, color=color)


class _Seams:
    """An array that is 1 where a tile begins, at a level of an image, and 0 elsewhere."""

    dtype = np.dtype(np.uint8)

    def __init__(self, shape: Sequence[int], finest: Sequence[int], tile: Sequence[int]) -> None:
        self.shape = tuple(shape)
        # a tile that is one pixel long, of a plane or a time point, has seams everywhere
        self._marks = [self._along(*each) for each in zip(self.shape, finest, tile, strict=True)]

    @staticmethod
    def _along(length: int, finest: int, tile: int) -> NDArray[np.uint8]:
        marks = np.zeros(length, np.uint8)
        if tile > 1:
            marks[np.arange(tile, finest, tile) * length // finest] = 1
        return marks

    def __getitem__(self, region: Region) -> NDArray[np.uint8]:
        block = np.zeros([part.stop - part.start for part in region], np.uint8)
        for axis, (part, marks) in enumerate(zip(region, self._marks, strict=True)):
            along = [1] * len(self.shape)
            along[axis] = -1
            block |= marks[part].reshape(along)
        return block
