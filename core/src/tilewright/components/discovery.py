"""Find the installed plugins and read the components of each, so that a broken plugin leaves out only itself."""

from __future__ import annotations

import contextlib
import difflib
import itertools
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from . import hookspecs
from .isolation import contained, describe
from .specs import CONTRACT, FORMATS, KINDS, FormatSpec, Kind, Spec

if TYPE_CHECKING:
    from importlib_metadata import EntryPoint

__all__ = ["ALLOW", "DISABLE", "GROUP", "Component", "Plugin", "installed_plugins", "read_plugin"]

GROUP = "tilewright"
DISABLE = "TILEWRIGHT_DISABLE_PLUGINS"
ALLOW = "TILEWRIGHT_PLUGINS"
MOST = 10_000  # components of one hook; more are a generator that does not end


@dataclass(frozen=True, kw_only=True)
class Component:
    """A component that a plugin offers: its kind and spec, and the distribution and version that it comes from."""

    kind: Kind
    spec: Spec
    distribution: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """An installed plugin: its components, or the error for which it has none.

    target: the module that its entry point names.
    disabled: the environment variable that leaves it out; empty if it is not left out.
    watch: its hooks for watchers of runs; None if it has none.
    """

    name: str
    distribution: str
    version: str
    target: str = ""
    components: tuple[Component, ...] = ()
    error: str = ""
    disabled: str = ""
    watch: pluggy.HookRelay | None = field(default=None, repr=False, compare=False)


def installed_plugins() -> list[Plugin]:
    """Read every entry point of the group `tilewright`. One that fails is returned with its error, with a warning."""
    points, plugins = _entry_points()
    manager = _new_manager()
    denied, allowed = (_names_in(variable) for variable in (DISABLE, ALLOW))
    for point in sorted(points, key=lambda point: point.name):
        found = _found(point)
        names = {_canonical(found.name), _canonical(found.distribution)}
        left_out = DISABLE if names & denied else ALLOW if allowed and not names & {*allowed, GROUP} else ""
        plugins.append(replace(found, disabled=left_out) if left_out else _loaded(point, found, manager))
    for plugin in plugins:
        if plugin.error:
            _warn_of(plugin)
    _warn_of_nobody(allowed, plugins)
    return plugins


def _entry_points() -> tuple[list[EntryPoint], list[Plugin]]:
    """The entry points, and the distributions whose entry points cannot be read: they may have some for tilewright."""
    # importlib_metadata rather than the standard library's: it skips a distribution that is listed twice.
    from importlib_metadata import entry_points

    try:
        return list(entry_points(group=GROUP)), []
    except Exception:  # noqa: BLE001 - one distribution's file is broken; the function below finds which
        return _one_by_one()


def _one_by_one() -> tuple[list[EntryPoint], list[Plugin]]:
    from importlib_metadata import distributions

    points: dict[str, list[EntryPoint]] = {}
    broken = []
    for distribution in distributions():
        where = str(getattr(distribution, "_path", distribution.locate_file("")))
        try:
            found = list(distribution.entry_points.select(group=GROUP))
            if found:
                points.setdefault(_canonical(distribution.name), found)
        except Exception as error:  # noqa: BLE001 - any error that a broken file of a distribution leads to
            wrong = f"its entry points cannot be read: {describe(error)}"
            broken.append(Plugin(name=Path(where).name, distribution=where, version="(unknown)", error=wrong))
    return [point for several in points.values() for point in several], broken


def _loaded(point: EntryPoint, found: Plugin, manager: pluggy.PluginManager) -> Plugin:
    """The plugin with its components, or with the error for which it has none."""
    if found.error:
        return found
    try:
        with contained():
            module = point.load()
    except Exception as error:  # noqa: BLE001 - an error in a plugin's import must not end the program
        return replace(found, error=f"cannot be imported: {describe(error)}")
    return read_plugin(module, found, manager)


def _found(point: EntryPoint) -> Plugin:
    """The plugin of an entry point; with an error if an incomplete uninstall has removed its metadata."""
    try:
        assert point.dist is not None
        facts = _headers(point.dist.read_text("METADATA") or point.dist.read_text("PKG-INFO") or "")
        return Plugin(name=point.name, distribution=facts["Name"], version=facts["Version"], target=point.value)
    except Exception as error:  # noqa: BLE001 - a file that is gone, no text, or without a name or version
        return Plugin(
            name=point.name,
            distribution=point.name,
            version="(unknown)",
            error=f"its distribution has no metadata: {describe(error)}",
        )


