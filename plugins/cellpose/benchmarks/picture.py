"""The run and the picture of docs/cellpose.md: made-up tissue, segmented by the small model in tiles.

python plugins/cellpose/benchmarks/picture.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / each) for each in ("tests/support", "plugins/cellpose/tests/models", "docs/demo")]

import small_cellpose
import synth
from overlay import draw
from PIL import Image as Picture
from plane import Plane

from tilewright import Grid, Image, Pipeline, compare
from tilewright_cellpose.segmenter import Cellpose

SIDE, TILE = 512, 256


def main() -> None:
    small_cellpose.narrow()
    pixels, truth = synth.make((SIDE, SIDE), "tissue", 11)
    pipeline = Pipeline(segmenter=Cellpose(model=str(small_cellpose.SMALL)), tiler=Grid(tile=TILE))
    result = pipeline.run(pixels)
    labels = result.labels.compute()
    score = compare(truth, labels, thresholds=(0.5,)).scores[0]
    said = f"{result.n_objects} of {truth.max()} nuclei in {result.n_tiles} tiles, AP@0.5 {score.ap:.3f}"
    print(said)
    image = Image(data=pixels, axes="yx")
    plane = Plane(image=image, coarse=image, labels=labels, channel=0)
    edges = [*range(0, SIDE, TILE), SIDE]
    path = ROOT / "docs/cellpose.png"
    draw(path, plane, (edges, edges), (said, "where four tiles meet"))
    picture = Picture.open(path)
    small = picture.resize((1400, 1400 * picture.height // picture.width), Picture.Resampling.LANCZOS)
    small.quantize(64, dither=Picture.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
