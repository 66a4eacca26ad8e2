"""The pages: a reader who does what they say sees what they show."""

from __future__ import annotations

from pathlib import Path

import pytest
import tifffile
from blocks import ROOT, blocks_of, follow
from environment import Environment
from functions.nuclei import DATA
from pictures import write_image, write_plate, write_spatialdata

pytestmark = pytest.mark.slow


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "venv")


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/tutorials/*.md")), ids=lambda page: page.stem)
def test_a_tutorial_works_from_its_first_line_to_its_last(page: Path, environment: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    follow(page, environment, folder)


@pytest.mark.parametrize("page", ["given", "segmenter", "transform"])
def test_the_component_of_a_tutorial_has_at_most_25_lines(page: str) -> None:
    files = {block.title: block.text for block in blocks_of(ROOT / f"docs/tutorials/{page}.md")}
    (component,) = (text for name, text in files.items() if "/src/" in name and not name.endswith("__init__.py"))
    assert len(component.splitlines()) <= 25


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/after.md",
        "docs/cluster.md",
        "docs/collections.md",
        "docs/does-tiling-change-my-result.md",
        "docs/index.md",
        "docs/install.md",
        "docs/measure.md",
        "docs/preview.md",
        "docs/report.md",
        "docs/segment.md",
        "docs/workflow.md",
        "plugins/geojson/README.md",
        "plugins/ome-zarr/README.md",
        "plugins/view/README.md",
    ],
)
def test_what_a_page_says_of_images_is_so(page: str, environment: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    write_image(folder / "image.ome.zarr", "cyx", ["DAPI"])
    tifffile.imwrite(folder / "truth.tif", tifffile.imread(DATA / "mask2d.tif")[:256, :256])
    write_image(folder / "cells.ome.zarr", "czyx", ["DAPI", "GFP"])
    write_plate(folder / "plate.ome.zarr")
    write_spatialdata(folder / "sample.zarr")
    follow(ROOT / page, environment, folder)


def test_the_first_page_shows_the_example_of_the_readme() -> None:
    shown = [block.text for block in blocks_of(ROOT / "docs" / "index.md")]
    assert shown[-2:] == [block.text for block in blocks_of(ROOT / "README.md")][:2]
