"""Many empty tiles of 32×32: `python small.py make 10000 FOLDER`, then `memory` and `zarr` for where the image lies."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

TILE, CHUNK = 32, 256


def make(tiles: int, folder: Path) -> None:
    length = TILE * math.isqrt(tiles)
    zarr.create_array(
        folder / f"{tiles}.zarr", shape=(length, length), dtype="uint8", chunks=(CHUNK, CHUNK), dimension_names="yx"
    )


def nothing(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return np.zeros(pixels.shape, np.uint8)


def memory(tiles: int, folder: Path) -> None:
    length = TILE * math.isqrt(tiles)
    _run(np.zeros((length, length), np.uint8), folder)


def zarr_(tiles: int, folder: Path) -> None:
    _run(str(folder / f"{tiles}.zarr"), folder)


def _run(image: Any, folder: Path) -> None:
    from tilewright import Grid, Pipeline

    Pipeline(segmenter=nothing, tiler=Grid(tile=TILE), writer="zarr-array").run(
        image, folder / "labels.zarr", workers=2, overwrite=True
    )


if __name__ == "__main__":
    what, count, place = sys.argv[1:]
    {"make": make, "memory": memory, "zarr": zarr_}[what](int(count), Path(place))
