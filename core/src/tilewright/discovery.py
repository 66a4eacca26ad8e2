"""Find the installed plugins and ask each for its components, so that a broken one costs only itself."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pluggy

from . import hookspecs
from .specs import KINDS, FormatSpec, Kind, Spec

if TYPE_CHECKING:
    from importlib_metadata import EntryPoint

__all__ = ["DISABLE", "GROUP", "Component", "Plugin", "describe", "installed_plugins", "read_plugin"]

GROUP = "tilewright"
DISABLE = "TILEWRIGHT_DISABLE_PLUGINS"


@dataclass(frozen=True, kw_only=True)
class Component:
    """A component on offer: what it is, and which distribution of which version brought it."""

    kind: Kind
    spec: Spec
    distribution: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One plugin as found: its components, or the error that kept it from offering any.

    target: the module that its entry point names.
    """

    name: str
    distribution: str
    version: str
    target: str = ""
    components: tuple[Component, ...] = ()
    error: str = ""
    disabled: bool = False


def installed_plugins() -> list[Plugin]:
    """Read every entry point of the group `tilewright`; one that fails is returned with its error and warned of."""
    # importlib_metadata rather than the standard library's: it skips a distribution that is listed twice.
    from importlib_metadata import entry_points

    disabled = {_canonical(name) for name in os.environ.get(DISABLE, "").split(",")}
    plugins = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        found = _found(point)
        if {_canonical(found.name), _canonical(found.distribution)} & disabled:
            plugins.append(replace(found, disabled=True))
            continue
        if found.error:
            plugins.append(found)
            continue
        try:
            module = point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's import must not take us down
            plugins.append(replace(found, error=f"cannot be imported: {describe(error)}"))
        else:
            plugins.append(read_plugin(module, found))
    for plugin in plugins:
        if plugin.error:
            _warn_of(plugin)
    return plugins


def _found(point: EntryPoint) -> Plugin:
    """The plugin of an entry point. An uninstall that stopped half-way leaves entry points without their metadata."""
    try:
        assert point.dist is not None
        return Plugin(name=point.name, distribution=point.dist.name, version=point.dist.version, target=point.value)
    except Exception as error:  # noqa: BLE001 - each version of importlib_metadata has an error of its own for it
        return Plugin(
            name=point.name,
            distribution=point.name,
            version="(unknown)",
            error=f"its distribution has no metadata: {describe(error)}",
        )


def read_plugin(hooks: Any, plugin: Plugin) -> Plugin:
    """Ask an object with hooks for its components. Anything wrong with it ends up in the returned plugin's error."""
    try:
        components = tuple(_components(hooks, plugin))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - as above, now for what its hooks raise
        return replace(plugin, error=describe(error))
    return replace(plugin, components=components)


def _components(hooks: Any, plugin: Plugin) -> Iterable[Component]:
    # A manager for each plugin: what one of them does wrong is then known to be its own.
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(hooks, name=plugin.name)
    manager.check_pending()
    for kind in KINDS:
        hook = getattr(manager.hook, f"tilewright_{kind}s")
        said = hook()
        if len(said) < len(hook.get_hookimpls()):  # pluggy passes over None, which is what a forgotten return gives
            raise TypeError(f"tilewright_{kind}s must return {_wanted(kind).__name__} objects, not None")
        for specs in said:
            for spec in specs:
                _check_spec(kind, spec)
                yield Component(kind=kind, spec=spec, distribution=plugin.distribution, version=plugin.version)


def _check_spec(kind: Kind, spec: object) -> None:
    if not isinstance(spec, _wanted(kind)):
        raise TypeError(f"tilewright_{kind}s must return {_wanted(kind).__name__} objects, not {spec!r}")


def _wanted(kind: Kind) -> type[Spec]:
    return FormatSpec if kind in ("reader", "writer") else Spec


def _warn_of(plugin: Plugin) -> None:
    warnings.warn(
        f"plugin {plugin.name!r} of {plugin.distribution} {plugin.version} is left out: {plugin.error}. "
        f"Upgrade or uninstall {plugin.distribution}, or set {DISABLE}={plugin.name}",
        RuntimeWarning,
        stacklevel=3,
    )


def describe(error: BaseException) -> str:
    """An error on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
