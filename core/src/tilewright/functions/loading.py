"""`load_ome_zarr`: one resolution of an image as a dask array."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..image import SPATIAL
from .inputs import UNSAID, Input
from .tiling import numbers_by_axis

if TYPE_CHECKING:
    from dask.array import Array as DaskArray

__all__ = ["load_ome_zarr"]


def load_ome_zarr(
    store_path: str | Path,
    channel: int | str | None = UNSAID,
    level: int = 0,
    chunks: Sequence[int] | None = None,
) -> DaskArray:
    """An image's pixels as a lazy dask array, with the axes that the image has but for `c`.

    channel: by number or name along the axis `c`, wherever it is; 0 if left out; None keeps the axis. InvalidOption if
        the image has no `c`, unless it is left out.
    level: the resolution, 0 is the finest.
    chunks: as tiles are said, a number for each spatial axis or for each axis; the storage's own if None.

    Despite its name it reads whatever an installed reader reads. NotReadable if none does.
    """
    import dask.array

    given = Input.open(str(store_path), level=level, channel=channel)
    image = given.image
    cut = image.chunks if chunks is None else _chunks(chunks, image.axes)
    array: DaskArray = dask.array.from_array(image.data, chunks=cut)  # type: ignore[no-untyped-call]  # it is not typed
    if given.channel is None:
        return array
    chosen: DaskArray = array[(slice(None),) * image.axes.index("c") + (given.channel,)]
    return chosen


def _chunks(said: Sequence[int], axes: str) -> tuple[int, ...]:
    numbers = numbers_by_axis("chunks", said, axes, least=1)
    values = numbers if isinstance(numbers, tuple) else (numbers,) * sum(axis in SPATIAL for axis in axes)
    named = SPATIAL if len(values) == sum(axis in SPATIAL for axis in axes) else axes
    given = iter(values)
    return tuple(next(given) if axis != "c" and axis in named else 1 for axis in axes)
