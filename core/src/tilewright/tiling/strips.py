"""Strips: the parts of a tile's labels that its seams with neighbours need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .grid import Tile, TileGrid
from .regions import Region

__all__ = ["facing", "strip", "strip_names", "strips_of"]


def strips_of(grid: TileGrid, tile: Tile, *, overlapping: bool) -> Iterator[tuple[str, Region]]:
    """The strips of a tile, one for each side on which it has a neighbour, by name.

    A strip is the facing plane of the core; or, if `overlapping`, the region that the neighbour's outer region shares.
    What the tile shares with tiles further away, or at a corner, is a part of a strip.
    """
    for axis, letter in enumerate(grid.axes):
        if letter in grid.separate:
            continue
        for side, step in (("-", -1), ("+", 1)):
            if 0 <= tile.index[axis] + step < grid.counts[axis]:
                yield letter + side, strip(grid, tile, axis, step, overlapping=overlapping)


def strip_names(grid: TileGrid) -> tuple[str, ...]:
    """The names of all strips that a tile of the grid can have."""
    return tuple(letter + side for letter in grid.axes for side in "+-")


def strip(grid: TileGrid, tile: Tile, axis: int, step: int, *, overlapping: bool) -> Region:
    """One strip of a tile: on its upper side along an axis if `step` is 1, on its lower side if it is -1."""
    region = tile.outer if overlapping else tile.core
    own = region[axis]
    if not overlapping:
        part = slice(own.stop - 1, own.stop) if step > 0 else slice(own.start, own.start + 1)
    else:
        near = grid.at([i + step * (a == axis) for a, i in enumerate(tile.index)]).outer[axis]
        part = slice(near.start, own.stop) if step > 0 else slice(own.start, near.stop)
    return (*region[:axis], part, *region[axis + 1 :])


def facing(tile: Tile, offset: Sequence[int]) -> Region:
    """The plane, edge or corner of a tile's core that faces the neighbour at an offset."""
    return tuple(
        core if not step else slice(core.stop - 1, core.stop) if step > 0 else slice(core.start, core.start + 1)
        for core, step in zip(tile.core, offset, strict=True)
    )
