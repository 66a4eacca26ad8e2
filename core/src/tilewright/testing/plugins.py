"""The tests of a plugin package: what discovery asks of it."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_type_hints

from ..components.discovery import Component, Plugin, read_plugin
from ..components.options import options_of
from ..components.registry import registry
from ..components.resolve import component, configuration, made
from ..errors import TilewrightError
from .kit import Kit

__all__ = ["PluginTests"]

LOADED = """
import json, sys
import tilewright
from tilewright.components.discovery import Plugin, read_plugin
before = set(sys.modules)
import importlib
read_plugin(importlib.import_module(sys.argv[1]), Plugin(name="", distribution="", version=""))
print(json.dumps(sorted(set(sys.modules) - before)))
"""


class PluginTests(Kit):
    """Tests of a plugin package. The fixture `plugin` returns its import name, which is its entry point's target.

        class TestPlugin(PluginTests):
            @pytest.fixture
            def plugin(self):
                return "tilewright_spots"

    The package has to be installed (`pip install -e .`).
    """

    def test_importing_it_imports_no_library(self, plugin: str) -> None:
        done = subprocess.run(
            [sys.executable, "-c", LOADED, plugin],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.returncode, f"{plugin} cannot be imported: {done.stderr.strip()[-500:]}"
        new = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
        heavy = sorted(new - sys.stdlib_module_names - {plugin.partition(".")[0], "tilewright"})
        assert not heavy, (
            f"importing {plugin} imports {', '.join(heavy)}, which every start of tilewright would wait for; keep "
            "hooks alone in __init__, and name the component's module in the target"
        )

    def test_it_is_found_by_its_entry_point(self, plugin: str) -> None:
        from importlib_metadata import entry_points

        found = [point for point in entry_points(group="tilewright") if point.value == plugin]
        assert found, (
            f"no installed distribution has the entry point; write [project.entry-points.tilewright] "
            f'{plugin.removeprefix("tilewright_")} = "{plugin}" in pyproject.toml, and install it (pip install -e .)'
        )

    def test_its_hooks_are_those_of_tilewright_and_return_specs(self, plugin: str) -> None:
        read = _read(plugin)
        assert not read.error, f"its hooks are wrong: {read.error}"
        assert read.components or read.watch, (
            "it offers nothing; mark its hooks with @tilewright.hookimpl, and return a Spec"
        )

    def test_names_are_its_own(self, plugin: str) -> None:
        own = _offered(plugin)
        for one in own:
            same = [other for other in own if (other.kind, other.spec.name) == (one.kind, one.spec.name)]
            assert len(same) == 1, f"it offers the {one.kind} {one.spec.name!r} {len(same)} times"
            others = [c.distribution for c in registry().components(one.kind) if _another(c, one)]
            assert not others, (
                f"{one.kind} {one.spec.name!r} is also offered by {', '.join(others)}, so neither can be used by name"
            )

    def test_every_component_has_a_summary(self, plugin: str) -> None:
        bare = [c.spec.name for c in _offered(plugin) if not c.spec.summary.strip()]
        assert not bare, f"{', '.join(bare)}: give the Spec a summary, one sentence that `tilewright plugins` shows"

    def test_every_target_leads_to_something_that_can_be_called(self, plugin: str) -> None:
        for one in _offered(plugin):
            try:
                target = one.spec.load()
            except Exception as error:
                raise AssertionError(
                    f"{one.kind} {one.spec.name!r}: its target {one.spec.target!r} cannot be imported: {error!r}"
                ) from error
            called = _has_call(target) if isinstance(target, type) else callable(target)
            assert called, f"{one.kind} {one.spec.name!r}: {one.spec.target!r} cannot be called; give it a __call__"

    def test_options_are_explicit_typed_and_documented(self, plugin: str) -> None:
        wrong = [f"{c.spec.name}: {what}" for c in _offered(plugin) for what in _wrong_options(c.spec.load())]
        assert not wrong, "; ".join(wrong)

    def test_options_survive_a_pipeline_file(self, plugin: str) -> None:
        for one in _offered(plugin):
            target = one.spec.load()
            if not all(option.default for option in options_of(target)):
                continue  # it cannot be made from nothing
            first = component(one.kind, target)
            record = json.loads(json.dumps(configuration(one.kind, first)))
            try:
                again = made(one.kind, target, record.get("configuration", {}))
            except TilewrightError as error:
                raise AssertionError(f"its options do not come back from a file ({error}); use plain values") from error
            assert again == first, f"{one.spec.name}: {first!r} comes back from a file as {again!r}; use plain values"


def _read(plugin: str) -> Plugin:
    try:
        module = importlib.import_module(plugin)
    except Exception as error:
        raise AssertionError(f"{plugin} cannot be imported: {error!r}") from error
    return read_plugin(module, Plugin(name=plugin, distribution=plugin, version="(under test)"))


def _offered(plugin: str) -> tuple[Component, ...]:
    read = _read(plugin)
    assert not read.error, f"its hooks are wrong: {read.error}"
    return read.components


def _another(installed: Component, own: Component) -> bool:
    return installed.spec.name == own.spec.name and installed.spec.target != own.spec.target


def _has_call(target: type) -> bool:
    return any("__call__" in vars(base) for base in target.__mro__)


def _wrong_options(target: Any) -> Iterator[str]:
    if not isinstance(target, type):
        required = [p.name for p in inspect.signature(target).parameters.values() if p.default is p.empty]
        if len(required) > 2:
            yield f"a function has no options, but it needs {', '.join(required)}; make a dataclass of it"
        return
    if not dataclasses.is_dataclass(target):
        if list(inspect.signature(target).parameters):
            yield f"{target.__name__} takes options that nobody can list; write @dataclass(frozen=True, kw_only=True)"
        return
    if not target.__dataclass_params__.frozen:  # type: ignore[attr-defined]  # every dataclass has it
        yield f"{target.__name__} is not frozen; write @dataclass(frozen=True, kw_only=True)"
    hints = get_type_hints(target)
    for each in dataclasses.fields(target):
        if each.init and not each.kw_only:
            yield f"option {each.name} is not keyword-only; write @dataclass(frozen=True, kw_only=True)"
        if each.init and hints[each.name] is Any:
            yield f"option {each.name} is of type Any, so no value is refused; write its type"
        if each.init and not each.metadata.get("help"):
            yield f'option {each.name} is not documented; write field(default=..., metadata={{"help": "..."}})'
