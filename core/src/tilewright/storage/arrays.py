"""Arrays that are read region by region, and lazy views of some of their channels."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .local import LocalChunks, direct, unit_of

__all__ = ["Array", "Channel", "Channels", "beneath", "in_memory", "makes_anew"]


class Array(Protocol):
    """What an image's data must offer: zarr, dask, numpy and memory-mapped arrays do."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __getitem__(self, region: Any, /) -> Any: ...


class Channel:
    """One index along one axis of an array, lazily."""

    chunks: tuple[Any, ...] | None
    shape: tuple[int, ...]

    def __init__(self, data: Array, position: int, index: int) -> None:
        self._data, self._position, self._index = direct(data), position, index
        unit = unit_of(data)
        self.chunks = self._without(unit) if unit else None
        self.shape = self._without(tuple(data.shape))
        self.dtype = data.dtype

    def _chosen(self) -> int | list[int]:
        return self._index

    def _without(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return values[: self._position] + values[self._position + 1 :]

    def __getitem__(self, region: Any) -> Any:
        full = region if isinstance(region, tuple) else (region,)
        full += (slice(None),) * (len(self.shape) - len(full))
        return self._data[(*full[: self._position], self._index, *full[self._position :])]


class Channels(Channel):
    """Some indices along one axis of an array, in a given order, lazily."""

    def __init__(self, data: Array, position: int, indices: list[int]) -> None:
        super().__init__(data, position, 0)
        self._indices = indices
        self.shape = (*data.shape[:position], len(indices), *data.shape[position + 1 :])
        if self.chunks:
            uneven = any(isinstance(step, tuple) for step in self.chunks)  # as dask has them
            own = (len(indices),) if uneven else len(indices)
            self.chunks = (*self.chunks[:position], own, *self.chunks[position:])

    def _chosen(self) -> int | list[int]:
        return self._indices

    def __getitem__(self, region: Any) -> Any:
        full = region if isinstance(region, tuple) else (region,)
        full += (slice(None),) * (len(self.shape) - len(full))
        before, after = full[: self._position], full[self._position + 1 :]
        chosen = full[self._position]
        if not isinstance(chosen, slice):  # one of them, without the axis
            return self._data[(*before, self._indices[chosen], *after)]
        taken = self._indices[chosen]
        planes = [self._data[(*before, slice(i, i + 1), *after)] for i in taken]
        return np.concatenate([in_memory(plane) for plane in planes], axis=self._position)


def beneath(data: Any) -> tuple[Any, str]:
    """The array that views were taken of, and a text that says which; empty if the array is no view."""
    if isinstance(data, LocalChunks):
        return data.array, ""
    if not isinstance(data, Channel):
        return data, ""
    whole, views = beneath(data._data)
    return whole, f"{views}, {data._chosen()} of axis {data._position}"


def makes_anew(data: object) -> bool:
    """Whether what an array hands out is nobody else's. Many hand out views of what they hold."""
    return isinstance(data, LocalChunks | Channels) or (isinstance(data, Channel) and makes_anew(data._data))


def in_memory(block: Any) -> NDArray[Any]:
    """A block as an array. Dask computes it in this thread, because the run has its own parallelism."""
    return np.asarray(block.compute(scheduler="synchronous") if hasattr(block, "compute") else block)
