"""The distribution as tilewright meets it: found by name, light to discover, true to its own documentation."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tilewright.components.options import options_of
from tilewright.components.resolve import component, configuration
from tilewright_cellpose import normalization, scaling
from tilewright_cellpose.segmenter import Cellpose

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("library", ["numpy", "torch", "cellpose"])
@pytest.mark.parametrize("module", ["tilewright_cellpose", "tilewright_cellpose.segmenter"])
def test_libraries_are_imported_when_they_are_needed(module: str, library: str) -> None:
    if (module, library) == ("tilewright_cellpose.segmenter", "numpy"):
        return
    code = f"import sys, {module}; sys.exit({library!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_plan_needs_no_library() -> None:
    code = """
import sys
import numpy
from tilewright_cellpose.segmenter import Cellpose
made = Cellpose(diameter=20)
print(made.halo, made.context, made.axes)
assert made.memory((512, 512), numpy.dtype("u2")) < made.memory((900, 900), numpy.dtype("u2"))
sys.exit(not {"torch", "cellpose"}.isdisjoint(sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_name_leads_to_the_segmenter_and_back() -> None:
    said = {"name": "cellpose", "configuration": {"diameter": 20, "channels": ["DNA", 1], "percentiles": [2, 98]}}
    made = component("segmenter", said)
    assert made == Cellpose(diameter=20.0, channels=("DNA", 1), percentiles=(2.0, 98.0))
    record = configuration("segmenter", made)
    assert record["distribution"] == "tilewright-cellpose"
    assert component("segmenter", record) == made


@pytest.mark.parametrize("module", [normalization, scaling])
def test_the_examples_in_the_docstrings_run(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


def test_the_readme_lists_every_option_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", README.read_text("utf-8"), re.MULTILINE)
    assert rows == [(o.name, o.default.replace("'", '"')) for o in options_of(Cellpose)]
    assert all(option.help for option in options_of(Cellpose))


def test_it_is_listed_with_its_options_whatever_else_is_installed() -> None:
    command = [sys.executable, "-m", "tilewright.cli", "plugins", "cellpose", "--json"]
    (listed,) = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["components"]
    assert (listed["kind"], listed["distribution"]) == ("segmenter", "tilewright-cellpose")
    assert [option["name"] for option in listed["options"]] == [option.name for option in options_of(Cellpose)]
