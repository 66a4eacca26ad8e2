"""The distribution as tilewright meets it: its hooks, its options, its documentation."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tilewright_tiff as plugin
from tilewright.components.options import options_of
from tilewright.components.resolve import component, configuration
from tilewright.io.formats import choose_writer
from tilewright_tiff.reader import TiffReader
from tilewright_tiff.writer import OmeTiffLabels

README = Path(__file__).parents[1] / "README.md"


def test_the_hooks_import_neither_numpy_nor_tifffile() -> None:
    code = "import sys, tilewright_tiff; print([m for m in ('numpy', 'zarr', 'tifffile') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_targets_of_the_hooks_are_the_reader_and_the_writer() -> None:
    assert [spec.load() for spec in plugin.tilewright_readers()] == [TiffReader]
    assert [spec.load() for spec in plugin.tilewright_writers()] == [OmeTiffLabels]


@pytest.mark.parametrize("path", ["a.ome.tif", "a.TIFF", "a.ome.tiff"])
def test_the_writer_is_chosen_by_the_suffix(path: str) -> None:
    assert isinstance(choose_writer(path), OmeTiffLabels)


@pytest.mark.parametrize("made", [TiffReader(level=2, axes="zyx"), OmeTiffLabels(tile=256)])
def test_a_record_leads_back_to_the_component(made: object) -> None:
    kind = "reader" if isinstance(made, TiffReader) else "writer"
    record = configuration(kind, made)
    assert record["distribution"] == "tilewright-tiff"
    assert component(kind, record) == made


@pytest.mark.parametrize("name", ["pyramid", "spacing"])
def test_the_examples_in_the_docstrings_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"tilewright_tiff.{name}"))
    assert result.attempted
    assert not result.failed


def test_the_readme_lists_every_option_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `?(\w*)`? ?\|", README.read_text("utf-8"), re.MULTILINE)
    options = [*options_of(TiffReader), *options_of(OmeTiffLabels)]
    shown = {"None": "", "True": "true", "False": "false"}
    assert rows == [(o.name, shown.get(o.default, o.default.strip("'"))) for o in options]
    assert all(option.help for option in options)
