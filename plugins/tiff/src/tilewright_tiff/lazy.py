"""A file's array as an image's data: its dimensions in the image's order, read only where it is looked at."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Array, Region

from .axes import Arrangement
from .opening import readable

__all__ = ["Arranged"]


class Arranged:
    """An array whose regions are read from another one, rearranged, in this machine's byte order.

    Regions are slices and integers. `close` is called once nobody holds the array any more. NotReadable, in one line,
    for pixels that cannot be read.

    files: all that it is read from; an unfinished run starts anew when one of them has changed.
    """

    def __init__(
        self,
        source: Array,
        arrangement: Arrangement,
        path: str,
        close: Callable[[], object],
        files: tuple[str, ...] = (),
    ) -> None:
        self._source, self._arrangement, self._path, self.files = source, arrangement, path, files
        self.shape = arrangement.shape(source.shape)
        self.dtype: np.dtype[Any] = np.dtype(source.dtype).newbyteorder("=")
        chunks = getattr(source, "chunks", None)
        self.chunks = tuple(map(int, arrangement.shape(chunks))) if chunks else None
        weakref.finalize(self, close)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, region: Any) -> NDArray[Any]:
        parts, rest = _split(region, self.shape)
        if any(part.start >= part.stop for part in parts):
            empty: NDArray[Any] = np.empty([part.stop - part.start for part in parts], self.dtype)[rest]
            return empty
        with readable(f"{self._path!r} cannot be read at {_spans(self._arrangement.axes, parts)}"):
            block: NDArray[Any] = self._read(parts)[rest]
            return block

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self[...], dtype=dtype, copy=copy)

    def _read(self, parts: Region) -> NDArray[Any]:
        wanted = [slice(0, 1)] * len(self._source.shape)
        inner = []  # what is left to be cut once the dimensions of an axis are merged
        for part, positions in zip(parts, self._arrangement.parts, strict=True):
            samples = math.prod(self._source.shape[i] for i in positions[1:])
            outer = slice(part.start // samples, -(-part.stop // samples))
            inner.append(slice(part.start - outer.start * samples, part.stop - outer.start * samples))
            wanted[: len(wanted)] = _placed(wanted, positions, outer, self._source.shape)
        block = np.asarray(self._source[tuple(wanted)])
        return self._merged(block)[tuple(inner)].astype(self.dtype, copy=False)

    def _merged(self, block: NDArray[Any]) -> NDArray[Any]:
        order = [i for positions in self._arrangement.parts for i in positions]
        rest = [i for i in range(block.ndim) if i not in order]  # of length 1
        return block.transpose([*order, *rest]).reshape(self._arrangement.shape(block.shape))


def _placed(wanted: list[slice], positions: tuple[int, ...], outer: slice, shape: tuple[int, ...]) -> list[slice]:
    """The slices with those of one axis: a part of its slowest dimension, the others whole."""
    placed = {i: slice(0, shape[i]) for i in positions}
    placed.update(dict.fromkeys(positions[:1], outer))
    return [placed.get(i, part) for i, part in enumerate(wanted)]


def _split(region: Any, shape: tuple[int, ...]) -> tuple[Region, tuple[Any, ...]]:
    """A region as slices without steps, and what is left to be done to the block that they cut out."""
    given = list(region) if isinstance(region, tuple) else [region]
    if Ellipsis in given:
        at = given.index(Ellipsis)
        given[at : at + 1] = [slice(None)] * (len(shape) - len(given) + 1)
    given += [slice(None)] * (len(shape) - len(given))
    split = [_part(index, length) for index, length in zip(given, shape, strict=True)]
    return tuple(part for part, _ in split), tuple(rest for _, rest in split)


def _part(index: Any, length: int) -> tuple[slice, Any]:
    if not isinstance(index, slice):
        number = range(length)[index]  # an IndexError or TypeError as of any sequence
        return slice(number, number + 1), 0
    taken = range(length)[index]
    if not taken:
        return slice(0, 0), slice(None)
    low, high = min(taken[0], taken[-1]), max(taken[0], taken[-1])
    return slice(low, high + 1), slice(None, None, taken.step)


def _spans(axes: str, parts: Region) -> str:
    return ", ".join(f"{axis} {part.start}:{part.stop}" for axis, part in zip(axes, parts, strict=True))
