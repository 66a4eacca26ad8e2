"""The page does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from blocks import ROOT, follow
from environment import Environment

pytestmark = pytest.mark.slow


def test_what_the_page_of_stardist_shows_is_so(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    follow(ROOT / "docs" / "stardist.md", Environment(tmp_path / "venv"), folder)
    assert (folder / "nuclei.png").is_file()
