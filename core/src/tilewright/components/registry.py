"""Components by kind and name: one registry of what is installed and of what `register` adds."""

from __future__ import annotations

import difflib
import functools
import sys
from collections.abc import Sequence
from typing import Any

from ..errors import PluginError, UnknownComponent
from .discovery import DISABLE, Component, Plugin, installed_plugins, read_plugin
from .isolation import contained, describe
from .specs import Kind

__all__ = ["Registry", "clash", "imported", "register", "registry", "unregister"]


class Registry:
    """The components that a set of plugins offers, by kind and name."""

    def __init__(self, plugins: list[Plugin]) -> None:
        self.plugins = tuple(plugins)

    def components(self, kind: Kind) -> list[Component]:
        """All components of a kind, in the order of their plugins."""
        return [c for plugin in self.plugins for c in plugin.components if c.kind == kind]

    def find(self, kind: Kind, name: str) -> Component:
        """The one component of that kind and name.

        UnknownComponent if there is none (the message has similar names and broken plugins), or if two distributions
        offer it (the message names both).
        """
        found = [c for c in self.components(kind) if c.spec.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise UnknownComponent(clash(found))
        raise UnknownComponent(self._unknown(kind, name))

    def load(self, kind: Kind, name: str) -> Any:
        """Import the component of that kind and name."""
        return imported(self.find(kind, name))

    def owner(self, kind: Kind, target: object) -> Component | None:
        """The component whose target is this class or function, or None if no plugin offers it."""
        path = f"{getattr(target, '__module__', '')}:{getattr(target, '__qualname__', '')}"
        for component in self.components(kind):
            if component.spec.target == path or _imported(component.spec.target) is target:
                return component
        return None

    def _unknown(self, kind: Kind, name: str) -> str:
        names = sorted({c.spec.name for c in self.components(kind)})
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; installed are: {', '.join(names) or 'none'}"
        absent = "".join(
            f"; plugin {p.name!r} of {p.distribution} might have: "
            + (f"it is broken ({p.error})" if p.error else f"{p.disabled} leaves it out")
            for p in self.plugins
            if p.error or p.disabled
        )
        return f"no installed plugin offers a {kind} {name!r}{hint}{absent}"


def clash(found: Sequence[Component]) -> str:
    """The message for several components of one kind and name."""
    by = " and ".join(f"{c.distribution} {c.version}" for c in found)
    return (
        f"{found[0].kind} {found[0].spec.name!r} is offered by {by}; uninstall one, or leave one out with "
        f"{DISABLE}={found[0].distribution}"
    )


def imported(component: Component) -> Any:
    """The target of a component. PluginError, which names the distribution, if it cannot be imported."""
    spec = component.spec
    try:
        with contained():
            return spec.load()
    except Exception as error:
        raise PluginError(
            f"{component.kind} {spec.name!r} of {component.distribution} {component.version} cannot be loaded from "
            f"{spec.target!r}: {describe(error)}"
        ) from error


def _imported(target: str) -> Any:
    """The object of a target if its module is imported already; a package may re-export what a module of it defines."""
    module, _, name = target.partition(":")
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


_by_hand: list[Plugin] = []


@functools.cache
def _installed() -> tuple[Plugin, ...]:
    return tuple(installed_plugins())


def registry() -> Registry:
    """The registry of this process: installed plugins (read once), and what `register` added."""
    return Registry([*_installed(), *_by_hand])


def register(hooks: Any, name: str = "") -> None:
    """Add the components of a module or an instance with hooks, for this process.

    PluginError, rather than a warning as for an installed plugin, if its hooks do not keep the contract.
    """
    label = name or getattr(hooks, "__name__", type(hooks).__name__)
    plugin = read_plugin(hooks, Plugin(name=label, distribution=f"register({label})", version="0"))
    if plugin.error:
        raise PluginError(f"{label!r} cannot be registered: {plugin.error}")
    unregister(label)
    _by_hand.append(plugin)


def unregister(name: str) -> None:
    """Remove what was registered under a name; nothing happens if nothing was."""
    _by_hand[:] = [plugin for plugin in _by_hand if plugin.name != name]
