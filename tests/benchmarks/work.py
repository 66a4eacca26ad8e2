"""What the benchmark's processes do: make an image, the floor of a run, and the run.

    python work.py make 2d FOLDER, then floor · run · pyramid · mode · corner · halo · overlap

The floor is a plain loop over the same tiles with the same function in the same number of threads, which reads each
tile once, labels it and writes its labels once with the same compression; it joins nothing. `halo` is the floor of
`overlap`: it reads and labels the halos too, and writes the cores.
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
HALO = {"2d": 32, "3d": 8}
CHUNKS = {"2d": (256, 256), "3d": (64, 128, 128)}  # those of label images that OME-Zarr gets by default


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
    image = zarr.create_array(
        folder / f"{case}.zarr", shape=shape, dtype="uint16", chunks=chunks, dimension_names="zyx"[-len(shape) :]
    )
    for region in tiles(shape, tile):
        smooth = ndimage.gaussian_filter(random.standard_normal(tile, np.float32), 6 if len(tile) == 2 else 4)
        blobs = 1000 + 800 * smooth / smooth.std() + random.normal(0, 30, tile)
        image[region] = np.clip(blobs, 0, 65535).astype(np.uint16)


def floor(case: str, folder: Path, halo: int = 0) -> None:
    shape, tile = CASES[case]
    shutil.rmtree(folder / "floor.zarr", ignore_errors=True)
    image = zarr.open_array(folder / f"{case}.zarr", mode="r")
    labels = zarr.create_array(folder / "floor.zarr", shape=shape, dtype="uint32", chunks=CHUNKS[case])

    def one(region: tuple[slice, ...]) -> None:
        outer = tuple(slice(max(0, part.start - halo), part.stop + halo) for part in region)
        core = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(region, outer, strict=True))
        labels[region] = segment(np.asarray(image[outer]))[core].astype(np.uint32)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, tiles(shape, tile)))


def halo(case: str, folder: Path) -> None:
    floor(case, folder, HALO[case])


def run(case: str, folder: Path) -> None:
    _run(case, folder, pyramid=False)


def overlap(case: str, folder: Path) -> None:
    _run(case, folder, halo=HALO[case], merger="overlap", pyramid=False)


def pyramid(case: str, folder: Path) -> None:
    _run(case, folder)


def mode(case: str, folder: Path) -> None:
    _run(case, folder, downsampling="mode")


def corner(case: str, folder: Path) -> None:
    """A quarter along every axis."""
    _run(case, folder, part=4, pyramid=False)


def _run(case: str, folder: Path, part: int = 1, halo: int = 0, merger: str = "touch", **options: Any) -> None:
    from tilewright import Grid, Pipeline

    shape, tile = CASES[case]
    image: Any = str(folder / f"{case}.zarr")
    if part > 1:
        image = zarr.open_array(image, mode="r")[tuple(slice(n // part) for n in shape)]
    writer = {"name": "ome-zarr", "configuration": {"chunks": CHUNKS[case], **options}}
    pipeline = Pipeline(segmenter=segment, tiler=Grid(tile=tile, halo=halo), merger=merger, writer=writer)
    pipeline.run(image, folder / "labels.ome.zarr", workers=WORKERS, overwrite=True)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    globals()[what](rest[0], Path(rest[1]))
