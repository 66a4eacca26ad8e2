"""What the directories of a TIFF file claim, held to bounds before a library reads as much as they claim."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import tifffile

from tilewright.errors import InvalidImage

__all__ = ["Directories", "check_directories"]

VALUES = 2**28  # bytes of all values that are read along with the directories: a plane of 4 million tiles has 64 MB
COUNT = 2**20  # directories of a file
SUBS = 100  # coarser levels of a page
TAGS = 4096  # of a directory; tifffile reads no more
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
WIDTH, LENGTH, DESCRIPTION, SUBIFDS = 256, 257, 270, 330
# What is read at once, and what the metadata of STK, FluoView, LSM and Micro-Manager are made from.
READ = {*tifffile.TIFF.TAG_LOAD, 33629, 33630, 33631, 34361, 34412, 51123}


@dataclass
class Directories:
    """How many pages a file has, the sizes of pages and SubIFDs, how many have a text, and the bytes of all values."""

    pages: int = 0
    texts: int = 0
    sizes: set[tuple[int, int]] = field(default_factory=set)
    values: int = 0


def check_directories(path: Path, *, first: bool = False) -> Directories:
    """Walk through a file's directories, their SubIFDs included. InvalidImage where they claim more than is bearable.

    first: look at the first one alone, which is what tifffile reads of files that have an index of their own.
    What is no TIFF or ends early is left to tifffile. So are values beyond the end of the file: it does not read them.
    """
    with path.open("rb") as file:
        layout = _Layout.of(file, path.suffix.lower() == ".ndpi")
        found = Directories()
        if layout is None:
            return found
        seen: set[int] = set()
        offset = layout.first
        while 0 < offset < layout.end and offset not in seen:
            seen.add(offset)
            found.pages += 1
            subs, offset = _read(file, layout, offset, found)
            for sub in (sub for sub in subs if sub not in seen):
                seen.add(sub)
                _read(file, layout, sub, found)
            if len(seen) > COUNT:
                raise InvalidImage(f"{str(path)!r} has more than {COUNT:,} directories; it is not opened")
            if len(subs) > SUBS:
                raise InvalidImage(
                    f"{str(path)!r} has a page of {len(subs):,} levels, more than {SUBS}; it is not opened"
                )
            if found.values > VALUES:
                raise InvalidImage(f"{str(path)!r} has tags of more than {VALUES:,} bytes; it is not opened")
            if first:
                break
    return found


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """How the directories of a file are laid out: TIFF, BigTIFF, or NDPI with its offsets of 64 bits."""

    order: str
    first: int
    end: int
    entry: struct.Struct
    number: struct.Struct
    offset: struct.Struct
    inline: int

    @classmethod
    def of(cls, file: BinaryIO, ndpi: bool) -> _Layout | None:
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 16:
            return None
        (version,) = struct.unpack_from(f"{order}H", head, 2)
        big = version == 43
        number, offset, entry = ("Q", "Q", "HHQQ") if big else ("H", "I", "HHII")
        long = big or (ndpi and order == "<")
        (first,) = struct.unpack_from(f"{order}{'Q' if long else 'I'}", head, 8 if big else 4)
        return cls(
            order=order,
            first=first,
            end=os.fstat(file.fileno()).st_size,
            entry=struct.Struct(order + entry),
            number=struct.Struct(order + number),
            offset=struct.Struct(order + ("Q" if long else offset)),
            inline=8 if big else 4,
        )


def _read(file: BinaryIO, layout: _Layout, at: int, found: Directories) -> tuple[tuple[int, ...], int]:
    """The SubIFDs of the directory at a place, and the place of the one that follows; 0 for none."""
    file.seek(at)
    head = file.read(layout.number.size)
    count = layout.number.unpack(head)[0] if len(head) == layout.number.size else 0
    data = file.read(min(count, TAGS + 1) * layout.entry.size)
    following = file.read(layout.offset.size)
    if not 0 < count <= TAGS or len(following) < layout.offset.size:
        return (), 0
    size, subs = [0, 0], (0, 0, 0)
    for place, (tag, kind, number, value) in enumerate(layout.entry.iter_unpack(data)):
        if tag in (WIDTH, LENGTH):
            size[tag - WIDTH] = value  # of a short one in the other byte order a multiple, which tells sizes apart too
        if tag not in READ:
            continue
        nbytes = number * SIZES.get(kind, 0)
        here = at + layout.number.size + (place + 1) * layout.entry.size - layout.inline
        start = here if nbytes <= layout.inline else value
        if start + nbytes > layout.end:
            continue
        found.values += nbytes
        found.texts += tag == DESCRIPTION
        if tag == SUBIFDS:
            subs = (start, number, SIZES.get(kind, 0))
    found.sizes.add((size[0], size[1]))
    return _offsets(file, layout, *subs), layout.offset.unpack(following)[0]


def _offsets(file: BinaryIO, layout: _Layout, start: int, number: int, size: int) -> tuple[int, ...]:
    """The SubIFDs that a tag lists, of which one more than are allowed is enough."""
    number = min(number, SUBS + 1)
    letter = {4: "I", 8: "Q"}.get(size)
    if not number or letter is None:
        return ()
    file.seek(start)
    return struct.unpack(f"{layout.order}{number}{letter}", file.read(number * size))
