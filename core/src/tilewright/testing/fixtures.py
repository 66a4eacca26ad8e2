"""Fixtures for pytest: `from tilewright.testing.fixtures import registry` in a `conftest.py`."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from .. import builtin
from .._version import __version__
from ..components.discovery import Plugin, read_plugin
from ..components.registry import Registry, register

__all__ = ["Alone", "registry"]

_home = importlib.import_module("tilewright.components.registry")  # the package has a function of that name too


class Alone(Registry):
    """The registry of this process, as long as it sees no installed plugin; what is registered appears in it."""

    def __init__(self) -> None:
        """Nothing is kept here: `plugins` is asked anew each time."""

    @property
    def plugins(self) -> tuple[Plugin, ...]:  # type: ignore[override]  # a registry's own never change
        return tuple(_home.registry().plugins)

    def register(self, hooks: Any, name: str = "") -> None:
        """Add the components of a module or object with hooks; PluginError says what is wrong with them."""
        register(hooks, name)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Alone:
    """A registry that sees no installed plugin, only the core's own components and what a test registers.

    The whole process sees it so until the test is over: names, pipelines, the command line.
    """
    core = read_plugin(builtin, Plugin(name="tilewright", distribution="tilewright", version=__version__))
    monkeypatch.setattr(_home, "_installed", lambda: (core,))
    monkeypatch.setattr(_home, "_by_hand", [])
    return Alone()
