"""The files behind an array in memory: what a run must not write over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .image import Image
from .storage.arrays import beneath
from .storage.local import is_zarr

__all__ = ["files_behind"]


def files_behind(said: Any) -> Iterator[Path]:
    """The paths of the zarr and HDF5 arrays and memory maps that an image is read from, as far as the image tells.

    An array of a reader's own tells its files by an attribute `files`.
    A dask array is asked for all that its graph holds, which takes as long as the graph has entries.
    """
    if isinstance(said, str | os.PathLike):
        yield Path(said)
    elif isinstance(said, Image):
        if said.source:
            yield Path(said.source)
        yield from files_behind(beneath(said.data)[0])
    elif is_zarr(said):
        # a store of local files has a root; dask opens them through fsspec, whose remote paths are not absolute
        root = getattr(said.store, "root", None) or getattr(said.store, "path", None)
        if root is not None and Path(root).is_absolute():
            yield Path(root) / said.path
    elif isinstance(said, np.memmap) and said.filename is not None:
        yield Path(said.filename)
    elif hasattr(said, "__dask_graph__"):
        for task in said.__dask_graph__().values():
            for held in (task, *(getattr(part, "value", None) for part in getattr(task, "args", ()))):
                yield from () if isinstance(held, str | os.PathLike) else files_behind(held)
    elif isinstance(files := getattr(said, "files", None), tuple):
        yield from map(Path, files)
    elif type(said).__module__.startswith("h5py."):
        yield Path(os.fsdecode(said.file.filename))
