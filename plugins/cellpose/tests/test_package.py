"""The distribution as tilewright meets it: found by name, light to discover, true to its own documentation."""

from __future__ import annotations

import doctest
import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

from tilewright.components.options import options_of
from tilewright.components.resolve import component, configuration
from tilewright_cellpose import normalization, scaling
from tilewright_cellpose.segmenter import Cellpose
from tilewright_cellpose.weights import newer

README = Path(__file__).parents[1] / "README.md"
IMAGE = Path(__file__).parents[3] / "docs" / "demo" / "data" / "img2d.tif"


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
from tilewright_cellpose.weights import newer
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


@pytest.mark.slow
@pytest.mark.skipif(not newer(), reason="Cellpose 3 does not import torchvision")
def test_a_torchvision_that_does_not_fit_is_named_with_its_torch(model: str, tmp_path: Path) -> None:
    """A torchvision that was built for another torch raises just this when it is imported."""
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    metadata = tmp_path / "torchvision-0.19.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 0.19.0\n")
    run = [sys.executable, "-m", "tilewright.cli", "run", str(IMAGE), str(tmp_path / "out.ome.tif")]
    done = subprocess.run(
        [*run, "--segmenter", "cellpose", "--set", f"model={model}"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert f"torchvision 0.19.0 does not fit torch {version('torch')}" in line
    assert "pip install --force-reinstall torch torchvision" in line


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
