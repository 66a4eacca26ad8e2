"""Arrays that are read region by region, and views of them."""

from __future__ import annotations

import sys
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "View", "beneath", "in_memory", "is_zarr", "unit_of"]


class Array(Protocol):
    """What an image's data must offer: zarr, dask, numpy and memory-mapped arrays do."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __getitem__(self, region: Any, /) -> Any: ...


class View:
    """An array that hands out pixels of another one.

    base: the other array. selection: which of its pixels, as a text; empty for all of them.
    fresh: whether what it hands out belongs to whoever asked. Many arrays hand out views of what they hold.
    """

    base: Any
    selection: str = ""
    fresh: bool = False


def beneath(data: Any) -> tuple[Any, str]:
    """The array that views were taken of, and which of its pixels; empty if the array is not a view."""
    if not isinstance(data, View):
        return data, ""
    whole, selection = beneath(data.base)
    return whole, selection + data.selection


def is_zarr(data: object) -> bool:
    """Whether it is a zarr array. Whoever has one has imported zarr, so that others need not wait for it."""
    zarr = sys.modules.get("zarr")
    return zarr is not None and isinstance(data, zarr.Array)


def unit_of(data: Any) -> tuple[Any, ...] | None:
    """In what an array is stored: its shards, else its chunks; None if it does not say.

    A length for each axis; or all lengths along each, where they are not equal, as dask's and those of zarr's
    rectilinear grids.
    """
    try:
        unit = getattr(data, "shards", None) or getattr(data, "chunks", None)
    except NotImplementedError:  # zarr has no `chunks` for such a grid
        unit = data.write_chunk_sizes
    return tuple(unit) if unit else None


def in_memory(block: Any) -> NDArray[Any]:
    """A block as an array. Dask computes it in this thread, because the run has its own parallelism."""
    return np.asarray(block.compute(scheduler="synchronous") if hasattr(block, "compute") else block)
