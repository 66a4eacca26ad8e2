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
