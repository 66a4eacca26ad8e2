"""Every fault that a plugin package can have is caught by the test that is there for it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest
from fakes import install, offers

from tilewright.components.registry import _installed

from .conftest import assert_caught

OFFER = """
@hookimpl
def tilewright_segmenters():
    return [Spec(name='kit-{name}', target='kit_parts:{target}', summary='One.')]
"""
PARTS = """
from dataclasses import dataclass, field
from typing import Any

said = {"metadata": {"help": "a number"}}

@dataclass(frozen=True, kw_only=True)
class Good:
    size: int = field(default=3, **said)
    def __call__(self, pixels):
        return pixels > self.size

@dataclass(frozen=True, kw_only=True)
class Undocumented(Good):
    other: int = 3

@dataclass(frozen=True, kw_only=True)
class Untyped(Good):
    other: Any = field(default=3, **said)

@dataclass(kw_only=True)
class Thawed:
    size: int = field(default=3, **said)
    __call__ = Good.__call__

@dataclass(frozen=True)
class Positional:
    size: int = field(default=3, **said)
    __call__ = Good.__call__

class Arguments:
    def __init__(self, size=3):
        self.size = size
    __call__ = Good.__call__

@dataclass(frozen=True, kw_only=True)
class Lost(Good):
    names: tuple = field(default_factory=lambda: ({1},), **said)

@dataclass(frozen=True, kw_only=True)
class Silent:
    size: int = field(default=3, **said)

number = 5
"""
OPTIONS = "test_options_are_explicit_typed_and_documented"
TARGETS = "test_every_target_leads_to_something_that_can_be_called"
OF_PARTS = {
    "Undocumented": OPTIONS,
    "Untyped": OPTIONS,
    "Thawed": OPTIONS,
    "Positional": OPTIONS,
    "Arguments": OPTIONS,
    "Lost": "test_options_survive_a_pipeline_file",
    "Silent": TARGETS,
    "number": TARGETS,
    "Missing": TARGETS,
}
OF_HOOKS = {
    "heavy": (
        "import numpy\n" + OFFER.format(name="heavy", target="Good"),
        "importing_it_imports_no_library",
    ),
    "misspelt": (OFFER.replace("segmenters", "segmentors"), "its_hooks_are_those_of_tilewright_and_return_specs"),
    "bare": ("", "its_hooks_are_those_of_tilewright_and_return_specs"),
    "clash": (offers("tiler", "grid", target="kit_parts:Good", extra=", summary='One.'"), "names_are_its_own"),
    "wordless": (offers("segmenter", "kit-wordless", target="kit_parts:Good"), "every_component_has_a_summary"),
}
CLASS = """
class Test{name}(PluginTests):
    @pytest.fixture
    def plugin(self):
        return "kit_{module}"
"""


@pytest.fixture
def packages(pytester: pytest.Pytester) -> Iterator[list[str]]:
    """The names of installed plugins, each with a fault, or none."""
    (pytester.path / "kit_parts.py").write_text(PARTS)
    hooks = {name.lower(): OFFER.format(name=name.lower(), target=name) for name in ["Good", *OF_PARTS]}
    hooks |= {name: code for name, (code, _) in OF_HOOKS.items()}
    hooks["unlisted"] = OFFER.format(name="unlisted", target="Good")
    for name, code in hooks.items():
        install(pytester.path, f"kit-{name}", code)
    (pytester.path / "kit_unlisted-1.0.dist-info" / "entry_points.txt").unlink()
    importlib.invalidate_caches()
    _installed.cache_clear()
    yield list(hooks)
    _installed.cache_clear()


@pytest.mark.slow
def test_what_breaks_the_contract_of_plugins_is_caught(packages: list[str], pytester: pytest.Pytester) -> None:
    tests = "import pytest\nfrom tilewright.testing import PluginTests\n"
    tests += "".join(CLASS.format(name=name.capitalize(), module=name) for name in packages)
    caught_by = {name.capitalize(): test for name, test in OF_PARTS.items()}
    caught_by |= {name.capitalize(): f"test_{test}" for name, (_, test) in OF_HOOKS.items()}
    assert_caught(pytester, tests, caught_by | {"Unlisted": "test_it_is_found_by_its_entry_point"})
