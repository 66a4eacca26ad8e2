"""A dask array as an image's data: a window computes the chunks under it, and knows the file that they come from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Region
from tilewright.errors import NotReadable

__all__ = ["Computed"]


class Computed:
    """An array whose regions are computed from a dask array in the thread that asks.

    NotReadable, in one line, for pixels that cannot be read.

    files: what the pixels are read from; an unfinished run starts anew when it has changed.
    """

    def __init__(self, array: Any, path: str) -> None:
        self._array, self.files = array, (path,)
        self.shape = tuple(int(n) for n in array.shape)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype).newbyteorder("=")
        self.chunks = array.chunks

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, region: Region) -> NDArray[Any]:
        try:
            block = self._array[region].compute(scheduler="synchronous")
        except IndexError:
            raise
        except Exception as error:
            message = " ".join(str(error).split())[:200]
            raise NotReadable(
                f"{self.files[0]!r} cannot be read at {region} ({type(error).__name__}: {message}); repair it"
            ) from error
        return np.asarray(block).astype(self.dtype, copy=False)
