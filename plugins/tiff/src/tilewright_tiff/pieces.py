"""A page's strips or tiles, decoded a few rows at a time where the compression can be undone as a stream."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray

from tilewright.errors import NotReadable

from .bounds import DEFLATE, LZMA, Page, decompressor

__all__ = ["Page", "Piece", "keyframe_of", "pieces_of"]

HORIZONTAL = 2  # TIFF 6.0, "Predictor": each sample is the difference to the one before it in its row
READ = 2**20  # compressed bytes at a time
WHOLE = 2**30  # decoded bytes of the largest strip that may be decoded at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """Decoded pixels (1, rows, columns, samples) and where they lie; `sample` where samples are planes of their own."""

    sample: int
    row: int
    column: int
    pixels: NDArray[Any]


def keyframe_of(page: Page) -> tifffile.TiffPage:
    """The page that says how the pixels of this one are stored."""
    assert page.keyframe is not None
    return page.keyframe


def pieces_of(page: Page, path: str, rows: int) -> Iterator[Piece]:
    """The decoded pieces of a page, in the file's order, with what lies beyond the page's edges cut off.

    Of what is a stream, so many rows are decoded at a time.
    """
    with open(page.parent.filehandle.path, "rb") as file:  # noqa: PTH123 - a path as tifffile keeps it, a string
        for index, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
            if count:
                yield from _pieces(page, index, _Part(file, offset, count), path, rows)


def _pieces(page: Page, index: int, part: _Part, path: str, rows: int) -> Iterator[Piece]:
    like = keyframe_of(page)
    if _is_stream(like):
        yield from _streamed(like, index, part, rows)
        return
    needed = math.prod(like.chunks) * np.dtype(like.dtype).itemsize
    if needed > WHOLE:
        raise NotReadable(
            f"{path!r} has pieces of {needed:,} bytes, compressed in a way that can only be undone at once; "
            "write it with tiles"
        )
    decoded, (sample, _, row, column, _), shape = like.decode(
        part.read(part.left), index, jpegtables=page.jpegtables, jpegheader=like.jpegheader
    )
    if decoded is not None:
        yield Piece(sample=sample, row=row, column=column, pixels=decoded[:1, : shape[1], : shape[2]])


def _is_stream(page: tifffile.TiffPage) -> bool:
    whole = page.bitspersample in (8, 16, 32, 64) and page.bitspersample == np.dtype(page.dtype).itemsize * 8
    plain = page.fillorder == 1 and page.predictor in (1, HORIZONTAL) and page.imagedepth == 1
    return page.compression in (*DEFLATE, LZMA) and whole and plain and not page.is_subsampled


def _streamed(page: tifffile.TiffPage, index: int, part: _Part, step: int) -> Iterator[Piece]:
    place = _Layout.of(page, index)
    stored = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
    width = place.width * place.samples * stored.itemsize
    stream = _Stream(part, decompressor(page.compression))
    for row in range(0, place.height, step):
        rows = min(step, place.height - row)
        data = stream.read(rows * width)
        pixels = np.frombuffer(data, stored).reshape(1, rows, place.width, place.samples).astype(page.dtype)
        if page.predictor == HORIZONTAL:
            np.cumsum(pixels, axis=2, dtype=pixels.dtype, out=pixels)
        visible = pixels[:, :, : page.imagewidth - place.column]
        yield Piece(sample=place.sample, row=place.row + row, column=place.column, pixels=visible)


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Where a strip or tile lies and how long its rows are in the file; its height ends with the page."""

    sample: int
    row: int
    column: int
    height: int
    width: int
    samples: int

    @classmethod
    def of(cls, page: tifffile.TiffPage, index: int) -> _Layout:
        height, width = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
        across, down = -(-page.imagewidth // width), -(-page.imagelength // height)
        plane, number = divmod(index, across * down)
        row = number // across * height
        return cls(
            sample=plane,
            row=row,
            column=number % across * width,
            height=min(height, page.imagelength - row),
            width=width,
            samples=page.samplesperpixel if page.planarconfig == 1 else 1,
        )


class _Part:
    """Bytes of a file from some place on, as many as there are."""

    def __init__(self, file: BinaryIO, offset: int, count: int) -> None:
        self._file, self.left = file, count
        file.seek(offset)

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self.left))
        self.left -= len(data)
        return data


class _Stream:
    """Decompressed bytes of a part of a file, as many as are asked for."""

    def __init__(self, part: _Part, decompressor: Any) -> None:
        self._part, self._decompressor = part, decompressor
        self._rest = b""  # compressed bytes that zlib has not looked at yet; lzma keeps its own

    def read(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            wanted = getattr(self._decompressor, "needs_input", True)
            data = self._rest or (self._part.read(READ) if wanted else b"")
            more = self._decompressor.decompress(data, size - len(found))
            self._rest = getattr(self._decompressor, "unconsumed_tail", b"")
            if not more and not data:
                raise ValueError(f"the compressed data end {size - len(found):,} bytes early")
            found += more
        return bytes(found)
