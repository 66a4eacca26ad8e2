"""Has the source changed since a tile was segmented? Told from its files, without reading them."""

from __future__ import annotations

import itertools
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..chunks import local_root
from ..image import Image, Region

__all__ = ["file_state", "guard", "is_gone"]


def guard(image: Image, region: Region) -> int:
    """A number that changes when the stored pixels of a region may have: the size and time of their chunks' files.

    region: in the axes of the image's own data. 0 for what has no files of its own for a region: arrays in memory,
    remote stores, and single files, whose state is part of the run's record.
    """
    states = (file_state(file) for file in _chunk_files(image.data, region))
    return zlib.crc32(repr(list(states)).encode()) if local_root(image.data) else 0


def is_gone(image: Image) -> bool:
    """Whether the folder that the image's data was opened from is no array any more; False where nobody can tell."""
    root = local_root(image.data)
    return root is not None and not any(os.path.exists(f"{root}/{name}") for name in ("zarr.json", ".zarray"))  # noqa: PTH110 - as above


def file_state(path: str | Path) -> tuple[int, int] | None:
    """Size and time of change, in bytes and nanoseconds; None where there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a million tiles have a few million chunks; Path.stat is slower
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _chunk_files(data: Any, region: Region) -> Iterator[str]:
    root = local_root(data)
    if root is None:
        return iter(())
    unit = data.shards or data.chunks
    spans = [range(part.start // step, -(-part.stop // step)) for part, step in zip(region, unit, strict=True)]
    return (f"{root}/{data.metadata.encode_chunk_key(at)}" for at in itertools.product(*spans))
