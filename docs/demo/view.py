"""The picture of the page on the viewer, taken of it in Chromium: `python docs/demo/view.py`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from demo import NUCLEI
from mosaic import mosaic
from PIL import Image as Picture
from playwright.sync_api import sync_playwright

from tilewright import Grid, Image, Pipeline
from tilewright_view import Layer, Viewer, seams

DOCS = Path(__file__).parents[1]
CHROMIUM = "/usr/bin/chromium"
SOFTWARE = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
TILE = 700


def main() -> None:
    image, mask = (tifffile.imread(DOCS / "demo" / "data" / f"{name}2d.tif") for name in ("img", "mask"))
    pixels, _ = mosaic(image, mask, 4)
    facts: dict[str, Any] = {"spacing": dict.fromkeys("yx", 0.5), "units": dict.fromkeys("yx", "micrometer")}
    nuclei = Image(pixels, "yx", **facts)
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(segmenter={"name": "watershed", "configuration": NUCLEI}, tiler=Grid(tile=TILE))
        labels = Image(np.asarray(pipeline.run(nuclei, Path(folder) / "nuclei.zarr").labels[...]), "yx", **facts)
    colored = Layer(name="nuclei", kind="labels", levels=(labels,))
    viewer = Viewer([Layer.of_image("DAPI", [nuclei]), colored, seams([labels], (TILE, TILE))], at={"y": 800, "x": 750})
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=SOFTWARE)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(viewer.url)
        page.wait_for_timeout(8000)
        page.mouse.move(700, 420)  # whose id is shown
        page.wait_for_timeout(1000)
        page.screenshot(path=DOCS / "view.png")
        browser.close()
    viewer.stop()
    shot = Picture.open(DOCS / "view.png").convert("RGB")
    shot.quantize(128).save(DOCS / "view.png", optimize=True)


if __name__ == "__main__":
    main()
