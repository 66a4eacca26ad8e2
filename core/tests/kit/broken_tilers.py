"""A tiler that keeps the contract, and one for each way of breaking it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tilewright import Grid, Image, Needs, Tile, TileGrid

counter = itertools.count(5)


@dataclass(frozen=True, kw_only=True)
class Good:
    tile: int = 10

    def __call__(self, image: Image, needs: Needs) -> Any:
        return Grid(tile=self.tile)(image, needs)


class Listing(Good):
    def __call__(self, image: Image, needs: Needs) -> Any:
        return list(super().__call__(image, needs))


class Short(Good):
    def __call__(self, image: Image, needs: Needs) -> Any:
        grid = super().__call__(image, needs)
        return replace(grid, cores=tuple((core[0],) for core in grid.cores))


class Renaming(Good):
    def __call__(self, image: Image, needs: Needs) -> Any:
        return replace(super().__call__(image, needs), axes=image.axes[::-1])


class _Apart(TileGrid):
    def at(self, index: Sequence[int]) -> Tile:
        tile = super().at(index)
        core = tuple(slice(part.start, max(part.start + 1, part.stop - 1)) for part in tile.core)
        return replace(tile, core=core)


class Gaps(Good):
    def __call__(self, image: Image, needs: Needs) -> Any:
        grid = super().__call__(image, needs)
        return _Apart(axes=grid.axes, cores=grid.cores, halo=grid.halo, stride=grid.stride, separate=grid.separate)


class Idle(Good):
    def __call__(self, image: Image, needs: Needs) -> Any:
        grid = super().__call__(image, needs)
        return replace(grid, left_out=tuple(range(len(grid))))


class _Inward(TileGrid):
    def at(self, index: Sequence[int]) -> Tile:
        tile = super().at(index)
        return replace(tile, outer=tuple(slice(part.start, max(0, part.stop - 2)) for part in tile.core))


class Inside(Good):
    def __call__(self, image: Image, needs: Needs) -> Any:
        grid = super().__call__(image, needs)
        return _Inward(axes=grid.axes, cores=grid.cores, halo=grid.halo, stride=grid.stride, separate=grid.separate)


class Peeking(Good):
    def __call__(self, image: Image, needs: Needs) -> Any:
        image.read((slice(0, 1),) * len(image.axes))
        return super().__call__(image, needs)


class WithoutHalo(Good):
    def __call__(self, image: Image, needs: Needs) -> Any:
        return super().__call__(image, replace(needs, halo={}))


class WithoutStride(Good):
    def __call__(self, image: Image, needs: Needs) -> Any:
        return super().__call__(image, replace(needs, stride={}))


class Fickle(Good):
    def __call__(self, image: Image, needs: Needs) -> Any:
        return Grid(tile=next(counter))(image, needs)


@dataclass(frozen=True, kw_only=True)
class Locked(Good):
    lock: Any = field(default_factory=threading.Lock)
