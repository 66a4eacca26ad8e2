"""Labels of tiles that overlap, as dask's `overlap` lays them side by side, read as one image."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption
from ..image import Region

if TYPE_CHECKING:
    from dask.array import Array as DaskArray

__all__ = ["HaloedTiles"]

Chunks = tuple[tuple[int, ...], ...]


class HaloedTiles:
    """An array of which each tile has its own view: chunks that carry a halo on every side but the array's border.

    It is read as the array without the halos, but by regions that are a tile's outer ones: these come from that tile's
    chunk, so what two tiles saw of one place need not agree. `halo` is at most the chunks' own, and shorter than the
    shortest core, so that a region tells its tile.

    InvalidOption if a chunk is no longer than its halos.
    """

    def __init__(self, array: DaskArray, depth: Sequence[int]) -> None:
        self._array, self._depth = array, tuple(depth)
        self.chunks = tuple(
            _cores(axis, chunks, h) for axis, (chunks, h) in enumerate(zip(array.chunks, depth, strict=True))
        )
        self.shape = tuple(sum(axis) for axis in self.chunks)
        self.dtype, self.name = array.dtype, array.name
        self.halo = tuple(min(h, min(axis) - 1) for h, axis in zip(depth, self.chunks, strict=True))
        self._starts = tuple(tuple(itertools.accumulate(axis, initial=0)) for axis in self.chunks)

    def __getitem__(self, region: Region) -> NDArray[Any]:
        index, within = [], []
        for axis, part in enumerate(region):
            starts, halo = self._starts[axis], self.halo[axis]
            # the tile whose outer region begins here: its core does so too, or `halo` further on
            tile = 0 if part.start == 0 else bisect.bisect_right(starts, part.start + halo) - 1
            offset = part.start - starts[tile] + (self._depth[axis] if tile else 0)
            index.append(tile)
            within.append(slice(offset, offset + part.stop - part.start))
        block = self._array.blocks[tuple(index)].compute(scheduler="synchronous")
        return np.asarray(block[tuple(within)])


def _cores(axis: int, chunks: Sequence[int], halo: int) -> tuple[int, ...]:
    last = len(chunks) - 1
    cores = tuple(n - halo * (i > 0) - halo * (i < last) for i, n in enumerate(chunks))
    if min(cores) < 1:
        raise InvalidOption(
            f"chunks of {list(chunks)} along axis {axis} are too short for overlaps of {halo}; give the depth that "
            "dask.array.overlap was given"
        )
    return cores
