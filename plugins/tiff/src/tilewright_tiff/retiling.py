"""Planes in large compressed pieces, decoded once into tiles of a temporary array, in bounded memory."""

from __future__ import annotations

import math
import shutil
import tempfile
import threading
import warnings
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from tilewright.errors import NotReadable

from .pieces import Page, Piece, keyframe_of, pieces_of

__all__ = ["Retiled"]

TILE = 512
BAND = 2**26  # decoded bytes in memory at a time, as many rows as make a row of tiles


class Retiled:
    """Planes along the leading axes, each converted when it is first read; the tiles go with the array.

    Only one plane is converted at a time, of which some rows are in memory (see `pieces`). NotReadable if the
    temporary folder has no room for it.
    """

    def __init__(self, pages: Sequence[Page], shape: tuple[int, ...], path: str) -> None:
        self._pages, self._path = pages, path
        like = keyframe_of(pages[0])
        self._plane: tuple[int, ...] = like.shape
        self.shape, self.dtype = shape, np.dtype(like.dtype)
        self._leading = len(shape) - len(self._plane)
        self._rows = _row_axis(like)
        height, width = self._plane[self._rows : self._rows + 2]
        self._band = max(1, min(TILE, height, BAND // (math.prod(self._plane) // height * self.dtype.itemsize)))
        samples = self._plane[: self._rows], self._plane[self._rows + 2 :]
        self.chunks = (1,) * self._leading + (*samples[0], self._band, min(TILE, width), *samples[1])
        self._lock = threading.Lock()
        self._tiled: zarr.Array[Any] | None = None
        self._done: set[int] = set()

    def __getitem__(self, region: Any) -> NDArray[Any]:
        shape = self.shape[: self._leading]
        numbers = np.arange(len(self._pages)).reshape(shape)[region[: self._leading]]
        planes = np.stack([self._converted(int(n))[(int(n), *region[self._leading :])] for n in numbers.flat])
        return planes.reshape(numbers.shape + planes.shape[1:])

    def _converted(self, number: int) -> Any:
        with self._lock:
            if self._tiled is None:
                self._tiled = self._create()
            if number not in self._done:
                for piece in pieces_of(self._pages[number], self._path, self._band):
                    self._put(self._tiled, number, piece)
                self._done.add(number)
        return self._tiled

    def _create(self) -> zarr.Array[Any]:
        folder = Path(tempfile.gettempdir())
        needed, free = math.prod(self._plane) * self.dtype.itemsize, shutil.disk_usage(folder).free
        if needed > free:
            raise NotReadable(
                f"{self._path!r} has planes of {needed:,} bytes in one compressed piece, and {str(folder)!r} has only "
                f"{free:,} to convert one; set TMPDIR to a larger folder, or write the image with tiles"
            )
        warnings.warn(
            f"{self._path!r} is compressed in pieces as large as a plane ({needed // 2**20:,} MB), so it is converted "
            f"to tiles in {folder} first; written with tiles it would open at once",
            UserWarning,
            stacklevel=2,
        )
        place = tempfile.mkdtemp(prefix="tilewright-tiff-", dir=folder)
        weakref.finalize(self, shutil.rmtree, place, ignore_errors=True)
        shape = (len(self._pages), *self._plane)
        chunks = (1, *self.chunks[self._leading :])
        return zarr.create_array(place, shape=shape, dtype=self.dtype, chunks=chunks, overwrite=True)

    def _put(self, tiled: zarr.Array[Any], number: int, piece: Piece) -> None:
        """Write a piece, whose axes are always sample, row, column, sample."""
        rows = slice(piece.row, piece.row + piece.pixels.shape[1])
        columns = slice(piece.column, piece.column + piece.pixels.shape[2])
        before = (piece.sample,) if self._rows else ()
        pixels = piece.pixels[0] if len(self._plane) == self._rows + 3 else piece.pixels[0, :, :, 0]
        tiled[(number, *before, rows, columns)] = pixels


def _row_axis(page: tifffile.TiffPage) -> int:
    """Where a plane's rows are: after its samples, if these are stored as planes of their own."""
    return int("S" in page.axes and page.axes.index("S") == 0)
