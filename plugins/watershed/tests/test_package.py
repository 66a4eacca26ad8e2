"""The distribution as tilewright meets it: found by name, light to discover, true to its own documentation."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

from tilewright import Pipeline
from tilewright_watershed import segmenter
from tilewright_watershed.segmenter import Watershed

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_discovery_imports_no_numpy() -> None:
    code = "import sys, tilewright_watershed as t; t.tilewright_segmenters(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_name_leads_to_the_segmenter_and_back() -> None:
    pipeline = Pipeline(segmenter={"name": "watershed", "configuration": {"threshold": 5, "diameter": 12}})
    assert pipeline.segmenter == Watershed(threshold=5.0, diameter=12.0)
    assert pipeline.to_dict()["segmenter"]["distribution"] == "tilewright-watershed"


def test_the_examples_in_the_docstrings_run() -> None:
    result = doctest.testmod(segmenter)
    assert result.attempted
    assert not result.failed


def test_the_readme_lists_every_option_with_its_default_and_its_help() -> None:
    rows = re.findall(r'^\| `(\w+)` \| `"?(.+?)"?` \| (.+) \|$', README, re.MULTILINE)
    fields = Watershed.__dataclass_fields__.values()
    assert [row[:2] for row in rows] == [(field.name, str(field.default)) for field in fields]
    assert all(field.metadata["help"] for field in fields)


def test_the_example_in_the_readme_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    printed: list[object] = []
    exec(code, {"print": printed.append})
    assert printed == [2]
