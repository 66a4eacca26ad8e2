"""Does tiling change what Cellpose finds? Tiled runs of the small model beside its own evaluation of the whole image.

    python plugins/cellpose/benchmarks/accuracy.py [--presets medium dense tissue] [--side 2048] [--tiles 512+0/60 ...]

A tiling is TILE+OFFSET/HALO, in pixels: the first tile is OFFSET long, if that is not 0. Prints a table in Markdown.
With --depth it is a volume of so many planes, evaluated in 3-D, whose tiles are as deep as it is.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "plugins/cellpose/tests/models")]

import small_cellpose
import synth

small_cellpose.narrow()

from tilewright import Image, Needs, Pipeline, TileGrid, compare
from tilewright_cellpose.segmenter import Cellpose
from tilewright_cellpose.weights import loaded, newer, version

PRESETS = ("medium", "dense", "tissue")
TILINGS = (
    *("256+0", "256+100", "384+0", "384+250", "512+0", "512+137", "640+0", "768+0", "768+300", "1024+0", "1024+500"),
)
SEED = 11


class Shifted:
    """Square tiles of which the first may be shorter, as deep as the image."""

    def __init__(self, tile: int, offset: int, halo: int | None) -> None:
        self.tile, self.offset, self.halo = tile, offset, halo

    def __call__(self, image: Image, needs: Needs) -> TileGrid:
        halo = tuple(needs.halo[axis] if self.halo is None else self.halo for axis in image.axes)
        cores = tuple(
            (length,) if axis == "z" else self._cores(length)
            for axis, length in zip(image.axes, image.shape, strict=True)
        )
        stride = tuple(needs.stride.get(axis, 1) for axis in image.axes)
        return TileGrid(axes=image.axes, cores=cores, halo=halo, stride=stride)

    def _cores(self, length: int) -> tuple[int, ...]:
        first = min(self.offset or self.tile, length)
        full, rest = divmod(length - first, self.tile)
        return (first, *[self.tile] * full, *([rest] if rest else []))


def main(words: Sequence[str] | None = None) -> None:
    """Print a row for the untiled evaluation of each preset, and one for each tiling."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=PRESETS, choices=["sparse", *PRESETS])
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--depth", type=int, default=0)
    parser.add_argument("--tiles", nargs="+", default=TILINGS)
    said = parser.parse_args(words)
    shape = (said.depth,) * bool(said.depth) + (said.side, said.side)
    print(f"Cellpose {version()}, {' × '.join(map(str, shape))} pixels, the plugin's defaults\n")
    print("| image | tile + offset | objects | AP@0.5 truth | AP@0.9 untiled | fused | split | lost | doubled | s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for preset in said.presets:
        pixels, truth = synth.make(shape, preset, SEED)
        untiled = evaluated(pixels)
        report(preset, "untiled", *untiled, truth, untiled[0])
        for tiling in said.tiles:
            tile, offset, halo = read(tiling)
            report(preset, tiling, *run(pixels, tile, offset, halo), truth, untiled[0])


def read(tiling: str) -> tuple[int, int, int | None]:
    """The numbers of `512+137/60`; the halo may be left out for the plugin's."""
    found = re.fullmatch(r"(\d+)\+(\d+)(?:/(\d+))?", tiling)
    if found is None:
        raise SystemExit(f"{tiling!r} is no TILE+OFFSET/HALO")
    return int(found[1]), int(found[2]), None if found[3] is None else int(found[3])


def evaluated(pixels: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """The labels by Cellpose's own evaluation of the whole image, and the seconds that they took."""
    model = loaded(str(small_cellpose.SMALL), False)
    began = time.perf_counter()
    volume = {"do_3D": True, "z_axis": 0} if pixels.ndim == 3 else {}
    labels: NDArray[Any] = model.eval(pixels.copy(), **volume, **({} if newer() else {"channels": [0, 0]}))[0]
    return labels.astype(int), time.perf_counter() - began


def run(pixels: NDArray[Any], tile: int, offset: int, halo: int | None) -> tuple[NDArray[Any], float]:
    """The labels, and the seconds that they took."""
    began = time.perf_counter()
    segmenter = Cellpose(model=str(small_cellpose.SMALL), do_3D=pixels.ndim == 3)
    pipeline = Pipeline(segmenter=segmenter, tiler=Shifted(tile, offset, halo))
    labels: NDArray[Any] = pipeline.run(pixels).labels.compute()
    return labels, time.perf_counter() - began


def report(
    preset: str, tiling: str, labels: NDArray[Any], seconds: float, truth: NDArray[Any], untiled: NDArray[Any]
) -> None:
    """One row of the table."""
    to_truth, to_untiled = compare(truth, labels, thresholds=(0.5,)), compare(untiled, labels, thresholds=(0.9,))
    counts = " | ".join(
        str(len(each)) for each in (to_untiled.fused, to_untiled.split, to_untiled.lost, to_untiled.doubled)
    )
    figures = f"{to_truth.scores[0].ap:.4f} | {to_untiled.scores[0].ap:.4f}"
    print(f"| {preset} | {tiling} | {labels.max()} | {figures} | {counts} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
