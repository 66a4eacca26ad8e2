"""Arrays that are read region by region, and views of them."""

from __future__ import annotations

import sys
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "View", "beneath", "in_memory", "is_zarr", "unit_of"]


class Array(Protocol):
    """The data of an image: any object with `shape`, `dtype` and slicing, as zarr, dask, numpy and memory maps have."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __getitem__(self, region: Any, /) -> Any: ...


class View:
    """An array whose pixels are those of another array.

    base: the other array. selection: a text that names which of its pixels; empty for all of them.
    fresh: whether a block that it returns is a copy, which the caller may change. Many arrays return views of their own
        memory.
    """

    base: Any
    selection: str = ""
    fresh: bool = False


def beneath(data: Any) -> tuple[Any, str]:
    """The array beneath all views, and a text that names which of its pixels; empty if the array is not a view."""
    if not isinstance(data, View):
        return data, ""
    whole, selection = beneath(data.base)
    return whole, selection + data.selection


def is_zarr(data: object) -> bool:
    """Whether it is a zarr array. This does not import zarr: if it is not imported yet, there is no zarr array."""
    zarr = sys.modules.get("zarr")
    return zarr is not None and isinstance(data, zarr.Array)


def unit_of(data: Any) -> tuple[Any, ...] | None:
    """The shape of an array's shards, else of its chunks; None if it has neither.

    An entry is a length, or a tuple of all lengths along the axis where they are not equal, as in dask arrays and
    zarr's rectilinear grids.
    """
    try:
        unit = getattr(data, "shards", None) or getattr(data, "chunks", None)
    except NotImplementedError:  # zarr has no `chunks` for such a grid
        unit = data.write_chunk_sizes
    return tuple(unit) if unit else None


def in_memory(block: Any) -> NDArray[Any]:
    """A block as an array. Dask computes it in this thread, because the run has its own parallelism."""
    return np.asarray(block.compute(scheduler="synchronous") if hasattr(block, "compute") else block)
