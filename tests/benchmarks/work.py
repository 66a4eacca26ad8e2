"""What the benchmark's processes do: make an image, the floor of a run, and the run.

    python work.py make 2d FOLDER · python work.py floor 2d FOLDER · python work.py run 2d FOLDER

The floor is a plain loop over the same tiles with the same function in the same number of threads, which reads each
tile once, labels it and writes its labels once with the same compression; it joins nothing.
"""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from scipy import ndimage

WORKERS = 2
CASES = {"2d": ((8192, 8192), (1024, 1024)), "3d": ((256, 768, 768), (64, 256, 256))}


def segment(pixels: NDArray[Any]) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(pixels > 1800)[0]
    return labels


def tiles(shape: tuple[int, ...], tile: tuple[int, ...]) -> list[tuple[slice, ...]]:
    counts = [n // t for n, t in zip(shape, tile, strict=True)]
    return [tuple(slice(i * t, (i + 1) * t) for i, t in zip(at, tile, strict=True)) for at in np.ndindex(*counts)]


def make(case: str, folder: Path) -> None:
    """Blobs over noise, about a tenth of the pixels, in chunks of a quarter of a tile's plane."""
    shape, tile = CASES[case]
    random = np.random.default_rng(0)
    chunks = tuple(min(512, t) for t in tile)
    image = zarr.create_array(folder / "image.zarr", shape=shape, dtype="uint16", chunks=chunks)
    for region in tiles(shape, tile):
        smooth = ndimage.gaussian_filter(random.standard_normal(tile, np.float32), 6 if len(tile) == 2 else 4)
        blobs = 1000 + 800 * smooth / smooth.std() + random.normal(0, 30, tile)
        image[region] = np.clip(blobs, 0, 65535).astype(np.uint16)


def floor(case: str, folder: Path) -> None:
    shape, tile = CASES[case]
    shutil.rmtree(folder / "floor.zarr", ignore_errors=True)
    image = zarr.open_array(folder / "image.zarr", mode="r")
    labels = zarr.create_array(folder / "floor.zarr", shape=shape, dtype="uint32", chunks=tile)

    def one(region: tuple[slice, ...]) -> None:
        labels[region] = segment(np.asarray(image[region])).astype(np.uint32)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, tiles(shape, tile)))


def run(case: str, folder: Path) -> None:
    from tilewright import Grid, Pipeline

    image = zarr.open_array(folder / "image.zarr", mode="r")
    pipeline = Pipeline(segmenter=segment, tiler=Grid(tile=CASES[case][1]), writer="zarr-array")
    pipeline.run(image, folder / "labels.zarr", workers=WORKERS, overwrite=True)


def least() -> None:
    """The smallest possible run."""
    from tilewright import Pipeline

    Pipeline(segmenter=segment).run(np.zeros((8, 8), np.uint16))


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    globals()[what](*rest[:1], *map(Path, rest[1:]))
