"""An array that is a function of another one, computed region by region when it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..components.blame import blamed, whose
from ..errors import InvalidPixels, TransformFailed
from ..storage.arrays import Array, View, direct, in_memory, unit_of
from ..tiling.axes import spatial
from ..tiling.placement import Placement, widened
from ..tiling.regions import Region, indexed, lengths, relative

__all__ = ["Mapped", "Transformation"]

PROBED = 16  # pixels along each axis, handed to a function to see the dtype that it returns


@dataclass(frozen=True, kw_only=True, eq=False)
class Transformation:
    """A function of pixels, and how it is applied to an image.

    axes: those of the pixels that it is handed; it is called for each index along all others.
    context: by spatial axis, pixels on either side on which a pixel of its result depends.
    located: whether it is called with the place of its pixels too.
    channels: how many it returns, 0 for none and no axis `c`; None for those that it is handed.
    dtype: of what it returns; None to find out by calling it with zeros.
    """

    function: Callable[..., Any]
    axes: str
    context: Mapping[str, int] = field(default_factory=dict)
    located: bool = False
    channels: int | None = None
    dtype: np.dtype[Any] | None = None

    def axes_of(self, axes: str) -> str:
        """The axes of the image that it makes of one with some axes."""
        return axes.replace("c", "") if self.channels == 0 and "c" in self.axes else axes


class Mapped(View):
    """The pixels of an array, transformed.

    A region is computed from the same region of the other array, widened by the context and clipped at its border. So
    several of these, one on the other, read the array beneath once.

    here: the axes of the other array.
    """

    fresh = True

    def __init__(self, data: Array, here: str, by: Transformation) -> None:
        self.base, self.by = direct(data), by
        self._here, self._there = here, tuple(data.shape)
        self.axes = by.axes_of(here)
        sizes = dict(zip(here, self._there, strict=True))
        if "c" in by.axes and "c" in here and by.channels is not None:
            sizes["c"] = by.channels
        self.shape = tuple(sizes[axis] for axis in self.axes)
        unit = dict(zip(here, unit_of(data) or (), strict=False))
        if "c" in unit and sizes["c"] != data.shape[here.index("c")]:
            unit["c"] = (sizes["c"],) if isinstance(unit["c"], tuple) else sizes["c"]
        self.chunks = tuple(unit[axis] for axis in self.axes) if unit else None
        self.dtype: np.dtype[Any] = by.dtype if by.dtype is not None else self._probed()

    @property
    def transformations(self) -> tuple[Transformation, ...]:
        return (*super().transformations, self.by)

    def footprint(self, region: Region) -> Region:
        parts = dict(zip(self.axes, region, strict=True))
        if "c" in self.by.axes:
            parts["c"] = slice(0, self._there[self._here.index("c")] if "c" in self._here else 1)
        context = [self.by.context.get(axis, 0) if axis in self.by.axes else 0 for axis in self._here]
        return widened(tuple(parts[axis] for axis in self._here), context, self._there)

    def __getitem__(self, region: Any) -> NDArray[Any]:
        return indexed(self._read, region, self.shape)

    def _read(self, region: Region) -> NDArray[Any]:
        if 0 in lengths(region):
            return np.empty(lengths(region), self.dtype)
        seen = self.footprint(region)
        pixels = in_memory(self.base[seen])
        if not getattr(self.base, "fresh", False):
            pixels = np.array(pixels)  # the function may change what it is handed
        result = self._transformed(pixels, seen, region)
        if result.dtype.newbyteorder("=") != self.dtype.newbyteorder("="):
            raise InvalidPixels(
                f"{self._who} returned {result.dtype}, but its dtype is {self.dtype} (declared, or what it returned "
                "for zeros); return one dtype for every region, and declare it as dtype"
            )
        origin = dict(zip(self._here, seen, strict=True))
        if "c" in self.by.axes:
            origin["c"] = slice(0, None)  # of its result, which has all channels
        inner: NDArray[Any] = result[relative(region, tuple(origin[axis] for axis in self.axes))]
        return inner

    def _transformed(self, pixels: NDArray[Any], seen: Region, core: Region) -> NDArray[Any]:
        """The function's result for a region of the other array, along the axes of this one, with all its channels."""
        missing = [axis for axis in self.by.axes if axis not in self._here]
        around = [axis for axis in self._here if axis not in self.by.axes]
        named = [*missing, *self._here]
        whole = pixels.reshape((1,) * len(missing) + pixels.shape)
        whole = whole.transpose([named.index(axis) for axis in (*around, *self.by.axes)])
        place = (self._place(seen, core),) if self.by.located else ()
        results = [self._called(each, *place) for each in _each(whole, len(around))]
        stacked = np.stack(results) if len(results) > 1 else results[0]
        named = [*around, *self.by.axes_of(self.by.axes)]
        stacked = stacked.reshape(whole.shape[: len(around)] + results[0].shape)
        left_out = [axis for axis in named if axis not in self.axes]
        order = [named.index(axis) for axis in (*left_out, *self.axes)]
        moved = stacked.transpose(order)
        return moved.reshape(moved.shape[len(left_out) :])

    def _called(self, pixels: NDArray[Any], *place: Placement) -> NDArray[Any]:
        shape = pixels.shape
        pixels = np.ascontiguousarray(pixels)
        with blamed("transform", self.by.function, f"working on {pixels.dtype} pixels of {shape}", TransformFailed):
            result = np.asarray(self.by.function(pixels, *place))
        wanted = dict(zip(self.by.axes, shape, strict=True))
        if "c" in wanted and self.by.channels is not None:
            wanted["c"] = self.by.channels
        expected = tuple(wanted[axis] for axis in self.by.axes_of(self.by.axes))
        if result.shape != expected:
            raise InvalidPixels(
                f"{self._who} returned pixels of shape {result.shape} for {shape} along {self.by.axes!r}, not "
                f"{expected}; return a value for each pixel, and declare channels if it changes them"
            )
        if result.dtype.kind not in "buif":
            raise InvalidPixels(f"{self._who} returned dtype {result.dtype}; return real numbers")
        return result

    def _place(self, seen: Region, core: Region) -> Placement:
        axes = spatial(self.by.axes)
        along = dict(zip(self._here, zip(seen, self._there, strict=True), strict=True))
        own = dict(zip(self.axes, core, strict=True))
        one = slice(0, 1)
        return Placement(
            axes=axes,
            region=tuple(along[axis][0] if axis in along else one for axis in axes),
            shape=tuple(along[axis][1] if axis in along else 1 for axis in axes),
            core=tuple(own.get(axis, one) for axis in axes),
        )

    def _probed(self) -> np.dtype[Any]:
        """The dtype that the function returns for zeros of the other array's dtype."""
        sizes = zip(self._here, self._there, strict=True)
        seen = tuple(slice(0, n if axis == "c" else min(n, PROBED)) for axis, n in sizes)
        core = dict(zip(self._here, seen, strict=True))
        with np.errstate(all="ignore"):
            zeros = np.zeros(lengths(seen), self.base.dtype)
            return self._transformed(zeros, seen, tuple(core[axis] for axis in self.axes)).dtype

    @property
    def _who(self) -> str:
        return whose("transform", self.by.function)


def _each(pixels: NDArray[Any], around: int) -> Iterator[NDArray[Any]]:
    return (pixels[index] for index in np.ndindex(pixels.shape[:around]))
