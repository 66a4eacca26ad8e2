"""The distribution as tilewright meets it: found by name, light to discover, true to its own documentation."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from in_blocks import facts_of

from tilewright.components.options import options_of
from tilewright.components.resolve import component, configuration
from tilewright.testing import PluginTests
from tilewright_measure import skimage_table
from tilewright_measure.intensity import KNOWN, Intensity
from tilewright_measure.neighbours import Neighbours
from tilewright_measure.overlaps import Overlaps
from tilewright_measure.shapes import PROPERTIES
from tilewright_measure.size import Size

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_discovery_imports_no_numpy() -> None:
    code = "import sys, tilewright_measure as t; t.tilewright_measurers(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "record",
    [
        {"name": "size", "configuration": {"properties": ["area", "ellipse"]}},
        {"name": "intensity", "configuration": {"percentiles": [5, 95.5]}},
        {"name": "neighbours", "configuration": {"distance": 3}},
        {"name": "overlaps", "configuration": {"given": ["nuclei"]}},
        {"name": "regionprops", "configuration": {"properties": ["area_filled"]}},
        {"name": "cp-measure", "configuration": {"features": ["feret"]}},
    ],
    ids=lambda record: record["name"],
)
def test_a_name_leads_to_the_measurer_and_back(record) -> None:
    made = component("measurer", record)
    kept = configuration("measurer", made)
    assert kept["distribution"] == "tilewright-measure"
    assert component("measurer", kept) == made
    assert all(option.help for option in options_of(type(made)))


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright_measure"


def test_the_example_in_the_readme_and_those_in_docstrings_run() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    printed: list[object] = []
    exec(code, {"print": printed.append})
    assert printed == [[9.0, 8.0]]
    result = doctest.testmod(skimage_table)
    assert result.attempted
    assert not result.failed


def test_the_readme_lists_every_column() -> None:
    listed = set(re.findall(r"`([a-z_]+)(?:-[a-zA-Z0-9-]+)?`", README))
    facts = facts_of(np.zeros((2, 2), int), np.zeros((2, 2, 2), np.uint8))
    columns = [*Neighbours().columns(facts), *Overlaps(given=("nuclei",)).columns(facts)]
    assert {*PROPERTIES, *KNOWN, "intensity_percentile", *(name.split("-")[0] for name in columns)} <= listed


def test_the_readme_lists_every_option_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+\.\w+)` \| `(.*?)` \|", README, re.MULTILINE))
    options = {"size": Size, "intensity": Intensity, "neighbours": Neighbours}
    for name, measurer in options.items():
        for option in options_of(measurer):
            assert rows[f"{name}.{option.name}"] == option.default.replace("'", '"')
