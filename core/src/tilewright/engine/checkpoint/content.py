"""Which pixels an image in memory stands for, told without reading those that lie on a disk."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...behind import files_behind
from ...storage.arrays import Array, beneath
from ...storage.disk import file_state
from ...storage.local import chunk_files
from .code_identity import behaviour, pieces

__all__ = ["content", "files_state"]


def content(data: Array) -> str:
    """A text that changes with an array's pixels.

    numpy's are told by a digest. What is read from files is told by its name and the state of all of these files; a
    zarr array by its name alone, because every tile has a guard of its own chunks. Any other array is told by what it
    holds.
    """
    whole, views = beneath(data)
    if isinstance(whole, np.ndarray):
        digest = hashlib.blake2b(digest_size=16)
        for piece in pieces(whole):
            digest.update(piece)
        return f"pixels {digest.hexdigest()}{views}"
    files = sorted(set(map(str, files_behind(whole))))
    is_zarr, is_dask = hasattr(whole, "metadata"), hasattr(whole, "__dask_graph__")
    name = f"{type(whole).__name__} {getattr(whole, 'name', '')} {whole.store if is_zarr else ''}{views}"
    if is_zarr and not views:
        return name
    if files or is_zarr or is_dask:  # dask makes names of what its tasks are
        return f"{name} files {sum(map(_state, files))}" if files else name
    return f"{name} {hashlib.blake2b(behaviour(whole).encode(), digest_size=16).hexdigest()}"


def files_state(path: str, data: Array) -> int | None:
    """A number that changes with any of the files that a reader read, or with any in the folder that it was given.

    None where tiles have guards of their own chunks, and for what is not here.
    """
    if not path or chunk_files(beneath(data)[0]) is not None or not Path(path).exists():
        return None
    return sum(map(_state, {path, *map(str, files_behind(data))}))


def _state(path: str) -> int:
    """A number that changes with the size or time of a file, or of any in a folder; in whatever order they come."""
    return sum(zlib.crc32(repr((file, file_state(file))).encode()) for file in _files(path))


def _files(path: str) -> Iterator[str]:
    yield path
    for folder, _, names in os.walk(path):
        yield from (f"{folder}/{name}" for name in names)
