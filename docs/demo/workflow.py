"""The picture of the page on workflows, of what the page itself makes: `python docs/demo/workflow.py`."""

from __future__ import annotations

import csv
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image as Picture
from scipy import ndimage
from skimage.segmentation import find_boundaries

from tilewright import Result, Workflow

DOCS = Path(__file__).parents[1]
ZOOM, GAP = 3, 12
PART = slice(96, 336), slice(150, 410)  # of the image, with many cells
LINE = np.array([255, 206, 84])
DARK, BRIGHT = np.array([58, 44, 120]), np.array([255, 196, 80])


def main() -> None:
    page = (DOCS / "workflow.md").read_text(encoding="utf-8")
    image, steps = (_block(page, head) for head in ("python", 'toml title="cells.toml"'))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        shutil.copy(DOCS / "demo" / "data" / "img2d.tif", folder)
        exec(image, {})
        Path("cells.toml").write_text(steps, encoding="utf-8")
        results = Workflow.load("cells.toml").run("cells.ome.tif", "made", make_parents=True)
        panels = _panels(tifffile.imread("cells.ome.tif")[(slice(None), *PART)], results)
        os.chdir(DOCS)
    first, *others = panels
    sheet = np.hstack([first, *(each for panel in others for each in (_gap(panel), panel))])
    Picture.fromarray(sheet & 0xF8).save(DOCS / "workflow.png", optimize=True)  # steps of 8 are not seen


def _block(page: str, head: str) -> str:
    found = re.search(rf"^```{re.escape(head)}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def _panels(pixels: NDArray[Any], results: dict[str, Result]) -> list[NDArray[np.uint8]]:
    """The channels, with the outlines of nuclei and of cells, and the cytoplasm in the colour of its intensity."""
    nuclei, cells, cytoplasm = (
        _large(np.asarray(results[name].labels[PART])) for name in ("nuclei", "cells", "cytoplasm")
    )
    dapi, actin = (_large(_unit(channel)) for channel in pixels)
    dapi, actin = dapi**0.7, actin**0.7  # dim ones are to be seen too
    coloured = np.stack([20 + 60 * dapi, 20 + 150 * actin - 30 * dapi, 40 + 60 * actin + 150 * dapi], axis=-1)
    outlined = coloured.copy()
    outlined[_edges(cells)] = LINE
    outlined[_edges(nuclei)] = 255
    return [np.clip(each, 0, 255).astype(np.uint8) for each in (coloured, outlined, _measured(cytoplasm, nuclei))]


def _measured(cytoplasm: NDArray[Any], nuclei: NDArray[Any]) -> NDArray[Any]:
    """Each cytoplasm in the colour of its mean intensity, as the table has it."""
    with Path("made/cytoplasm.csv").open(encoding="utf-8") as file:
        means = {int(row["label"]): float(row["intensity_mean-ACTIN"]) for row in csv.DictReader(file)}
    shade = np.zeros(max(means) + 1)
    shade[[*means]] = _unit(np.array([*means.values()]))
    shown = np.where((cytoplasm > 0)[..., None], DARK + shade[cytoplasm][..., None] * (BRIGHT - DARK), 12)
    shown[_edges(cytoplasm)] = 12
    shown[nuclei > 0] = (70, 74, 96)
    shown[_edges(nuclei)] = 12
    return shown


def _unit(values: NDArray[Any]) -> NDArray[Any]:
    low, high = np.percentile(values, (1, 99))
    unit: NDArray[Any] = np.clip((values - low) / (high - low), 0, 1)
    return unit


def _large(image: NDArray[Any]) -> NDArray[Any]:
    return image.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)


def _edges(labels: NDArray[Any]) -> NDArray[Any]:
    edges: NDArray[Any] = ndimage.binary_dilation(find_boundaries(labels, mode="inner"))
    return edges


def _gap(panel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.full((len(panel), GAP, 3), 255, np.uint8)


if __name__ == "__main__":
    main()
