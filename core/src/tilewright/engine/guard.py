"""Has the source changed since a tile was segmented? Told from its files, without reading them."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from ..image import Image, Region

__all__ = ["file_state", "guard", "is_gone"]


def guard(image: Image, region: Region) -> int:
    """A number that changes when the stored pixels of a region may have: the size and time of their chunks' files.

    region: in the axes of the image's own data. 0 for what has no files of its own for a region: arrays in memory,
    remote stores, and single files, whose state is part of the run's record.
    """
    files = image.chunk_files
    return 0 if files is None else zlib.crc32(repr([file_state(file) for file in files.of(region)]).encode())


def is_gone(image: Image) -> bool:
    """Whether the folder that the image's data was opened from is no array any more; False where nobody can tell."""
    return image.chunk_files is not None and image.chunk_files.gone()


def file_state(path: str | Path) -> tuple[int, int] | None:
    """Size and time of change, in bytes and nanoseconds; None where there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a million tiles have a few million chunks; Path.stat is slower
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
