"""The pictures of the page on reports, taken of two in Chromium: `python docs/demo/report.py`.

That of nuclei in a volume is made of the 3-D image that the package stardist brings, turned by quarters.
"""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from demo import NUCLEI
from mosaic import mosaic, write
from numpy.typing import NDArray
from PIL import Image as Picture
from playwright.sync_api import sync_playwright

from tilewright import Grid, Image, Pipeline, Result
from tilewright.report import report

DOCS = Path(__file__).parents[1]
CHROMIUM = "/usr/bin/chromium"
VOLUME = {"threshold": "otsu", "sigma": 1.0, "min_distance": 4, "min_size": 60}


def main() -> None:
    image, mask = (tifffile.imread(DOCS / "demo" / "data" / f"{name}2d.tif") for name in ("img", "mask"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nuclei.ome.zarr"
        write(path, mosaic(image, mask, 3)[0], 1)
        plane = {"segmenter": {"name": "watershed", "configuration": NUCLEI}, "tiler": Grid(tile=500)}
        take(Pipeline(**plane).run(path, name="nuclei"), "report.png", 1480)
        deep = Image(volume(), "zyx", spacing={"z": 1.0, "y": 1.0, "x": 1.0}, name="volume")
        solid = {"segmenter": {"name": "watershed", "configuration": VOLUME}, "tiler": Grid(tile=(31, 80, 80))}
        zarr.create_array(Path(folder) / "volume.zarr", data=deep[...], dimension_names="zyx")
        made = Pipeline(**solid).run(Path(folder) / "volume.zarr", Path(folder) / "volume-nuclei.ome.zarr")
        take(made, "report-3d.png", 1300)


def volume() -> NDArray[np.uint16]:
    """Real nuclei in 31 planes, in 16 turned copies side by side."""
    (package,) = importlib.util.find_spec("stardist").submodule_search_locations  # type: ignore[union-attr, misc]
    one = tifffile.imread(Path(package) / "data" / "images" / "img3d.tif")[:, :57, :57]
    turned = [[np.rot90(one, row + column, (1, 2)) for column in range(4)] for row in range(4)]
    return np.concatenate([np.concatenate(row, axis=2) for row in turned], axis=1)


def take(result: Result, name: str, height: int) -> None:
    """A picture of the top of the report of labels."""
    page = Path(result.path).parent / f"{name}.html"
    page.write_text(report(result.path).html.replace(f"{page.parent}/", ""), encoding="utf-8")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 1180, "height": 1000}, color_scheme="light")
        shown.goto(f"file://{page}")
        clip: Any = {"x": 0, "y": 0, "width": 1180, "height": height}
        shown.screenshot(path=DOCS / name, full_page=True, clip=clip)
        browser.close()
    Picture.open(DOCS / name).convert("RGB").quantize(128).save(DOCS / name, optimize=True)


if __name__ == "__main__":
    main()