def _headers(metadata: str) -> dict[str, str]:
    """The headers of a distribution's metadata. The standard parser takes as long as the rest of discovery."""
    lines = itertools.takewhile(str.strip, metadata.splitlines())
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def read_plugin(hooks: Any, plugin: Plugin, manager: pluggy.PluginManager | None = None) -> Plugin:
    """Read the components of an object with hooks. What is wrong with it is the error of the plugin that is returned.

    manager: one with the hookspecs and no plugins, to be used again; it takes longer to make than the rest takes.
    """
    try:
        _check_hooks(hooks)
        with contained(), _asked(hooks, manager or _new_manager()) as relay:
            components = tuple(_components(relay, plugin))
    except Exception as error:  # noqa: BLE001 - as above, now for what its hooks raise
        return replace(plugin, error=describe(error))
    watches = any(hasattr(hooks, name) for name in hookspecs.WATCHING)
    return replace(plugin, components=components, watch=_new_manager(hooks).hook if watches else None)


@contextlib.contextmanager
def _asked(hooks: Any, manager: pluggy.PluginManager) -> Iterator[pluggy.HookRelay]:
    """The hooks of one plugin, to be called while no other's are there: what goes wrong is then its own doing."""
    manager.register(hooks)
    try:
        manager.check_pending()
        yield manager.hook
    finally:
        manager.unregister(hooks)


def _new_manager(*hooks: Any) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    for each in hooks:
        manager.register(each)
    return manager


def _components(relay: pluggy.HookRelay, plugin: Plugin) -> Iterable[Component]:
    seen = set()
    for kind in KINDS:
        for spec in _specs(kind, getattr(relay, f"tilewright_{kind}s")):
            if (kind, spec.name) in seen:
                raise ValueError(f"tilewright_{kind}s offers {spec.name!r} twice; give each {kind} a name of its own")
            seen.add((kind, spec.name))
            yield Component(kind=kind, spec=spec, distribution=plugin.distribution, version=plugin.version)


def _check_hooks(hooks: Any) -> None:
    """PluginValidationError for a hook that is misspelt or not marked, so that it would not be called."""
    known = [name for name in vars(hookspecs) if name.startswith("tilewright_")]
    for name in (name for name in dir(hooks) if name.startswith("tilewright_")):
        marked = getattr(getattr(hooks, name), "tilewright_impl", None)
        if marked is None and name in known:
            raise pluggy.PluginValidationError(hooks, f"{name} is not marked; write @tilewright.hookimpl above it")
        if marked is not None and name not in known and not marked["optionalhook"]:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"hooks are: {', '.join(known)}"
            raise pluggy.PluginValidationError(hooks, f"there is no hook {name!r}; {hint}")


def _specs(kind: Kind, hook: pluggy.HookCaller) -> Iterator[Spec]:
    said = hook()
    if len(said) < len(hook.get_hookimpls()):  # pluggy passes over None, which is what a forgotten return gives
        raise TypeError(f"tilewright_{kind}s must return {_wanted(kind).__name__} objects, not None")
    for each in said:
        if not isinstance(each, Iterable):
            raise TypeError(f"tilewright_{kind}s must return a list of {_wanted(kind).__name__} objects, not {each!r}")
    for number, spec in enumerate(itertools.chain.from_iterable(said)):
        if number == MOST:
            raise ValueError(f"tilewright_{kind}s returns more than {MOST:,} objects; does its generator end?")
        _check_spec(kind, spec)
        yield spec


def _check_spec(kind: Kind, spec: object) -> None:
    if not isinstance(spec, _wanted(kind)):
        raise TypeError(f"tilewright_{kind}s must return {_wanted(kind).__name__} objects, not {spec!r}")
    if spec.contract > CONTRACT:
        raise ValueError(
            f"its {kind} {spec.name!r} was written for contract {spec.contract}, but this version of tilewright knows "
            f"contracts up to {CONTRACT}; upgrade tilewright"
        )


def _wanted(kind: Kind) -> type[Spec]:
    return FormatSpec if kind in FORMATS else Spec


def _warn_of(plugin: Plugin) -> None:
    step = f"Upgrade or uninstall {plugin.distribution}, or set {DISABLE}={plugin.name}"
    warnings.warn(
        f"plugin {plugin.name!r} of {plugin.distribution} {plugin.version} is left out: {plugin.error}. "
        + (step if plugin.target else f"Install {plugin.distribution} again, or remove it"),
        RuntimeWarning,
        stacklevel=3,
    )


def _warn_of_nobody(allowed: set[str], plugins: list[Plugin]) -> None:
    known = {_canonical(name) for plugin in plugins for name in (plugin.name, plugin.distribution)}
    for name in sorted(allowed - known):
        warnings.warn(
            f"{ALLOW} allows {name!r}, but no such plugin is installed; installed are: {', '.join(sorted(known))}",
            RuntimeWarning,
            stacklevel=3,
        )


def _names_in(variable: str) -> set[str]:
    """The names in a list in the environment."""
    return {_canonical(name) for name in os.environ.get(variable, "").split(",") if name.strip()}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
