"""Windows read at random from a tiled pyramid, beside tifffile's own time for the same.

    python plugins/tiff/benchmarks/windows.py [--length 20000] [--windows 200]

"tifffile" is its store opened with zarr, as its documentation reads windows. Both are measured in turns, warm.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from tilewright_tiff.reader import TiffReader

TILE = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--length", type=int, default=20_000)
    parser.add_argument("--windows", type=int, default=200)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pyramid.ome.tif"
        write(path, said.length)
        print(f"{said.length}² pixels, {path.stat().st_size / 2**20:,.0f} MB")
        for level in range(3):
            compare(path, level, said.windows)


def write(path: Path, length: int) -> None:
    """Noise that deflates to about half, tile by tile."""
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as tif:
        for level in range(3):
            size = length >> level
            tif.write(
                tiles(size),
                shape=(size, size),
                dtype=np.uint16,
                tile=(TILE, TILE),
                compression="zlib",
                photometric="minisblack",
                **({"subfiletype": 1} if level else {"subifds": 2, "metadata": {"axes": "YX"}}),
            )


def tiles(length: int) -> Iterator[NDArray[Any]]:
    made = np.random.default_rng(0).integers(0, 200, (64, TILE, TILE)).astype(np.uint16)
    for number in range((-(-length // TILE)) ** 2):
        yield made[number % len(made)]


def compare(path: Path, level: int, windows: int) -> None:
    with tifffile.TiffFile(path) as tif:
        theirs = zarr.open_array(tif.series[0].aszarr(level=level), mode="r")
        ours = TiffReader(level=level)(str(path))
        places = np.random.default_rng(level).integers(0, ours.shape[0] - 600, (windows, 2))
        regions = [(slice(y, y + 600), slice(x, x + 600)) for y, x in places.tolist()]
        rounds = [(seconds(lambda r: theirs[r], regions), seconds(ours.read, regions)) for _ in range(5)]
        for region in regions[:5]:
            np.testing.assert_array_equal(ours.read(region), theirs[region])
        them, us = (statistics.median(times) for times in zip(*rounds, strict=True))
    print(f"level {level}: tifffile {them / windows * 1e3:.1f} ms, ours {us / windows * 1e3:.1f} ms: {us / them:.2f} x")


def seconds(read: Callable[[Any], Any], regions: list[Any]) -> float:
    start = time.perf_counter()
    for region in regions:
        read(region)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
