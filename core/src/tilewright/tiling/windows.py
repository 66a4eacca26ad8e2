"""Windows: how a network looks at a whole image, part by part, whatever the tiles are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption
from .axes import SPATIAL
from .regions import Region

__all__ = ["WindowGrid", "Windows"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Windows:
    """One set of windows: every combination of `starts` along `axes`, in each plane of the image's other axes.

    axes: the spatial axes of a window, in the order in which the network takes them.
    shape: the lengths along them of the space in which the windows lie: the image's own, or those of the image
        resampled, for a network that knows objects of one size.
    starts: along each axis, ascending. A window may begin before the image and end after it.
    size: of a window along each axis.
    margin: pixels along each axis at a window's edge that are seen and of which nothing is kept, except at the image's
        border. Empty: none.
    taper: along each axis `size` weights with which windows that overlap are averaged. Empty: where windows overlap,
        the last one counts.

    InvalidOption if the windows leave a pixel uncovered, or if the numbers do not fit the axes.
    """

    axes: str
    shape: tuple[int, ...]
    starts: tuple[tuple[int, ...], ...]
    size: tuple[int, ...]
    margin: tuple[int, ...] = ()
    taper: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.axes or len(set(self.axes)) < len(self.axes) or not set(self.axes) <= set(SPATIAL):
            raise InvalidOption(f"windows have the axes {self.axes!r}; they must be distinct letters out of 'z y x'")
        if not self.margin:
            object.__setattr__(self, "margin", (0,) * len(self.axes))
        for name in ("shape", "starts", "size", "margin", *(["taper"] if self.taper else [])):
            if len(getattr(self, name)) != len(self.axes):
                raise InvalidOption(
                    f"windows have {len(self.axes)} axes {self.axes!r}, but {name} is for another number"
                )
        for along, axis in enumerate(self.axes):
            self._check(along, axis)

    def _check(self, along: int, axis: str) -> None:
        starts, size, length = self.starts[along], self.size[along], self.shape[along]
        for start, after in itertools.pairwise(starts):
            if start > after:
                raise InvalidOption(f"windows start along {axis} at {start} and then at {after}; starts must ascend")
        for start in (starts[0], starts[-1]) if starts else ():
            if start + size <= 0 or start >= length:
                raise InvalidOption(
                    f"the window {axis} {start}:{start + size} sees nothing of the image, whose length there is "
                    f"{length}; leave it out"
                )
        first, last = self.kept[along]
        gaps = np.flatnonzero(np.append(first, self.shape[along]) > np.append(0, last))
        if len(gaps):
            place = np.append(0, last)[gaps[0]], np.append(first, self.shape[along])[gaps[0]]
            raise InvalidOption(f"windows leave out {axis} {place[0]}:{place[1]} of {self.shape[along]}")
        if self.taper and len(self.taper[along]) != self.size[along]:
            raise InvalidOption(f"taper has {len(self.taper[along])} weights along {axis}, windows {self.size[along]}")

    @cached_property
    def kept(self) -> tuple[tuple[Ints, Ints], ...]:
        """Along each axis, where what is kept of each window starts and stops, within the image."""
        along = []
        for starts, size, margin, length in zip(self.starts, self.size, self.margin, self.shape, strict=True):
            first, last = np.array(starts, np.int64), np.array(starts, np.int64) + size
            along.append((np.where(first > 0, first + margin, 0), np.where(last < length, last - margin, length)))
        return tuple(along)


@dataclass(frozen=True, kw_only=True)
class WindowGrid:
    """The windows of a set over an image, numbered in raster order of the image's axes.

    axes, shape: of the image, without `c`. Regions have a slice for each of them; along the windows' axes those of the
    windows' space count in that space.
    """

    windows: Windows
    axes: str
    shape: tuple[int, ...]

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """How many windows lie along each axis."""
        own = dict(zip(self.windows.axes, map(len, self.windows.starts), strict=True))
        return tuple(own.get(axis, n) for axis, n in zip(self.axes, self.shape, strict=True))

    def __len__(self) -> int:
        return math.prod(self.counts)

    def span(self, number: int) -> Region:
        """What a window sees along its own axes, in their order, in its space; it may lie beyond the image."""
        index = self._index(number)
        starts = (along[index[axis]] for axis, along in zip(self.windows.axes, self.windows.starts, strict=True))
        return tuple(slice(start, start + size) for start, size in zip(starts, self.windows.size, strict=True))

    def kept(self, number: int) -> Region:
        """What is kept of a window, in the windows' space."""
        parts = {axis: slice(at, at + 1) for axis, at in self._index(number).items()}
        for axis, (first, last) in zip(self.windows.axes, self.windows.kept, strict=True):
            at = parts[axis].start
            parts[axis] = slice(int(first[at]), int(last[at]))
        return self._ordered(parts)

    def region(self, number: int) -> Region:
        """The pixels of the image that a window sees."""
        parts = {axis: slice(at, at + 1) for axis, at in self._index(number).items()}
        for axis, span, length in zip(self.windows.axes, self.span(number), self.windows.shape, strict=True):
            parts[axis] = self._resampled(slice(max(0, span.start), min(length, span.stop)), axis, back=True)
        return self._ordered(parts)

    def space(self, region: Region) -> Region:
        """A region of the image in the windows' space: the least that says all of it."""
        parts = dict(zip(self.axes, region, strict=True))
        return self._ordered(parts | {axis: self._resampled(parts[axis], axis) for axis in self.windows.axes})

    def meeting(self, region: Region) -> Ints:
        """The numbers, ascending, of the windows of which something is kept in a region of the image."""
        ranges = [np.arange(*self._along(axis, part)) for axis, part in zip(self.axes, region, strict=True)]
        numbers = np.ravel_multi_index(np.ix_(*ranges), self.counts)
        return np.asarray(numbers, np.int64).ravel()

    def uses(self, along: Sequence[Sequence[slice]]) -> Ints:
        """For each window, in how many regions something is kept of it.

        along: for each axis parts of the image; the regions are all that have one part along each axis.
        """
        counts = [np.zeros(count, np.int64) for count in self.counts]
        for axis, parts, count in zip(self.axes, along, counts, strict=True):
            for part in parts:
                count[slice(*self._along(axis, part))] += 1
        return reduce(np.multiply.outer, counts).ravel()

    def _along(self, axis: str, part: slice) -> tuple[int, int]:
        """The first window along an axis of which something is kept in a part of the image, and the first after it."""
        if axis not in self.windows.axes:
            return part.start, part.stop
        part = self._resampled(part, axis)
        first, last = self.windows.kept[self.windows.axes.index(axis)]  # which both ascend
        return int(np.searchsorted(last, part.start, "right")), int(np.searchsorted(first, part.stop, "left"))

    def _resampled(self, part: slice, axis: str, *, back: bool = False) -> slice:
        """A part of the image along an axis in the windows' space, or back, and the neighbours that it is made from."""
        before, after = self.shape[self.axes.index(axis)], self.windows.shape[self.windows.axes.index(axis)]
        if before == after:
            return part
        before, after = (after, before) if back else (before, after)
        start, stop = (at * after / before for at in (part.start, part.stop))
        return slice(max(0, math.floor(start) - 2), min(after, math.ceil(stop) + 2))

    def _ordered(self, parts: Mapping[str, slice]) -> Region:
        return tuple(parts[axis] for axis in self.axes)

    def _index(self, number: int) -> dict[str, int]:
        return dict(zip(self.axes, map(int, np.unravel_index(number, self.counts)), strict=True))
