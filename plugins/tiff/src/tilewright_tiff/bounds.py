"""Strips and tiles held to the size that their page declares, whatever their bytes would unpack to."""

from __future__ import annotations

import copy
import importlib.util
import lzma
import math
import re
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tifffile

__all__ = ["DEFLATE", "LZMA", "STANDARD", "decompressor", "has_codecs", "hold_to_size"]

DEFLATE, PACKBITS, LZMA = (8, 32946), 32773, 34925
STANDARD = (*DEFLATE, PACKBITS, LZMA)  # what tifffile undoes by itself
JPEG_2000 = (33003, 33004, 33005, 34712)
PICTURES = (
    6,
    7,
    33007,
    34892,
    34887,
    34933,
    34934,
    22610,
    50001,
    34927,
    50002,
    52546,
    *JPEG_2000,
)  # with sizes of theirs
SLACK = 2**20  # bytes that a compressed piece may have beyond twice its size: tables, profiles
DICTIONARY = 2**27  # bytes in which LZMA may look back, of which its own presets need half
MARGIN = 4  # times as many values as declared may be in a picture: grey ones are stored with three samples

Page = tifffile.TiffPage | tifffile.TiffFrame


def hold_to_size(pages: Sequence[Page | None]) -> None:
    """Have tifffile read and decode no more of each piece of these pages than they declare.

    With the extra `codecs` most decoders are told the size and stop there, but those of pictures go by a size that is
    in the piece; without it tifffile's own decoders know no size at all.
    """
    present = [page for page in pages if page is not None]
    for page in present:
        keyframe = page.keyframe
        assert keyframe is not None
        most = _size(keyframe) if keyframe.compression == 1 else 2 * _size(keyframe) + SLACK
        if max(page.databytecounts, default=0) > most:
            page.databytecounts = tuple(min(int(count), most) for count in page.databytecounts)
    for keyframe in {id(page.keyframe): page.keyframe for page in present}.values():
        if keyframe is not None and keyframe.dtype is not None:
            _hold(keyframe)


def has_codecs() -> bool:
    """Whether the extra `codecs` is installed."""
    return importlib.util.find_spec("imagecodecs") is not None


def decompressor(compression: int) -> Any:
    """A decoder of a stream of Deflate or LZMA, which is asked for so many bytes at a time."""
    return lzma.LZMADecompressor(memlimit=DICTIONARY) if compression == LZMA else zlib.decompressobj()


def _hold(page: tifffile.TiffPage) -> None:
    if page.compression in PICTURES:
        decode = page.decode

        def checked(data: bytes | None, index: int, /, **options: Any) -> Any:
            if data is not None and (claimed := _claimed(page, data)) > MARGIN * math.prod(page.chunks):
                raise ValueError(f"a piece claims {claimed:,} values, its page declares {math.prod(page.chunks):,}")
            return decode(data, index, **options)

        vars(page)["decode"] = checked
    elif page.compression in STANDARD and not has_codecs():
        plain = copy.copy(page)
        vars(plain).pop("decode", None)
        plain.compression = tifffile.COMPRESSION.NONE
        arranged = plain.decode

        def unpacked(data: bytes | None, index: int, /, **options: Any) -> Any:
            return arranged(None if data is None else _unpacked(data, page.compression, _size(page)), index, **options)

        vars(page)["decode"] = unpacked


def _size(page: tifffile.TiffPage) -> int:
    """The bytes of one decoded piece."""
    return math.prod(page.chunks) * (np.dtype(page.dtype).itemsize if page.dtype else 16)


def _unpacked(data: bytes, compression: int, size: int) -> bytes:
    if compression != PACKBITS:
        unpacked: bytes = decompressor(compression).decompress(data, size)
        return unpacked
    found, at = bytearray(), 0
    while at < len(data) and len(found) < size:  # TIFF 6.0, section 9
        head = data[at]
        if head < 128:
            found += data[at + 1 : at + 2 + head]
            at += 2 + head
        else:
            found += data[at + 1 : at + 2] * (257 - head) if head > 128 else b""
            at += 2 if head > 128 else 1
    return bytes(found[:size])


def _claimed(page: tifffile.TiffPage, data: bytes) -> int:
    """How many values a picture says that it has; 0 if it says nothing that can be understood.

    Decoders compare the shape with that of an array which they are to fill before they decode, but for JPEG 2000.
    """
    if page.compression in JPEG_2000:
        return _claimed_by_jpeg_2000(data)
    try:
        tifffile.TIFF.DECOMPRESSORS[page.compression](data, out=np.empty((0, 0, 0, 0, 0), page.dtype))
    except Exception as error:  # noqa: BLE001 - whatever else is wrong is said when it is decoded
        shape = re.search(r"\bshape=\(([\d, ]+)\)$", str(error))
        return math.prod(int(length) for length in shape.group(1).split(",") if length.strip()) if shape else 0
    return 0


def _claimed_by_jpeg_2000(data: bytes) -> int:
    """The size in a codestream (marker SIZ), which is the whole of the data or in a box of theirs."""
    at = 0
    while not data.startswith(b"\xff\x4f\xff\x51", at):
        if len(data) < at + 8:
            return 0
        length, kind = struct.unpack_from(">I4s", data, at)
        head = 16 if length == 1 else 8
        if kind != b"jp2c":
            head = int.from_bytes(data[at + 8 : at + 16], "big") if length == 1 else length
        at += max(8, head)
    if len(data) < at + 42:
        return 0
    right, bottom, left, top = struct.unpack_from(">4I", data, at + 8)
    (components,) = struct.unpack_from(">H", data, at + 40)
    return int(max(0, right - left) * max(0, bottom - top) * components)
