"""Some channels of an array, read lazily."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..storage.arrays import Array, View, direct, in_memory, unit_of
from ..tiling.regions import Region

__all__ = ["Channel", "Channels"]


class Channel(View):
    """One index along one axis of an array, without that axis."""

    chunks: tuple[Any, ...] | None
    shape: tuple[int, ...]

    def __init__(self, data: Array, position: int, index: int) -> None:
        self.base, self.selection = direct(data), f", {index} of axis {position}"
        self.fresh = getattr(self.base, "fresh", False)
        self._position, self._index = position, index
        unit = unit_of(data)
        self.chunks = self._without(unit) if unit else None
        self.shape = self._without(tuple(data.shape))
        self.dtype = data.dtype

    def _without(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return values[: self._position] + values[self._position + 1 :]

    def footprint(self, region: Region) -> Region:
        channel = slice(self._index, self._index + 1)
        return (*region[: self._position], channel, *region[self._position :])

    def __getitem__(self, region: Any) -> Any:
        full = region if isinstance(region, tuple) else (region,)
        full += (slice(None),) * (len(self.shape) - len(full))
        return self.base[(*full[: self._position], self._index, *full[self._position :])]


class Channels(Channel):
    """Some indices along one axis of an array, in a given order."""

    def __init__(self, data: Array, position: int, indices: list[int]) -> None:
        super().__init__(data, position, 0)
        self._indices = indices
        self.selection, self.fresh = f", {indices} of axis {position}", True
        self.shape = (*data.shape[:position], len(indices), *data.shape[position + 1 :])
        if self.chunks:
            uneven = any(isinstance(step, tuple) for step in self.chunks)  # as dask has them
            own = (len(indices),) if uneven else len(indices)
            self.chunks = (*self.chunks[:position], own, *self.chunks[position:])

    def footprint(self, region: Region) -> Region:
        chosen = self._indices[region[self._position]] or [0]
        span = slice(min(chosen), max(chosen) + 1)
        return (*region[: self._position], span, *region[self._position + 1 :])

    def __getitem__(self, region: Any) -> Any:
        full = region if isinstance(region, tuple) else (region,)
        full += (slice(None),) * (len(self.shape) - len(full))
        before, after = full[: self._position], full[self._position + 1 :]
        chosen = full[self._position]
        if not isinstance(chosen, slice):  # one of them, without the axis
            return self.base[(*before, self._indices[chosen], *after)]
        planes = [self.base[(*before, slice(i, i + 1), *after)] for i in self._indices[chosen]]
        return np.concatenate([in_memory(plane) for plane in planes], axis=self._position)
