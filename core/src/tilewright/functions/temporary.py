"""Labels for which the user named no place: a temporary folder that lives as long as somebody can read it."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Any

from ..errors import NotReadable
from ..image import Array
from ..storage.disk import discard

__all__ = ["TemporaryArray", "TemporaryFolder"]


class TemporaryFolder:
    """A folder that goes away with this object."""

    def __init__(self, path: Path) -> None:
        self.path = path
        weakref.finalize(self, _remove_in, os.getpid(), path)


class TemporaryArray:
    """An array in a temporary folder, which goes away with the last such object: a dask array built on it holds it.

    A copy that was sent to another process does not hold the folder. It refuses to be read once the folder is gone,
    where a zarr array would give zeros.
    """

    def __init__(self, data: Array, folder: TemporaryFolder) -> None:
        self._data, self._folder, self._held = data, folder.path, folder
        self.shape, self.dtype, self.ndim = tuple(data.shape), data.dtype, len(data.shape)

    def __getitem__(self, region: Any) -> Any:
        block = self._data[region]
        if not self._folder.exists():  # asked afterwards: the folder is moved away before any of it is deleted
            raise NotReadable(
                f"the temporary labels in {self._folder} are gone, because the array of them was dropped; "
                "keep it until everything is computed, or give write_to"
            )
        return block

    def __dask_tokenize__(self) -> tuple[str, str]:
        return type(self).__name__, str(self._folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return _copy, (self._data, self._folder)


def _copy(data: Array, folder: Path) -> TemporaryArray:
    """The object in another process, where dropping it removes nothing."""
    copy = object.__new__(TemporaryArray)
    copy._data, copy._folder = data, folder
    copy.shape, copy.dtype, copy.ndim = tuple(data.shape), data.dtype, len(data.shape)
    return copy


def _remove_in(process: int, folder: Path) -> None:
    if os.getpid() == process:  # a forked child that ends drops its copy of everything
        discard(folder)
