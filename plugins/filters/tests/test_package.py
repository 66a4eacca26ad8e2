"""The distribution as tilewright meets it: found by name, light to discover, true to its own documentation."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tilewright.components.options import options_of
from tilewright.components.resolve import component, configuration
from tilewright_filters import SEGMENTERS, TRANSFORMS
from tilewright_filters.gaussian import Gaussian

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


COMPONENTS = (*TRANSFORMS, *SEGMENTERS)


def module(name: str) -> Any:
    return importlib.import_module(f"tilewright_filters.{name.replace('-', '_')}")


def target(name: str) -> Any:
    return getattr(module(name), module(name).__all__[0])


def test_discovery_imports_no_numpy() -> None:
    code = "import sys, tilewright_filters as t; t.tilewright_segmenters(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_name_leads_to_the_transform_and_back() -> None:
    made = component("transform", {"name": "gaussian", "configuration": {"sigma": [0, 2, 2]}})
    assert made == Gaussian(sigma=(0.0, 2.0, 2.0))
    record = configuration("transform", made)
    assert record["distribution"] == "tilewright-filters"
    assert component("transform", record) == made


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_examples_in_the_docstrings_run(name: str) -> None:
    result = doctest.testmod(module(name))
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_readme_lists_every_option_with_its_default(name: str) -> None:
    section = README.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", section, re.MULTILINE)
    assert rows == [(o.name, o.default.replace("'", '"')) for o in options_of(target(name))]
    assert all(option.help for option in options_of(target(name)))


def test_the_example_in_the_readme_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    printed: list[object] = []
    exec(code, {"np": np, "print": printed.append})
    assert printed == [1]
