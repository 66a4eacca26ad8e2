"""An image of the pixels that lie nearest to those of another one, such as labels of a coarser level."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..storage.arrays import Array, View, direct, in_memory
from ..tiling.regions import Region, indexed, lengths
from .image import Image

__all__ = ["Lattice", "lattice_of", "nearest", "translation"]

MOST = 2**24  # pixels that are read at once: of fine labels for a coarse image there are many to each that is taken


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """Where the pixels of an image lie among those of another: along each axis of that, pixel i at `start + i * step`.

    shape, spacing, units: of the image whose pixels they are, along the axes of the other one.
    """

    shape: tuple[int, ...]
    starts: tuple[float, ...]
    steps: tuple[float, ...]
    spacing: Mapping[str, float]
    units: Mapping[str, str]

    def of(self, image: Image) -> Image:
        """The pixels of the other image that are nearest, as lazy as that."""
        return replace(image, data=Nearest(image.data, self), spacing=self.spacing, units=self.units, levels=())


class Nearest(View):
    """The pixels of an array that are nearest to those of a lattice; of two equally near ones the first."""

    fresh = True

    def __init__(self, data: Array, lattice: Lattice) -> None:
        self.base, self._lattice = direct(data), lattice
        self.shape, self.dtype = lattice.shape, data.dtype
        self.selection = f", nearest to {lattice.starts} + i * {lattice.steps}"
        self._there = tuple(data.shape)

    def footprint(self, region: Region) -> Region:
        return tuple(slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, 0) for at in self._places(region))

    def __getitem__(self, region: Any) -> NDArray[Any]:
        return indexed(self._read, region, self.shape)

    def _read(self, region: Region) -> NDArray[Any]:
        seen, shape = self.footprint(region), lengths(region)
        axis = max(range(len(shape)), key=shape.__getitem__)
        if math.prod(lengths(seen)) > MOST and shape[axis] > 1:
            return np.concatenate([self._read(half) for half in _halves(region, axis)], axis)
        block = in_memory(self.base[seen])
        return block[np.ix_(*(at - part.start for at, part in zip(self._places(region), seen, strict=True)))]

    def _places(self, region: Region) -> list[NDArray[np.intp]]:
        along = zip(region, self._lattice.starts, self._lattice.steps, self._there, strict=True)
        return [nearest(start + step * np.arange(part.start, part.stop), n) for part, start, step, n in along]


def _halves(region: Region, axis: int) -> Iterator[Region]:
    part = region[axis]
    middle = (part.start + part.stop) // 2
    for half in (slice(part.start, middle), slice(middle, part.stop)):
        yield (*region[:axis], half, *region[axis + 1 :])


def nearest(positions: NDArray[Any], length: int) -> NDArray[np.intp]:
    """The pixels of an axis that are nearest to some positions along it; of two equally near ones the first."""
    halves = np.round(positions - 0.5, 6)  # so that a tie is one, whatever the last bits of spacings are
    return np.ceil(halves).astype(np.intp).clip(0, length - 1)


def lattice_of(image: Image, labels: Image) -> Lattice | None:
    """How an image's pixels lie among those of labels of another resolution, by scale and translation.

    Where not both state a translation, they begin together at the edge of their first pixels, as the levels of a
    pyramid do. None if they have the same shape, or if their extents differ by a pixel of the coarser one or more: then
    they are not of one field. So it is where a spacing that is needed is not stated in one unit.
    """
    axes = labels.axes
    missing = [axis for axis in image.axes if axis != "c" and axis not in axes and image.size(axis) > 1]
    if missing or all(image.size(axis) == labels.size(axis) for axis in axes):
        return None
    known = [each for axis in axes if (each := _along(axis, image, labels)) is not None]
    if len(known) < len(axes):
        return None
    return Lattice(
        shape=tuple(image.size(axis) for axis in axes),
        starts=tuple(start for start, _ in known),
        steps=tuple(step for _, step in known),
        spacing={axis: step for axis, step in image.spacing.items() if axis in axes},
        units={axis: unit for axis, unit in image.units.items() if axis in axes},
    )


def _along(axis: str, image: Image, labels: Image) -> tuple[float, float] | None:
    """Where along an axis the image's first pixel lies among those of the labels, and how far apart its pixels are."""
    n, m = image.size(axis), labels.size(axis)
    if axis == "t" or not {axis} <= image.spacing.keys() & labels.spacing.keys():
        return (0.0, 1.0) if n == m else None
    if image.units.get(axis, "") != labels.units.get(axis, ""):
        return None
    own, other = image.spacing[axis], labels.spacing[axis]
    here, there = translation(image, axis), translation(labels, axis)
    if here is None or there is None:
        here, there = own / 2, other / 2
    begin = (here - own / 2) - (there - other / 2)
    end = begin + n * own - m * other
    if max(abs(begin), abs(end)) >= max(own, other) * (1 - 1e-6):
        return None
    return (here - there) / other, own / other


def translation(image: Image, axis: str) -> float | None:
    """Where the centre of the first pixel lies; None if that is not stated."""
    stated = image.levels[0].translation if image.levels and axis in image.axes else None
    return None if stated is None else stated[image.axes.index(axis)]
