"""Subtraction of the background."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Image, InvalidOption, Placement, Region

from .numbers import check_least, floating, numbers_for, supported

__all__ = ["Background"]


@dataclass(frozen=True, kw_only=True)
class Background:
    """Pixels less their background, along the image's spatial axes.

    - `top-hat`: what is smaller than a box of `size` pixels, as `scipy.ndimage.white_tophat` finds it; the dtype stays.
    - `estimate`: the image is cut into cells of `size` pixels. A percentile of each cell is its background, and between
      the cells' centres it is interpolated linearly. This is found once for the whole image, for each channel, and over
      all time points. The result is float32 (float64 for pixels that float32 does not hold exactly), and may be
      negative.

    >>> Background(size=3)(np.array([[5, 5, 9, 5, 6, 6, 6]])).tolist()
    [[0, 0, 4, 0, 0, 0, 0]]
    >>> Background(size=2, method="estimate", percentile=0)(np.array([[1, 9, 3, 9]])).tolist()
    [[0.0, 7.5, 0.5, 6.0]]
    """

    size: int | tuple[int, ...] = field(
        default=51,
        metadata={
            "help": "pixels, larger than an object; one for all spatial axes or one for each, 1 leaves an axis out"
        },
    )
    method: Literal["top-hat", "estimate"] = field(
        default="top-hat", metadata={"help": "how the background is found: in a box around each pixel, or in cells"}
    )
    percentile: float = field(default=25.0, metadata={"help": "of a cell's pixels, for the estimate"})
    estimate: Estimate | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_least("size", self.size, 1)
        if not 0 <= self.percentile <= 100:
            raise InvalidOption(f"percentile must be from 0 to 100, not {self.percentile}")

    @property
    def axes(self) -> str | None:
        """The spatial axes, and for the estimate channels too, because each has a background of its own."""
        return None if self.estimate is None else self.estimate.axes

    @property
    def located(self) -> bool:
        """Whether the background depends on where a pixel lies."""
        return self.method == "estimate"

    @property
    def context(self) -> int | tuple[int, ...]:
        """How far an erosion and a dilation by the box look, in pixels; the estimate looks at nothing else."""
        if self.method == "estimate":
            return 0
        return tuple(2 * (size // 2) for size in self.size) if isinstance(self.size, tuple) else 2 * (self.size // 2)

    def prepare(self, image: Image) -> Background:
        """With a size for each axis, and with the estimate of the image's background."""
        made = replace(self, size=numbers_for("size", self.size, image.spatial_axes))
        if self.method == "estimate":
            object.__setattr__(made, "estimate", Estimate.of(image, made.size, self.percentile))
        return made

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None) -> NDArray[Any]:
        if self.method == "top-hat":
            small: NDArray[Any] = ndimage.white_tophat(supported(pixels), size=self.size, mode="reflect")
            return small
        if self.estimate is None:
            return self.prepare(Image(pixels, "zyx"[-pixels.ndim :]))(pixels)
        place = place or Placement.whole(
            self.estimate.axes.replace("c", ""), pixels.shape[-len(self.estimate.centres) :]
        )
        flat: NDArray[Any] = pixels.astype(floating(pixels.dtype)) - self.estimate.at(place.region)
        return np.asarray(flat, floating(pixels.dtype))


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """The background of an image: a value for each of its cells.

    axes: of the values. values: float32. centres: of the cells, along each spatial axis, in pixels.
    """

    axes: str
    values: NDArray[np.float32]
    centres: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, image: Image, size: Any, percentile: float) -> Estimate:
        """The percentile of each cell, of all its finite pixels; the mean over time points; 0 where there are none."""
        channels = [image.select(i) for i in range(image.size("c"))] if "c" in image.axes else [image]
        values = np.stack([_percentiles(each, size, percentile) for each in channels]).astype(np.float32)
        edges = [_edges(image.size(axis), step) for axis, step in zip(image.spatial_axes, size, strict=True)]
        return cls(
            axes=("c" if "c" in image.axes else "") + image.spatial_axes,
            values=values if "c" in image.axes else values[0],
            centres=tuple((along[:-1] + along[1:] - 1) / 2 for along in edges),
        )

    def at(self, region: Region) -> NDArray[np.float64]:
        """The background of a region, interpolated along one axis after the other: the same in any region."""
        values: NDArray[Any] = self.values
        for axis, (part, centres) in enumerate(zip(region, self.centres, strict=True), values.ndim - len(self.centres)):
            place = np.interp(np.arange(part.start, part.stop), centres, np.arange(len(centres)))
            before = place.astype(np.intp)
            lower = values.take(before, axis)
            upper = values.take(np.minimum(before + 1, len(centres) - 1), axis)
            share = (place - before).reshape([-1 if each == axis else 1 for each in range(values.ndim)])
            values = lower + (upper - lower) * share
        return values


def _percentiles(image: Image, size: tuple[int, ...], percentile: float) -> NDArray[np.float64]:
    """The percentile of each cell of an image without `c`, of several cells at a time: a chunk is read few times."""
    shape = [image.size(axis) for axis in image.spatial_axes]
    values = np.zeros([-(-length // step) for length, step in zip(shape, size, strict=True)])
    times = range(image.size("t"))
    for time, cells in itertools.product(times, _groups(image, values.shape, size)):
        pixels = _of_cells(image, time, cells, size)
        for cell in itertools.product(*(range(part.start, part.stop) for part in cells)):
            inside = tuple(
                slice((i - part.start) * step, (i - part.start + 1) * step)
                for i, part, step in zip(cell, cells, size, strict=True)
            )
            finite = pixels[inside][np.isfinite(pixels[inside])]
            values[cell] += np.percentile(finite, percentile) / len(times) if finite.size else 0
    return values


def _groups(image: Image, counts: tuple[int, ...], size: tuple[int, ...]) -> Iterator[Region]:
    """The cells in groups that are about as large as the image's chunks."""
    chunks = dict(zip(image.axes, image.chunks, strict=True))
    steps = [max(1, chunks[axis] // step) for axis, step in zip(image.spatial_axes, size, strict=True)]
    starts = (range(0, count, step) for count, step in zip(counts, steps, strict=True))
    for corner in itertools.product(*starts):
        yield tuple(slice(at, min(at + step, n)) for at, step, n in zip(corner, steps, counts, strict=True))


def _of_cells(image: Image, time: int, cells: Region, size: tuple[int, ...]) -> NDArray[Any]:
    """The pixels of some cells at a time point, along the spatial axes."""
    spans = {
        axis: slice(part.start * step, min(part.stop * step, image.size(axis)))
        for axis, part, step in zip(image.spatial_axes, cells, size, strict=True)
    }
    pixels = image.read(tuple(spans.get(axis, slice(time, time + 1)) for axis in image.axes))
    return pixels.reshape([n for n, axis in zip(pixels.shape, image.axes, strict=True) if axis != "t"])


def _edges(length: int, step: int) -> NDArray[np.int64]:
    return np.append(np.arange(0, length, step), length)
