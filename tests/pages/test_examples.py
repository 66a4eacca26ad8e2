"""The packages in docs/examples: what the tutorials build, line by line, and as short as they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from blocks import ROOT, blocks_of

EXAMPLES = ROOT / "docs" / "examples"
TUTORIALS = {"tilewright-basins": "segmenter", "tilewright-blobs": "network", "tilewright-labscan": "reader"}


def files_of(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(EXAMPLES)): path.read_text(encoding="utf-8") for path in paths}


def test_every_example_has_its_tutorial() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == set(TUTORIALS)


@pytest.mark.parametrize(("name", "tutorial"), TUTORIALS.items())
def test_an_example_is_what_its_tutorial_writes(name: str, tutorial: str) -> None:
    written = {block.title: block.text for block in blocks_of(ROOT / "docs" / "tutorials" / f"{tutorial}.md")}
    written.pop("")
    assert files_of(EXAMPLES / name) == written | {f"{name}/README.md": (EXAMPLES / name / "README.md").read_text()}


def test_the_segmenter_takes_25_lines_of_python_its_hook_and_blank_ones_included() -> None:
    sources = (EXAMPLES / "tilewright-basins" / "src").rglob("*.py")
    assert sum(len(path.read_text().splitlines()) for path in sources) <= 25


def test_the_network_takes_40_lines_of_python_beside_its_layers() -> None:
    source = EXAMPLES / "tilewright-blobs" / "src" / "tilewright_blobs" / "segmenter.py"
    assert len(source.read_text().splitlines()) <= 40
