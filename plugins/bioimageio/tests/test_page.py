"""The page and the README do what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from blocks import ROOT, follow
from environment import Environment

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("page", ["docs/bioimageio.md", "plugins/bioimageio/README.md"])
def test_what_the_pages_of_the_zoo_show_is_so(page: str, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    follow(ROOT / page, Environment(tmp_path / "venv"), folder)
