"""Several images as one, along time: what is prepared on it is prepared on all of them."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..components.isolation import describe
from ..errors import InvalidOption, NotReadable
from ..tiling.regions import Region, indexed, lengths
from .image import Image

__all__ = ["gathered"]


def gathered(images: Sequence[Image]) -> Image:
    """The image of all pixels of several, one after the other along `t`, read lazily.

    Nothing joins along `t`, so that pixels of two images never meet. Images of different sizes are cut into windows of
    the smallest lengths, which lie evenly over each of them and do not overlap; so the larger ones count for more.

    InvalidOption for images that differ in axes, dtype, channels or spacing: no number holds for all of them.

    >>> both = gathered([Image(np.zeros((2, 3)), "yx"), Image(np.ones((4, 3)), "yx")])
    >>> both.axes, both.shape, both[:].mean(axis=(1, 2)).tolist()
    ('tyx', (3, 2, 3), [0.0, 1.0, 1.0])
    """
    first = images[0]
    for other in images[1:]:
        _check_alike(first, other)
    axes = first.axes if "t" in first.axes else f"t{first.axes}"
    data, name = _Gathered(images, axes), f"{len(images)} images"
    return replace(first, data=data, axes=axes, levels=(), images=(), details={}, name=name, source="")


def _check_alike(one: Image, other: Image) -> None:
    facts = [
        {"axes": each.axes, "dtype": each.dtype, "channels": each.size("c"), "spacing": _spacing(each)}
        for each in (one, other)
    ]
    for fact, value in facts[0].items():
        if value != facts[1][fact]:
            raise InvalidOption(
                f"images that are prepared together are alike, but {one.source or one.name} has the {fact} {value}, "
                f"and {other.source or other.name} has {facts[1][fact]}; leave shared_prepare (--shared-prepare) out, "
                "or choose images that are alike"
            )


def _spacing(image: Image) -> dict[str, tuple[float, str]]:
    return {axis: (image.spacing.get(axis, 1.0), image.units.get(axis, "")) for axis in image.spatial_axes}


class _Gathered:
    """The pixels of several images along `t`: of each image one window after the other, of each window all times."""

    fresh = True

    def __init__(self, images: Sequence[Image], axes: str) -> None:
        self._images, self._axes = images, axes
        least = {axis: min(image.size(axis) for image in images) for axis in axes if axis != "t"}
        self._ends = list(accumulate(image.size("t") * math.prod(_counts(image, least)) for image in images))
        self._least = least | {"t": 1}
        self.shape = tuple(self._ends[-1] if axis == "t" else least[axis] for axis in axes)
        unit = dict(zip(images[0].axes, images[0].chunks, strict=True))
        self.chunks = tuple(min(unit.get(axis, 1), self._least[axis]) for axis in axes)
        self.dtype = images[0].dtype

    def __getitem__(self, region: Any) -> NDArray[Any]:
        return indexed(self._read, region, self.shape)

    def _read(self, region: Region) -> NDArray[Any]:
        along = self._axes.index("t")
        inner = dict(zip(self._axes, region, strict=True))
        planes = [self._plane(number, inner) for number in range(region[along].start, region[along].stop)]
        return np.stack(planes, axis=along) if planes else np.empty(lengths(region), self.dtype)

    def _plane(self, number: int, inner: Mapping[str, slice]) -> NDArray[Any]:
        """The part of one entry along `t`, without that axis. inner: by axis, within the entry."""
        which = bisect_right(self._ends, number)
        image = self._images[which]
        number -= self._ends[which - 1] if which else 0
        window, time = divmod(number, image.size("t"))
        counts = _counts(image, self._least)
        index = np.unravel_index(window, counts)
        corner = {
            axis: int(i) * image.size(axis) // n for axis, i, n in zip(image.spatial_axes, index, counts, strict=True)
        }
        spans = {axis: _shifted(part, corner.get(axis, 0)) for axis, part in inner.items()} | {
            "t": slice(time, time + 1)
        }
        try:
            pixels = image.read(tuple(spans[axis] for axis in image.axes))
        except Exception as error:
            raise NotReadable(f"{image.source or image.name} cannot be read: {describe(error)}; repair it") from error
        return pixels.squeeze(image.axes.index("t")) if "t" in image.axes else pixels


def _counts(image: Image, least: Mapping[str, int]) -> list[int]:
    """How many windows of the least lengths lie in an image along each spatial axis."""
    return [image.size(axis) // least[axis] for axis in image.spatial_axes]


def _shifted(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)
