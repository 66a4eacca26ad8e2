"""Runs the kit's classes on components that are broken on purpose, as pytest runs them for a plugin's author."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = """
import pytest
from tilewright.testing import {kit}
import {module}
"""
CLASS = """
class Test{name}({kit}):
    @pytest.fixture
    def {fixture}(self, tmp_path):
        return {module}.{name}({arguments})
"""

Caught = Callable[..., dict[str, set[str]]]


@pytest.fixture
def caught(pytester: pytest.Pytester) -> Caught:
    """For each public class of a module beside this file, the tests of the kit that fail on it."""

    def run(module: str, kit: str, fixture: str, arguments: str = "") -> dict[str, set[str]]:
        source = Path(__file__).with_name(f"{module}.py").read_text()
        pytester.makepyfile(**{module: source})
        names = [each.name for each in ast.parse(source).body if isinstance(each, ast.ClassDef)]
        names = [name for name in names if not name.startswith("_")]
        filled = {"kit": kit, "fixture": fixture, "module": module, "arguments": arguments}
        tests = HEAD.format(**filled) + "".join(CLASS.format(name=name, **filled) for name in names)
        pytester.makepyfile(test_kit=tests)
        done = pytester.inline_run("-p", "no:cacheprovider", "-W", "ignore")
        passed, skipped, failed = done.listoutcomes()
        assert passed
        assert not skipped
        found: dict[str, set[str]] = {name: set() for name in names}
        for report in failed:
            assert report.when == "call", report.longreprtext
            _, name, test = report.nodeid.split("::")
            found[name.removeprefix("Test")].add(test)
        return found

    return run
