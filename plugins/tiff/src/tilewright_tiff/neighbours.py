"""What a file of Micro-Manager leads tifffile to: parts of its own, and files beside it; checked before it follows."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import tifffile

from tilewright.abc import check_metadata
from tilewright.errors import InvalidImage, NotReadable

from .directories import check_directories
from .omexml import PLANES, leads_out

__all__ = ["check_neighbours"]

INDEX = "NDTiff.index"
LARGEST = 2**26  # bytes of a part of the metadata
NEWER = 483729  # the first number of NDTiff 2 and 3, whose summary alone is in the file
COUNTS = ("Channels", "Slices", "Frames", "Positions")  # in the order of the index's columns


def check_neighbours(tif: tifffile.TiffFile) -> None:
    """Check what belongs to a file of Micro-Manager.

    NotReadable for files beside it that are no regular files, or metadata that is too large; InvalidImage for metadata
    that leads out of the folder or claims more planes than a file may claim.
    """
    if not tif.is_micromanager:
        return
    folder = Path(tif.filehandle.dirname)
    _check_parts(tif)
    if (folder / INDEX).exists():
        _check_index(folder / INDEX)
    for file in folder.glob("*_MMStack*.tif"):
        _check_part(file)
    if not tif.is_ome and tif.is_mmstack:
        _check_claims(tif)


def _check_parts(tif: tifffile.TiffFile) -> None:
    """The lengths that the header gives: of the summary, the index, the settings of the display, and comments."""
    file, order = tif.filehandle, tif.byteorder
    file.seek(8)
    head = struct.unpack(f"{order}9I", file.read(36))
    lengths = [max(head[3:5]) if head[0] == NEWER else head[7]]
    for offset, unit in ((head[1], 20), (head[3], 1), (head[5], 1)):
        for at in (offset, offset + 2**32):  # which has 32 bits, also in files of more than 4 GB
            file.seek(at)
            part = file.read(8)
            lengths += [struct.unpack(f"{order}2I", part)[1] * unit] if len(part) == 8 else []
    if file.size > LARGEST and max(lengths) > LARGEST:
        raise NotReadable(
            f"{file.name!r} has metadata of {max(lengths):,} bytes, more than {LARGEST:,}; export it again"
        )


def _check_index(index: Path) -> None:
    check_metadata(index)
    names, places = set(), dict[str, list[int]]()
    for axes, name, *_ in tifffile.read_ndtiff_index(index):
        names.add(name)
        for axis, place in axes.items():
            places.setdefault(axis, []).append(place if isinstance(place, int) else 0)
    for name in names:
        if leads_out(name):
            raise InvalidImage(f"{str(index)!r} leads out of its folder, to {name!r}; it is not opened")
        if (file := index.parent / name).exists():
            _check_part(file)
    _check_planes(math.prod(max(each) - min(each) + 1 for each in places.values()), str(index))


def _check_part(file: Path) -> None:
    if not file.is_file():
        raise NotReadable(f"{str(file)!r} would be a part of a stack, but is not a file; remove it")
    check_directories(file, first=True)


def _check_claims(tif: tifffile.TiffFile) -> None:
    said = tif.micromanager_metadata or {}
    largest = said["IndexMap"][:, :4].max(axis=0, initial=0)
    counts = [max(int(n) + 1, int(said["Summary"].get(name, 1))) for n, name in zip(largest, COUNTS, strict=True)]
    _check_planes(math.prod(counts), tif.filename)


def _check_planes(planes: int, where: str) -> None:
    if planes > PLANES:
        raise InvalidImage(
            f"the metadata of {where!r} claims {planes:,} planes, more than {PLANES:,}; it is not opened"
        )
