"""The distribution as tilewright meets it: found by name, light to discover, true to its own documentation."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tilewright.components.options import options_of
from tilewright.components.resolve import component, configuration
from tilewright_threshold.segmenter import Threshold
from tilewright_threshold.tissue import Tissue

README = Path(__file__).parents[1] / "README.md"


def test_discovery_imports_no_numpy() -> None:
    code = "import sys, tilewright_threshold as t; t.tilewright_segmenters(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_name_leads_to_the_segmenter_and_back() -> None:
    said = {"name": "threshold", "configuration": {"threshold": 5, "sigma": 1}}
    made = component("segmenter", said)
    assert made == Threshold(threshold=5.0, sigma=1.0)
    record = configuration("segmenter", made)
    assert record["distribution"] == "tilewright-threshold"
    assert component("segmenter", record) == made


@pytest.mark.parametrize("name", ["segmenter", "tissue", "filters", "background", "methods", "statistics"])
def test_the_examples_in_the_docstrings_run(name: str) -> None:
    module = importlib.import_module(f"tilewright_threshold.{name}")
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


def test_the_readme_lists_every_option_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", README.read_text("utf-8"), re.MULTILINE)
    options = (*options_of(Threshold), *options_of(Tissue))
    assert rows == [(o.name, o.default.replace("'", '"')) for o in options]
    assert all(option.help for option in options)


def test_the_example_in_the_readme_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    printed: list[object] = []
    exec(code, {"np": np, "print": printed.append})
    assert printed == [2]
