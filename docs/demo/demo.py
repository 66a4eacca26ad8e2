"""Segment a large image tile by tile, count what is found, and draw it.

    python docs/demo/demo.py                   a mosaic of 4096 × 4096 pixels with a known number of nuclei
    python docs/demo/demo.py --image PATH      an image of your own, any size, any axes; it is only read

Everything is written below demo-output/ in the current folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import tifffile
from mosaic import mosaic, true_count, write
from overlay import PANEL, draw
from plane import Plane

from tilewright import Image, Pipeline, Result, TilewrightError, open_image

DATA = Path(__file__).parent / "data"
OUTPUT = Path("demo-output")
COPIES = 8
LEVELS = 4
TILE = {"z": 16, "y": 700, "x": 700}  # no multiple of the copies' 512, so that tiles meet in the midst of nuclei

# The best of those tried on the single image: 83 objects, 60 of which match one of its 125 nuclei by IoU > 0.5.
SEGMENTER = {"name": "threshold", "configuration": {"sigma": 0.7, "min_size": 30, "fill_holes": 10}}


def main() -> None:
    parser = argparse.ArgumentParser(description="Segment a large image tile by tile, and draw what is found.")
    parser.add_argument("--image", help="an image of your own, instead of the mosaic of nuclei")
    parser.add_argument("--channel", help="which of its channels to segment, by index or name (default: the first)")
    arguments = parser.parse_args()
    OUTPUT.mkdir(exist_ok=True)
    try:
        if arguments.image:
            own(arguments.image, arguments.channel)
        else:
            nuclei()
    except TilewrightError as error:
        sys.exit(f"error: {error}")


def nuclei() -> None:
    """The mosaic: made, segmented into its own labels, and held against its true number of nuclei."""
    path = OUTPUT / "nuclei.ome.zarr"
    print(f"making {path}: {COPIES} × {COPIES} mirrored copies of a fluorescence image with outlined nuclei")
    write(path, mosaic(tifffile.imread(DATA / "img2d.tif"), COPIES), LEVELS)
    truth = true_count(tifffile.imread(DATA / "mask2d.tif"), COPIES)
    image = open_image(path)
    tile = tile_of(image)
    result = pipeline(tile).run(path, name="nuclei", overwrite=True)
    report(result, f"{result.n_objects:,} objects; {truth:,} nuclei were outlined by hand")
    print("            a threshold cannot part nuclei that touch: a cluster of them counts as one object")
    picture(image, result, tile, 0, f"{result.n_objects:,} objects found, {truth:,} nuclei outlined by hand")


def own(path: str, channel: str | None) -> None:
    """A user's image: only read; its labels go to a store of their own."""
    image = open_image(path)
    index = image.channel_index(channel or 0) if "c" in image.axes else 0
    print(f"{path}: {image.axes} {' × '.join(map(str, image.shape))}, {image.dtype}")
    tile = tile_of(image)
    result = pipeline(tile).run(
        path, OUTPUT / "labels.ome.zarr", channel=index if "c" in image.axes else None, overwrite=True
    )
    report(result, f"{result.n_objects:,} objects")
    picture(image, result, tile, index, f"{result.n_objects:,} objects found")


def pipeline(tile: Mapping[str, int]) -> Pipeline:
    """The threshold segmenter on a grid of tiles; halo and merger are those that the segmenter asks for."""
    return Pipeline(segmenter=SEGMENTER, tiler={"name": "grid", "configuration": {"tile": tuple(tile.values())}})


def tile_of(image: Image) -> dict[str, int]:
    """The tile's length along each spatial axis: a third of a small image, so that there is something to join."""
    return {axis: max(1, min(TILE[axis], -(-image.size(axis) // 3))) for axis in image.spatial_axes}


def report(result: Result, found: str) -> None:
    """Print what was found, in how many tiles, how fast, and where it is."""
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in result.seconds.items())
    print(f"found       {found}")
    print(f"tiles       {result.n_tiles}")
    print(f"seconds     {sum(result.seconds.values()):.1f} ({stages})")
    print(f"labels      {result.path}")


def picture(image: Image, result: Result, tile: Mapping[str, int], channel: int, found: str) -> None:
    """Draw the overlay and print where it is."""
    height, width = image.size("y"), image.size("x")
    lines = [[*range(0, length, tile[axis]), length] for axis, length in (("y", height), ("x", width))]
    plane = Plane(image=image, coarse=coarse(image, tile), labels=result.labels, channel=channel)
    captions = (
        f"{height} x {width} pixels, {result.n_tiles} tiles: {found}",
        "the framed part: outlines by id, tile borders in blue",
    )
    path = OUTPUT / "overlay.png"
    draw(path, plane, (lines[0], lines[1]), captions)
    print(f"picture     {path}")


def coarse(image: Image, tile: Mapping[str, int]) -> Image:
    """The smallest resolution of an image that still fills a panel: of a pyramid one level, else the image."""
    y, x = image.axes.index("y"), image.axes.index("x")
    enough = [n for n, level in enumerate(image.levels) if max(level.shape[y], level.shape[x]) >= PANEL]
    if not enough or not image.source:
        return image
    return pipeline(tile).open(image.source, level=enough[-1])


if __name__ == "__main__":
    main()
