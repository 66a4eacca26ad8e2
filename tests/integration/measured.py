"""A run in a process of its own that prints its peak memory in bytes: `python measured.py IMAGE OUTPUT MERGER`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Grid, Pipeline

CASES = {"touch": (0, "ome-zarr", "labels.ome.zarr"), "overlap": (16, "zarr-array", "labels.zarr")}


def segment(pixels: NDArray[Any]) -> NDArray[np.uint64]:
    """Connected components with ids that no table could be as long as."""
    labels: NDArray[np.uint64] = ndimage.label(pixels)[0].astype(np.uint64) * 2**40
    return labels


def peak() -> int:
    """The most memory that this process ever had, in bytes.

    Not `getrusage`: what that says begins with the memory of the process that started this one.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


if __name__ == "__main__":
    image, output, merger = sys.argv[1:]
    halo, writer, name = CASES[merger]
    pipeline = Pipeline(segmenter=segment, tiler=Grid(tile=1024, halo=halo), merger=merger, writer=writer)
    result = pipeline.run(image, Path(output) / name, axes="yx", workers=2)
    print(peak(), result.n_objects)
