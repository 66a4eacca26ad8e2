"""Tiles and their grid: cores that partition the image, and halos that give each core its context."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ..errors import InvalidOption
from .axes import per_axis
from .regions import Region, cut, lengths, relative

__all__ = ["Tile", "TileGrid"]

MAX_TILES = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One cell of a grid.

    number: its place in raster order.
    index: its place along each axis.
    core: the pixels that are its own, as slices of the image.
    outer: the core and its halo, clipped at the image's border, as slices of the image.
    """

    number: int
    index: tuple[int, ...]
    core: Region
    outer: Region

    @property
    def inner(self) -> Region:
        """The core, in coordinates of the outer region."""
        return relative(self.core, self.outer)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the outer region, of which a segmenter's labels are kept."""
        return lengths(self.outer)


@dataclass(frozen=True, kw_only=True)
class TileGrid:
    """How an image is cut: for each axis the lengths of the cores in their order, and the halo on both sides.

    axes: one letter for each axis of the label image (no `c`).
    cores: for each axis the core lengths, all positive; they need not be equal.
    halo: pixels on both sides, for each axis; may be larger than a core. Halos are clipped at the image's border.
    stride: for each axis; outer regions start and stop at multiples of it (a network's downsampling factor), or at the
        image's border.
    separate: the axes along which objects never join (`t`, or `z` for a 2-D segmenter); their cores have length 1 and
        no halo.
    left_out: the numbers, ascending, of tiles that no run reads or segments: their cores are background.

    The cores partition the image exactly (law 1), those of tiles that are left out included. Tiles are numbered in
    raster order. InvalidOption for lengths that do not make a grid, for more than 2³¹ - 1 tiles, and for a tile that is
    left out and not there.

    >>> grid = TileGrid.regular("yx", shape=(5, 8), tile=(4, 4), halo=(1, 0))
    >>> [(tile.core, tile.outer) for tile in grid][-1]
    ((slice(4, 5, None), slice(4, 8, None)), (slice(3, 5, None), slice(4, 8, None)))
    """

    axes: str
    cores: tuple[tuple[int, ...], ...]
    halo: tuple[int, ...]
    stride: tuple[int, ...] = ()
    separate: str = ""
    left_out: tuple[int, ...] = ()
    _starts: tuple[tuple[int, ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        stride = self.stride or (1,) * len(self.axes)
        object.__setattr__(self, "stride", stride)
        if not len(self.axes) == len(self.cores) == len(self.halo) == len(stride):
            raise InvalidOption(
                f"a grid over axes {self.axes!r} needs core lengths, halo and stride for each of them; "
                f"there are {len(self.cores)}, {len(self.halo)} and {len(stride)}"
            )
        for axis, core, halo, step in zip(self.axes, self.cores, self.halo, stride, strict=True):
            if halo < 0 or step < 1 or any(n < 1 for n in core):
                raise InvalidOption(
                    f"cores and the stride must be at least 1 and the halo at least 0, but along {axis} the shortest "
                    f"core is {min(core, default=0)}, the stride {step} and the halo {halo}"
                )
            if axis in self.separate and (halo or any(n != 1 for n in core)):
                raise InvalidOption(
                    f"nothing joins along {axis}, so cores have length 1 and no halo there, not length {max(core)} and "
                    f"halo {halo}"
                )
        if len(self) > MAX_TILES:
            raise InvalidOption(f"{len(self):,} tiles are more than {MAX_TILES:,}; choose larger tiles")
        if self.left_out and not all(0 <= number < len(self) for number in self.left_out):
            raise InvalidOption(
                f"tiles {min(self.left_out)} to {max(self.left_out)} are left out, but the grid has {len(self)} tiles, "
                "numbered from 0; name tiles of the grid"
            )
        object.__setattr__(self, "left_out", tuple(sorted(set(map(int, self.left_out)))))
        starts = tuple(tuple(itertools.accumulate(core, initial=0)) for core in self.cores)
        object.__setattr__(self, "_starts", starts)

    @classmethod
    def regular(
        cls,
        axes: str,
        *,
        shape: Sequence[int],
        tile: Sequence[int],
        halo: Sequence[int],
        stride: Sequence[int] = (),
        separate: str = "",
    ) -> TileGrid:
        """A grid of equal cores; the last one along each axis may be shorter, and none is longer than the image.

        Along a separate axis the tile's length and halo are taken as 1 and 0.
        """
        tile = per_axis("tile", tile, axes)
        halo = per_axis("halo", halo, axes, least=0)
        single = [axis in separate for axis in axes]
        return cls(
            axes=axes,
            cores=tuple(cut(n, 1 if one else t) for n, t, one in zip(shape, tile, single, strict=True)),
            halo=tuple(0 if one else h for h, one in zip(halo, single, strict=True)),
            stride=tuple(1 if one else s for s, one in zip(stride or [1] * len(axes), single, strict=True)),
            separate=separate,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The image's shape along the grid's axes."""
        return tuple(sum(core) for core in self.cores)

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """The number of tiles along each axis."""
        return tuple(len(core) for core in self.cores)

    @property
    def segmented(self) -> Sequence[int]:
        """The numbers, ascending, of the tiles that are not left out."""
        if not self.left_out:
            return range(len(self))
        omitted = frozenset(self.left_out)
        return tuple(number for number in range(len(self)) if number not in omitted)

    @property
    def largest(self) -> tuple[int, ...]:
        """The largest core length along each axis (1 along one that has no pixels)."""
        return tuple(max(core, default=1) for core in self.cores)

    def parts_read(self, context: Sequence[int]) -> tuple[tuple[slice, ...], ...]:
        """For each axis what is read of the tiles, with `context` more pixels around their outer regions.

        It is the same along every line of tiles.
        """
        return tuple(
            tuple(slice(max(0, outer.start - more), min(length, outer.stop + more)) for _, outer in spans)
            for spans, more, length in zip(self._spans, context, self.shape, strict=True)
        )

    def lengths_read(self, context: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """For each axis how long the `parts_read` are."""
        return tuple(map(lengths, self.parts_read(context)))

    @cached_property
    def reach(self) -> tuple[int, ...]:
        """For each axis, the most steps between two tiles whose outer regions share pixels."""
        return tuple(self._reach(axis) for axis in range(len(self.axes)))

    def __len__(self) -> int:
        return math.prod(self.counts)

    def __iter__(self) -> Iterator[Tile]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Tile:
        if not 0 <= number < len(self):
            raise IndexError(f"there is no tile {number}; the grid has {len(self)}")
        index = []
        for count in reversed(self.counts):
            number, position = divmod(number, count)
            index.append(position)
        return self.at(tuple(reversed(index)))

    def at(self, index: Sequence[int]) -> Tile:
        """The tile at a place of the grid."""
        core, outer = zip(*(spans[i] for spans, i in zip(self._spans, index, strict=True)), strict=True)
        return Tile(number=self.number(index), index=tuple(index), core=core, outer=outer)

    def number(self, index: Sequence[int]) -> int:
        """The place in raster order of a tile at that index."""
        number = 0
        for position, count in zip(index, self.counts, strict=True):
            number = number * count + position
        return number

    def touching(self, region: Region) -> Iterator[Tile]:
        """The tiles whose cores share pixels with a region that is not empty."""
        spans = [
            range(bisect_right(starts, part.start) - 1, bisect_right(starts, part.stop - 1))
            for starts, part in zip(self._starts, region, strict=True)
        ]
        return (self.at(index) for index in itertools.product(*spans))

    def around(self, tile: Tile, reach: Sequence[int]) -> Iterator[tuple[tuple[int, ...], Tile]]:
        """The tiles at most `reach` steps away along each axis, with their offsets; the tile itself is among them."""
        steps = [
            range(max(-r, -i), min(r, count - 1 - i) + 1)
            for r, i, count in zip(reach, tile.index, self.counts, strict=True)
        ]
        for offset in itertools.product(*steps):
            yield offset, self.at([i + o for i, o in zip(tile.index, offset, strict=True)])

    def with_separate(self, axes: str) -> TileGrid:
        """The same grid, cut into single planes along some axes, along which objects then never join."""
        single = [axis in axes for axis in self.axes]
        whole = replace(
            self,
            left_out=(),
            cores=tuple(cut(sum(c), 1) if one else c for c, one in zip(self.cores, single, strict=True)),
            halo=tuple(0 if one else h for h, one in zip(self.halo, single, strict=True)),
            stride=tuple(1 if one else s for s, one in zip(self.stride, single, strict=True)),
            separate="".join(axis for axis in self.axes if axis in axes + self.separate),
        )
        if not self.left_out:
            return whole
        cores = (self[number].core for number in self.left_out)
        return replace(whole, left_out=tuple(tile.number for core in cores for tile in whole.touching(core)))

    @cached_property
    def _spans(self) -> list[list[tuple[slice, slice]]]:
        """For each axis and position the core and the outer region, which many tiles of a grid share."""
        return [[self._span(axis, i) for i in range(count)] for axis, count in enumerate(self.counts)]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_spans"}

    def _span(self, axis: int, position: int) -> tuple[slice, slice]:
        start, stop = self._starts[axis][position], self._starts[axis][position + 1]
        halo, step, length = self.halo[axis], self.stride[axis], self._starts[axis][-1]
        first = max(0, (start - halo) // step * step)
        last = min(length, -(-(stop + halo) // step) * step)
        return slice(start, stop), slice(first, last)

    def _reach(self, axis: int) -> int:
        starts, step = self._starts[axis], self.stride[axis]
        if not self.halo[axis] and step == 1:
            return 0
        furthest = 0
        for position in range(len(self.cores[axis])):
            stop = self._spans[axis][position][1].stop
            # the last tile whose outer region begins before this one's ends; its core begins at most so much later
            last = min(bisect_right(starts, stop + self.halo[axis] + step - 1), len(self.cores[axis])) - 1
            while last > position and self._spans[axis][last][1].start >= stop:
                last -= 1
            furthest = max(furthest, last - position)
        return furthest
