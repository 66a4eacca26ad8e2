"""The built-in tilers: a fixed shape, and one chosen for a memory budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..abc.tiler import Needs
from ..errors import InvalidOption
from ..image import Image
from ..tiling.axes import SPATIAL, for_axes
from ..tiling.grid import TileGrid

__all__ = ["Auto", "Grid", "bytes_for"]

PLAIN = 128 * 2**20  # bytes for a tile's work, if the segmenter does not declare its memory
SPARE = 512 * 2**20  # bytes more than the smallest tile takes, if it does: a network takes much for any tile
HALO = (
    "context on both sides, one for each spatial axis, or one for all along which tiles are longer than 1; None: the "
    "segmenter's, else 0"
)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Tiles of one shape; those at the image's end may be smaller.

    >>> import numpy as np
    >>> image = Image(data=np.zeros((100, 90)), axes="yx")
    >>> Grid(tile=64, halo=(8, 0))(image, Needs()).cores
    ((64, 36), (64, 26))
    """

    tile: int | tuple[int, ...] | None = field(
        default=None,
        metadata={"help": "core length, one for all spatial axes or one for each axis; None: the storage chunks"},
    )
    halo: int | tuple[int, ...] | None = field(default=None, metadata={"help": HALO})

    def __call__(self, image: Image, needs: Needs) -> TileGrid:
        stride = [needs.stride.get(axis, 1) for axis in image.axes]
        if self.tile is None:
            halo = _halo(self.halo, image.axes, image.chunks, needs)
            grid = TileGrid(axes=image.axes, cores=image.chunk_lengths, halo=halo, stride=tuple(stride))
            return grid.with_separate(needs.separate)
        tile = for_axes("tile", self.tile, image.axes, rest=1)
        halo = _halo(self.halo, image.axes, tile, needs)
        return TileGrid.regular(
            image.axes, shape=image.shape, tile=tile, halo=halo, stride=stride, separate=needs.separate
        )


@dataclass(frozen=True, kw_only=True)
class Auto:
    """Tiles as large as `memory` allows for one tile's work, of whole storage chunks and near to cubes.

    Without `memory` a tile may take 128 MiB, or 512 MiB more than the smallest tile if the segmenter declares
    `memory(shape, dtype)`. A tile's work takes what the segmenter declares, else twice the pixels and 16 bytes a pixel
    for its labels, and for each label image that is given. A storage chunk that is too large is halved until it fits;
    InvalidOption if one pixel with its halo does not fit. The grid depends on the image and the options alone, not on
    the machine, so that a run that is resumed on another one has the same tiles.
    """

    memory: int | None = field(
        default=None,
        metadata={"help": "bytes that one tile's work may take; None: 128 MiB, or by what the segmenter declares"},
    )
    halo: int | tuple[int, ...] | None = field(default=None, metadata={"help": HALO})

    def __call__(self, image: Image, needs: Needs) -> TileGrid:
        if self.memory is not None and self.memory < 1:
            raise InvalidOption(f"memory must be a positive number of bytes, not {self.memory}")
        shape = image.shape
        single = [1 if a in needs.separate else n for a, n in zip(image.axes, shape, strict=True)]
        halo = tuple(h if n > 1 else 0 for h, n in zip(_halo(self.halo, image.axes, None, needs), single, strict=True))
        start = [1 if a in needs.separate else c for a, c in zip(image.axes, image.chunks, strict=True)]
        tile = self._fit(start, image, shape, halo, needs)
        return Grid(tile=tuple(tile), halo=halo)(image, needs)

    def _fit(
        self, tile: list[int], image: Image, shape: tuple[int, ...], halo: Sequence[int], needs: Needs
    ) -> list[int]:
        stride = [1 if axis in needs.separate else needs.stride.get(axis, 1) for axis in image.axes]
        context = [0 if axis in needs.separate else needs.context.get(axis, 0) for axis in image.axes]

        dtype = image.dtype

        def work(candidate: Sequence[int]) -> int:
            seen = tuple(map(_longest, shape, candidate, halo, stride, context))
            return bytes_for(seen, dtype, needs)

        most = self.memory or (work([1] * len(tile)) + SPARE if needs.memory else PLAIN)

        def fits(candidate: Sequence[int]) -> bool:
            return work(candidate) <= most

        while not fits(tile) and max(tile) > 1:
            longest = tile.index(max(tile))
            tile[longest] = -(-tile[longest] // 2)
        if not fits(tile):
            raise InvalidOption(
                f"one tile's work takes at least {work(tile):,} bytes, with one pixel and its halo, but memory is "
                f"{most:,}; give more memory or a smaller halo"
            )
        growing = [i for i, axis in enumerate(image.axes) if axis in SPATIAL and axis not in needs.separate]
        while growing := [i for i in growing if tile[i] < shape[i]]:
            shortest = min(growing, key=lambda i: tile[i])
            larger = [2 * t if i == shortest else t for i, t in enumerate(tile)]
            if fits(larger):
                tile = larger
            else:
                growing.remove(shortest)
        return tile


def _longest(length: int, tile: int, halo: int, stride: int, context: int) -> int:
    """The greatest length that is read of a tile; its outer region starts and stops at multiples of the stride."""
    reach = halo + stride - 1 if tile % stride else -(-halo // stride) * stride
    return min(length, tile + 2 * (reach + context))


def _halo(said: int | tuple[int, ...] | None, axes: str, tile: Sequence[int] | None, needs: Needs) -> tuple[int, ...]:
    """The halo by axis. One number for all axes counts as 0 along an axis whose tiles have length 1 (planes)."""
    if said is None:
        return tuple(needs.halo.get(axis, 0) for axis in axes)
    halo = for_axes("halo", said, axes)
    if isinstance(said, int) and tile is not None:
        return tuple(0 if t == 1 else h for h, t in zip(halo, tile, strict=True))
    return halo


def bytes_for(shape: tuple[int, ...], dtype: np.dtype[np.generic], needs: Needs) -> int:
    """The bytes that a tile's work takes: what the segmenter declares, else as `Auto` estimates it."""
    if needs.memory is not None:
        return needs.memory(shape, dtype)
    return math.prod(shape) * (2 * dtype.itemsize * needs.channels + 16 * (1 + needs.given))
