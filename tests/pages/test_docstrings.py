"""The examples in the core's docstrings, which the reference shows."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest
from blocks import ROOT

SOURCES = ROOT / "core" / "src"
SHOWING = [path for path in sorted(SOURCES.rglob("*.py")) if ">>>" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", SHOWING, ids=lambda path: path.stem)
def test_the_examples_of_a_module_run(path: Path) -> None:
    module = importlib.import_module(".".join(path.relative_to(SOURCES).with_suffix("").parts))
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


def test_the_page_of_contracts_is_made_from_every_module_of_abc() -> None:
    page = (ROOT / "docs" / "reference" / "contracts.md").read_text(encoding="utf-8")
    modules = {path.stem for path in (SOURCES / "tilewright" / "abc").glob("*.py")} - {"__init__"}
    assert [name for name in sorted(modules) if f"::: tilewright.abc.{name}\n" not in page] == []
