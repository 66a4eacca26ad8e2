"""Labels without holes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import Any, ClassVar, Self

import numpy as np

from tilewright import Image, Placement
from tilewright.abc import Region

from .expand import NAMES, Labels
from .holes import Holes, cells_of

__all__ = ["FillHoles"]


@dataclass(frozen=True, kw_only=True)
class FillHoles:
    """Given labels with their holes filled, however large these are.

    A hole is background that is connected along the axes in the whole image, does not touch the image's border, and has
    one object alone beside it; a single plane is filled as a picture. Objects keep their ids; no pixels are read. Holes
    are found once before the first tile.

    >>> labels = np.array([[7, 7, 7, 0], [7, 0, 7, 0], [7, 7, 7, 9]], np.uint64)
    >>> FillHoles()(None, given={"nuclei": labels}).tolist()
    [[7, 7, 7, 0], [7, 7, 7, 0], [7, 7, 7, 9]]
    """

    given: tuple[str] = field(default=("nuclei",), metadata=NAMES)
    holes: tuple[Holes, ...] = field(default=(), init=False, repr=False, compare=False)
    cells: tuple[int, ...] = field(default=(), init=False, repr=False, compare=False)

    keeps_ids: ClassVar[bool] = True
    pixels: ClassVar[bool] = False
    located: ClassVar[bool] = True

    @property
    def context(self) -> tuple[int, ...] | int:
        """A cell of the image, so that each cell that meets a tile is seen whole."""
        return self.cells or 0

    def memory(self, shape: tuple[int, ...], _: np.dtype[Any]) -> int:
        """The bytes that a call takes."""
        return prod(shape) * 32

    def prepare(self, image: Image, *, given: Mapping[str, Image]) -> Self:
        """With the holes of the given labels, at each time."""
        labels, axes = given[self.given[0]], image.spatial_axes
        shape = tuple(map(image.size, axes))
        holes = [Holes.of(partial(_read, labels, axes, t), shape) for t in range(image.size("t"))]
        made = replace(self)
        object.__setattr__(made, "holes", tuple(holes))
        object.__setattr__(made, "cells", cells_of(shape))
        return made

    def __call__(self, _: None, *, given: Mapping[str, Labels], place: Placement | None = None) -> Labels:
        labels = given[self.given[0]]
        place = place or Placement.whole("zyx"[-labels.ndim :], labels.shape)
        holes = self.holes or (Holes.of(labels.__getitem__, labels.shape),)
        return holes[place.t].fill(labels, place.region, place.shape)


def _read(labels: Image, axes: str, t: int, region: Region) -> Labels:
    """A region of a label image along some axes, at one time."""
    parts = dict(zip(axes, region, strict=True)) | {"t": slice(t, t + 1)}
    block = labels.read(tuple(parts[axis] for axis in labels.axes)).astype(np.uint64)
    block = block.reshape([n for n, axis in zip(block.shape, labels.axes, strict=True) if axis != "t"])
    own = labels.axes.replace("t", "")
    missing = [axis for axis in axes if axis not in own]
    named = [*missing, *own]
    return block.reshape((1,) * len(missing) + block.shape).transpose([named.index(axis) for axis in axes])
