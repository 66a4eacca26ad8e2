"""Whether tiles change what StarDist finds: `python plugins/stardist/benchmarks/tiling.py [--dimensions 3]`.

Made-up nuclei are segmented by StarDist in one piece, and in tiles of many sizes and offsets. The tiles are compared
with the piece (at IoU 0.9) and with the truth (at 0.5). The last line says the worst of it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import numpy as np
from numpy.typing import NDArray
from synth import make

from tilewright import Image, Needs, Pipeline, TileGrid, compare
from tilewright_stardist.normalization import normalized
from tilewright_stardist.segmenter import StarDist

MODELS = Path(__file__).parents[1] / "tests" / "models"
CASES = {
    2: [(256, 0), (256, 100), (277, 33), (300, 0), (384, 128), (400, 77), (512, 0), (512, 255), (640, 1), (1000, 500)],
    3: [(96, 0), (128, 0), (128, 50), (160, 80), (256, 0)],
}
COLUMNS = (
    "preset", "tile", "offset", "objects", "tiled", "AP@0.9", "fused", "split", "lost", "doubled",
    "AP@0.5 of the piece", "tiled less that", "windows", "time / piece",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Shifted:
    """A grid whose first tile is as long as the offset, so that seams lie elsewhere."""

    tile: int
    offset: int
    halo: int | None

    def __call__(self, image: Image, needs: Needs) -> TileGrid:
        cores = tuple(self._lengths(n) for n in image.shape)
        halo = tuple(needs.halo[axis] if self.halo is None else self.halo for axis in image.axes)
        return TileGrid(axes=image.axes, cores=cores, halo=halo)

    def _lengths(self, length: int) -> tuple[int, ...]:
        first = min(self.offset, length)
        more, rest = divmod(length - first, self.tile)
        return tuple(n for n in (first, *[self.tile] * more, rest) if n)


def rows(
    dimensions: int, preset: str, length: int, halo: int | None, tilings: list[tuple[int, int]]
) -> Iterator[tuple[str, float, float, int]]:
    """For each case its line, its AP at 0.9 beside the piece, its AP at 0.5 less the piece's, and its faults."""
    model = MODELS / ("nuclei_small" if dimensions == 2 else "nuclei3d_small")
    shape = (length, length) if dimensions == 2 else (96, length, length)
    pixels, truth = make(shape, preset, seed=11, **({"radius": 6.0} if dimensions == 3 else {}))
    image = Image(data=pixels, axes="zyx"[-dimensions:])
    segmenter = StarDist(model=str(model)).prepare(image)
    seen = normalized(pixels, segmenter.limits or ())
    library = segmenter._network.model
    begun = time.perf_counter()
    whole = library.predict_instances(seen)[0]
    took = time.perf_counter() - begun
    base = compare(truth, whole, thresholds=[0.5])[0.5].ap
    for tile, offset in tilings:
        begun = time.perf_counter()
        result = Pipeline(segmenter=segmenter, tiler=Shifted(tile=tile, offset=offset, halo=halo)).run(image)
        ratio = (time.perf_counter() - begun) / took
        labels: NDArray[Any] = np.asarray(result.labels)
        beside = compare(whole, labels, thresholds=[0.9])
        against = compare(truth, labels, thresholds=[0.5])[0.5].ap
        counts = [len(getattr(beside, name)) for name in ("fused", "split", "lost", "doubled")]
        line = f"| {preset} | {tile} | {offset} | {beside.n_reference} | {beside.n_predicted} | {beside[0.9].ap:.4f} | "
        line += f"{' | '.join(map(str, counts))} | {base:.4f} | {against - base:+.4f} | "
        line += f"{result.provenance['n_predicted']} | {ratio:.2f} |"
        yield line, beside[0.9].ap, against - base, sum(counts)


def _tiling(text: str) -> tuple[int, int]:
    tile, offset = text.split("+")
    return int(tile), int(offset)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dimensions", type=int, choices=(2, 3), default=2)
    parser.add_argument("--presets", nargs="+", default=["medium", "dense", "tissue"])
    parser.add_argument("--length", type=int, help="pixels along y and x: 2048 in 2-D, 512 in 3-D")
    parser.add_argument("--halo", type=int, help="the network's if it is not given")
    parser.add_argument(
        "--tiles", nargs="+", type=_tiling, metavar="TILE+OFFSET", help="all that are known, if not given"
    )
    said = parser.parse_args()
    length = said.length or (2048 if said.dimensions == 2 else 512)
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS))
    worst, drift, faults = 1.0, 0.0, 0
    for preset in said.presets:
        for line, ap, change, wrong in rows(
            said.dimensions, preset, length, said.halo, said.tiles or CASES[said.dimensions]
        ):
            print(line, flush=True)
            worst, drift, faults = min(worst, ap), max(drift, abs(change)), faults + wrong
    print(
        f"\nAP@0.9 at least {worst:.4f}; AP@0.5 changed by at most {drift:.4f}; {faults} fused, split, lost or doubled"
    )


if __name__ == "__main__":
    main()
