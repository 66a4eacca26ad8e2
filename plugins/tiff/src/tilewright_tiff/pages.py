"""One level of a series as an array: tiles as they are, planes that lie in the file as they are, or converted ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from tilewright.abc import Array
from tilewright.errors import NotReadable

from .bounds import hold_to_size
from .pieces import Page
from .retiling import Retiled

__all__ = ["Incomplete", "Planes", "open_level"]

LARGE = 2**24  # bytes of one strip or tile, decoded, above which not every window shall decode it again


def open_level(series: tifffile.TiffPageSeries, level: int, path: str) -> Array:
    """The pixels of a level, in the series' own axes.

    Planes that lie in the file uncompressed and in one piece are memory-mapped. Where strips or tiles are compressed
    and large, planes are converted to tiles on first use. Anything else is read by strip or tile.
    """
    pages = series.levels[level]
    keyframe = pages.keyframe
    hold_to_size(pages.pages)
    offset = pages.dataoffset
    if offset is not None and keyframe.parent.filehandle.is_file:
        place = Place(file=keyframe.parent.filehandle.path, offset=offset)
        return Planes([place], pages.shape, pages.shape, _stored(keyframe), path)
    if math.prod(keyframe.chunks) * np.dtype(keyframe.dtype).itemsize > LARGE:
        found = [page for page in pages.pages if page is not None]
        plane = pages.shape[len(pages.shape) - len(keyframe.shape) :]
        if len(found) == len(pages.pages) and plane == keyframe.shape:
            if all(_in_one_piece(page) for page in found):
                places = [Place(file=page.parent.filehandle.path, offset=page.dataoffsets[0]) for page in found]
                return Planes(places, pages.shape, plane, _stored(keyframe), path)
            return Retiled(found, pages.shape, path)
    # A second worker only for the decoding lets tasks decode beside each other: zarr has one thread for all its work.
    store = series.aszarr(level=level, maxworkers=2)
    return cast("Array", zarr.open_array(store, mode="r"))


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a plane begins in which file."""

    file: str
    offset: int


class Planes:
    """Planes that are memory-mapped, one after the other along the leading axes."""

    chunks = None

    def __init__(
        self, places: Sequence[Place], shape: tuple[int, ...], plane: tuple[int, ...], dtype: np.dtype[Any], path: str
    ) -> None:
        self._plane = plane
        self.shape, self.dtype = shape, dtype
        files = {place.file: np.memmap(place.file, dtype=np.uint8, mode="r") for place in places}
        nbytes = math.prod(plane) * dtype.itemsize
        for place in places:
            if place.offset + nbytes > len(files[place.file]):
                raise NotReadable(
                    f"{path!r} is cut off: {Path(place.file).name!r} has {len(files[place.file]):,} bytes, but its "
                    f"pixels end at {place.offset + nbytes:,}; copy the file again"
                )
        self._planes = [np.ndarray(plane, dtype, files[place.file].data, place.offset) for place in places]

    def __getitem__(self, region: Any) -> NDArray[Any]:
        leading = len(self.shape) - len(self._plane)
        if not leading:
            block: NDArray[Any] = self._planes[0][region]
            return block
        numbers = np.arange(len(self._planes)).reshape(self.shape[:leading])[region[:leading]]
        planes = np.stack([self._planes[number][region[leading:]] for number in numbers.flat])
        return planes.reshape(numbers.shape + planes.shape[1:])


class Incomplete:
    """An array some of whose planes are in files that are missing: NotReadable where one of these is looked at."""

    def __init__(self, source: Array, series: tifffile.TiffPageSeries, missing: Sequence[str]) -> None:
        self._source, self._missing = source, missing
        self.shape, self.dtype, self.chunks = source.shape, source.dtype, getattr(source, "chunks", None)
        leading = self.shape[: len(self.shape) - len(series.keyframe.shape)]
        self._present = np.array([page is not None for page in series.pages]).reshape(leading)

    def __getitem__(self, region: Any) -> NDArray[Any]:
        if not self._present[region[: self._present.ndim]].all():
            raise NotReadable(
                f"what is asked for lies in missing files ({', '.join(self._missing[:3])}); put them back"
            )
        block: NDArray[Any] = np.asarray(self._source[region])
        return block


def _in_one_piece(page: Page) -> bool:
    """Whether a page's pixels are in the file as they are: what tifffile says of its keyframe, checked for itself."""
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
    return page.is_contiguous and page.is_final and ends[:-1] == list(page.dataoffsets[1:])


def _stored(page: tifffile.TiffPage) -> np.dtype[Any]:
    """The type of a page's pixels in its file's byte order."""
    return np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
