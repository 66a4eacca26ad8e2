"""The picture of the page on reports, taken of one in Chromium: `python docs/demo/report.py`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import tifffile
from demo import NUCLEI
from mosaic import mosaic, write
from PIL import Image as Picture
from playwright.sync_api import sync_playwright

from tilewright import Grid, Pipeline
from tilewright.report import report

DOCS = Path(__file__).parents[1]
CHROMIUM = "/usr/bin/chromium"


def main() -> None:
    image, mask = (tifffile.imread(DOCS / "demo" / "data" / f"{name}2d.tif") for name in ("img", "mask"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nuclei.ome.zarr"
        write(path, mosaic(image, mask, 3)[0], 1)
        pipeline = Pipeline(segmenter={"name": "watershed", "configuration": NUCLEI}, tiler=Grid(tile=500))
        page = report(pipeline.run(path, name="nuclei").path).html.replace(folder + "/", "")
        (Path(folder) / "page.html").write_text(page, encoding="utf-8")
        with sync_playwright() as started:
            browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            shown = browser.new_page(viewport={"width": 1180, "height": 1000}, color_scheme="light")
            shown.goto(f"file://{folder}/page.html")
            clip: Any = {"x": 0, "y": 0, "width": 1180, "height": 1480}
            shown.screenshot(path=DOCS / "report.png", full_page=True, clip=clip)
            browser.close()
    shot = Picture.open(DOCS / "report.png").convert("RGB")
    shot.quantize(128).save(DOCS / "report.png", optimize=True)


if __name__ == "__main__":
    main()
