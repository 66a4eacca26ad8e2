"""Runs the kit's classes on components that are broken on purpose, as pytest runs them for a plugin's author."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from pathlib import Path

import importlib_metadata
import pytest

import tilewright.engine.execution
import tilewright.testing.runner

# The inner run forgets what it imports. These can be imported only once in a process, or bring others that can.
ONCE = (importlib_metadata, tilewright.engine.execution, tilewright.testing.runner)

HEAD = "import pytest\nfrom tilewright.testing import {kit}\nimport {module}\n"
CLASS = """
class Test{name}({kit}):
    {body}
    @pytest.fixture
    def {fixture}(self, tmp_path):
        return {made}
"""

MADE = "{module}.{name}()"

Catching = Callable[..., None]


@pytest.fixture
def catching(pytester: pytest.Pytester) -> Catching:
    """Assert that each class of a module beside this file fails the test that is there for its fault, and Good none.

    caught_by: for each other class the name of its test.
    made: the expression that the fixture returns; body: a line of each test class.
    """

    def run(
        module: str,
        kit: str,
        fixture: str,
        caught_by: Mapping[str, str],
        made: str = "{module}.{name}()",
        body: str = "",
    ) -> None:
        source = Path(__file__).with_name(f"{module}.py").read_text()
        pytester.makepyfile(**{module: source})
        classes = [each.name for each in ast.parse(source).body if isinstance(each, ast.ClassDef)]
        assert {name for name in classes if not name.startswith("_")} == {"Good", *caught_by}
        tests = HEAD.format(kit=kit, module=module)
        for name in ("Good", *caught_by):
            expression = made.format(module=module, name=name)
            tests += CLASS.format(kit=kit, fixture=fixture, name=name, made=expression, body=body)
        assert_caught(pytester, tests, caught_by)

    return run


def assert_caught(pytester: pytest.Pytester, tests: str, caught_by: Mapping[str, str]) -> None:
    """Run all tests of `TestGood`, which must pass, and of each other class the one that must fail."""
    file = pytester.makepyfile(test_kit=tests).name
    chosen = [f"{file}::Test{name}::{test}" for name, test in caught_by.items()]
    done = pytester.inline_run("-p", "no:cacheprovider", "-W", "ignore", f"{file}::TestGood", *chosen)
    passed, _, failed = done.listoutcomes()
    assert {report.nodeid: report.longreprtext for report in failed if report.nodeid not in chosen} == {}
    assert [report.nodeid for report in passed if "::TestGood::" not in report.nodeid] == []
    assert {report.nodeid for report in failed if "AssertionError" in report.longreprtext} == set(chosen)
