"""A mask of 512³ read and labels of its size written, chunk by chunk in two threads, by one of three ways to the files.

    python mask.py make 64 FOLDER · python pipelines.py zarr 64 FOLDER · zarrs · direct

`zarr` and `zarrs` are zarr's own codec pipeline and that of the package zarrs; `direct` is `tilewright.storage.arrays`.
"""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import zarr

from tilewright.storage.arrays import direct

WORKERS = 2


def main(way: str, tile: int, folder: Path) -> None:
    zarr.config.set({"threading.max_workers": WORKERS})
    if way == "zarrs":
        zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
    source, target = zarr.open_array(folder / f"mask{tile}.zarr", mode="r"), folder / "copy.zarr"
    shutil.rmtree(target, ignore_errors=True)
    copy = zarr.create_array(target, shape=source.shape, dtype="uint32", chunks=(tile,) * 3)
    pixels, labels = (direct(source), direct(copy)) if way == "direct" else (source, copy)
    numbers = np.arange(tile, dtype=np.uint32)

    def move(at: tuple[int, ...]) -> None:
        region = tuple(slice(i * tile, (i + 1) * tile) for i in at)
        labels[region] = np.asarray(pixels[region]) * numbers

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(move, product(*(range(n // tile) for n in source.shape))))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
