"""Segmenters of given labels beside the library's own function on the whole image.

python tests/benchmarks/given.py [--size 4096] [--only expand …]

Timed are the function alone, with all arrays in memory, and the run, which reads and writes stored labels, each in a
process of its own. Peaks are those of these processes in MiB.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from scipy import ndimage

SMOOTH, THRESHOLD, DISTANCE = 2, 900, 20
OPTIONS: dict[str, dict[str, Any]] = {
    "expand": {"distance": DISTANCE},
    "ring": {"distance": DISTANCE, "gap": 2},
    "fill-holes": {},
    "keep": {"min_size": 40, "border": "all"},
    "seeded-watershed": {"threshold": THRESHOLD, "sigma": SMOOTH},
}
Labels = NDArray[Any]


def make(size: int, folder: Path) -> None:
    """A stain in blobs of some 60 pixels, and nuclei where it is brightest, every tenth with a hole."""
    random, tile = np.random.default_rng(0), 1024
    options: dict[str, Any] = {"shape": (size, size), "chunks": (512, 512), "dimension_names": "yx"}
    pixels = zarr.create_array(folder / "pixels.zarr", dtype="uint16", **options)
    nuclei = zarr.create_array(folder / "nuclei.zarr", dtype="uint32", **options)
    count = 0
    for y in range(0, size, tile):
        for x in range(0, size, tile):
            smooth = ndimage.gaussian_filter(random.standard_normal((tile, tile), np.float32), 12, mode="wrap")
            smooth /= smooth.std()
            labels, own = ndimage.label((smooth > 1.4) & ((smooth < 2.4) | (smooth > 2.6)))
            nuclei[y : y + tile, x : x + tile] = np.where(labels > 0, labels + count, 0)
            pixels[y : y + tile, x : x + tile] = (1000 + 300 * smooth).clip(0)
            count += own


def expanded(labels: Labels, _: Labels) -> Labels:
    from skimage.segmentation import expand_labels

    grown: Labels = expand_labels(labels, DISTANCE)
    return grown


def ring(labels: Labels, pixels: Labels) -> Labels:
    from skimage.segmentation import expand_labels

    return np.where(expand_labels(labels, 2) > 0, 0, expanded(labels, pixels))


def filled(labels: Labels, _: Labels) -> Labels:
    from skimage.measure import regionprops

    for each in regionprops(labels):
        holes = ndimage.binary_fill_holes(each.image)
        part = labels[each.slice]
        part[holes & (part == 0)] = each.label
    return labels


def kept(labels: Labels, _: Labels) -> Labels:
    from skimage.morphology import remove_small_objects
    from skimage.segmentation import clear_border

    large: Labels = clear_border(remove_small_objects(labels, max_size=39))
    return large


def watershed(labels: Labels, pixels: Labels) -> Labels:
    from skimage.segmentation import watershed

    smooth = ndimage.gaussian_filter(pixels, SMOOTH, output=np.float64)
    cells: Labels = watershed(-smooth, labels, mask=(smooth > THRESHOLD) | (labels > 0))
    return cells


WHOLE: dict[str, Callable[[Labels, Labels], Labels]] = {
    "expand": expanded,
    "ring": ring,
    "fill-holes": filled,
    "keep": kept,
    "seeded-watershed": watershed,
}


def whole(name: str, folder: Path) -> float:
    import skimage.measure
    import skimage.morphology
    import skimage.segmentation  # noqa: F401 - importing takes part of a second

    labels, pixels = (zarr.open_array(folder / f"{each}.zarr", mode="r")[...] for each in ("nuclei", "pixels"))
    start = time.perf_counter()
    WHOLE[name](np.asarray(labels, np.int32), np.asarray(pixels))
    return time.perf_counter() - start


def tiled(name: str, folder: Path) -> float:
    from tilewright import Pipeline

    pipeline = Pipeline(segmenter={"name": name, "configuration": OPTIONS[name]})
    start = time.perf_counter()
    pipeline.run(
        folder / "pixels.zarr",
        folder / f"{name}.ome.zarr",
        given={"nuclei": folder / "nuclei.zarr"},
        workers=2,
        overwrite=True,
    )
    return time.perf_counter() - start


def alone(how: str, name: str, folder: Path) -> tuple[float, float]:
    """Seconds and MiB of one of them, in a process of its own."""
    words = [sys.executable, __file__, "--alone", how, name, str(folder)]
    seconds, peak = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[-2:]
    return float(seconds), float(peak)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--only", nargs="+", default=list(OPTIONS))
    parser.add_argument("--alone", nargs=3)
    options = parser.parse_args()
    if options.alone:
        how, name, folder = options.alone
        seconds = {"whole": whole, "tiled": tiled}[how](name, Path(folder))
        print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    with tempfile.TemporaryDirectory() as folder:
        make(options.size, Path(folder))
        for name in options.only:
            one, other = alone("whole", name, Path(folder)), alone("tiled", name, Path(folder))
            print(
                f"{name}: whole {one[0]:.2f} s, {one[1]:.0f} MiB; tiled {other[0]:.2f} s, {other[1]:.0f} MiB; ratio "
                f"{other[0] / one[0]:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
