"""The pages: a reader who does what they say sees what they show."""

from __future__ import annotations

from pathlib import Path

import pytest
from blocks import ROOT, Environment, follow
from pictures import write_image, write_plate


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment.create(tmp_path / "venv")


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/tutorials/*.md")), ids=lambda page: page.stem)
def test_a_tutorial_works_from_its_first_line_to_its_last(page: Path, environment: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    follow(page, environment, folder)


def test_an_image_is_segmented_as_the_page_says(environment: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    write_image(folder / "cells.ome.zarr", "czyx", ("DAPI", "GFP"))
    write_plate(folder / "plate.ome.zarr")
    follow(ROOT / "docs" / "segment.md", environment, folder)
