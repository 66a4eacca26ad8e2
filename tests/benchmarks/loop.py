"""A segmenter in pure Python, which holds the interpreter's lock, in so many processes: `python loop.py 2 FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Grid, Pipeline


def segment(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Some seconds of counting for a tile, beside which the start of the processes is short."""
    total = 0
    for value in pixels.ravel().tolist() * 48:
        total += value * value % 7
    return np.full(pixels.shape, total >= 0, np.uint8)


def main(count: int, folder: Path) -> None:
    image = np.arange(2048 * 2048, dtype=np.uint32).reshape(2048, 2048)
    Pipeline(segmenter=segment, tiler=Grid(tile=512), writer="zarr-array").run(
        image, folder / "labels.zarr", overwrite=True, workers=count, processes=True
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
