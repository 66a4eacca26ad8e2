"""A mask of 512³ labelled from zarr to zarr: whole in memory by scipy or cc3d, and tile by tile.

    python mask.py make 64 FOLDER · python mask.py scipy 64 FOLDER · cc3d · run · run_cc3d

About 18 % of the voxels are foreground, in some 7,000 objects. All of them write uint32 with the same chunks and codec.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from scipy import ndimage

LENGTH, PART, FOREGROUND, WORKERS = 512, 256, 0.18, 2


def make(tile: int, folder: Path) -> None:
    random = np.random.default_rng(0)
    image = zarr.create_array(
        folder / f"mask{tile}.zarr", shape=(LENGTH,) * 3, dtype="uint8", chunks=(tile,) * 3, dimension_names="zyx"
    )
    for at in np.ndindex((LENGTH // PART,) * 3):
        smooth = ndimage.gaussian_filter(random.standard_normal((PART,) * 3, np.float32), 3.1, mode="wrap")
        image[tuple(slice(i * PART, (i + 1) * PART) for i in at)] = smooth > np.quantile(smooth[::4], 1 - FOREGROUND)


def by_scipy(pixels: NDArray[Any]) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(pixels)[0]
    return labels


def by_cc3d(pixels: NDArray[Any]) -> NDArray[Any]:
    from cc3d import connected_components

    labels: NDArray[Any] = connected_components(pixels, connectivity=6)
    return labels


def scipy(tile: int, folder: Path) -> None:
    _whole(tile, folder, by_scipy)


def cc3d(tile: int, folder: Path) -> None:
    _whole(tile, folder, by_cc3d)


def run(tile: int, folder: Path) -> None:
    _run(tile, folder, by_scipy)


def run_cc3d(tile: int, folder: Path) -> None:
    _run(tile, folder, by_cc3d)


def _whole(tile: int, folder: Path, label: Any) -> None:
    zarr.config.set({"threading.max_workers": WORKERS})
    mask = np.asarray(zarr.open_array(folder / f"mask{tile}.zarr", mode="r")[:])
    shutil.rmtree(folder / "whole.zarr", ignore_errors=True)
    labels = zarr.create_array(folder / "whole.zarr", shape=mask.shape, dtype="uint32", chunks=(tile,) * 3)
    labels[:] = label(mask)


def _run(tile: int, folder: Path, segment: Any) -> None:
    from tilewright import Grid, Pipeline
    from tilewright.builtin.zarr_array import ZarrArray

    pipeline = Pipeline(segmenter=segment, tiler=Grid(tile=tile), writer=ZarrArray())
    pipeline.run(str(folder / f"mask{tile}.zarr"), folder / "labels.zarr", workers=WORKERS, overwrite=True)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    globals()[what](int(rest[0]), Path(rest[1]))
