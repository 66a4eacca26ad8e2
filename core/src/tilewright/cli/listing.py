"""What is installed: every component, and the plugins that watch, are broken, or are left out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..components.blame import blamed
from ..components.discovery import Component, Plugin
from ..components.options import Option, options_of
from ..components.registry import clash, imported, registry
from ..components.specs import FormatSpec

__all__ = ["Entry", "Listing"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A component, and its options if it was asked for by name; None in a list of all, which imports no component."""

    plugin: str
    component: Component
    options: tuple[Option, ...] | None

    @classmethod
    def of(cls, plugin: str, component: Component, *, detailed: bool) -> Entry:
        """The entry; a detailed one imports the component, and raises PluginError if that fails."""
        if not detailed:
            return cls(plugin=plugin, component=component, options=None)
        target = imported(component)
        with blamed(component.kind, target, "listing its options"):
            return cls(plugin=plugin, component=component, options=options_of(target))

    def details(self) -> dict[str, str]:
        """What else there is to know of the component."""
        component, spec = self.component, self.component.spec
        facts = {
            "distribution": f"{component.distribution} {component.version}",
            "plugin": self.plugin,
            "target": spec.target,
        }
        if isinstance(spec, FormatSpec):
            facts["suffixes"] = " ".join(spec.suffixes) or "none"
        return facts

    def plain(self) -> dict[str, Any]:
        """The entry in JSON's values; one that is not detailed has no `options`."""
        component, spec = self.component, self.component.spec
        record: dict[str, Any] = {
            "kind": component.kind,
            "name": spec.name,
            "summary": spec.summary,
            "plugin": self.plugin,
            "distribution": component.distribution,
            "version": component.version,
            "target": spec.target,
        }
        if isinstance(spec, FormatSpec):
            record["suffixes"] = list(spec.suffixes)
        if self.options is not None:
            record["options"] = [dataclasses.asdict(option) for option in self.options]
        return record


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Components that were asked for, and the plugins of which there is more to say."""

    entries: tuple[Entry, ...]
    broken: tuple[Plugin, ...]
    disabled: tuple[Plugin, ...]
    watching: tuple[Plugin, ...]

    @classmethod
    def of(cls, kind: str | None, name: str | None) -> Listing:
        """Everything of a kind (None: any) that is called `name`, or belongs to the plugin or distribution so called.

        With a name the components are imported; PluginError if one cannot be.
        """
        plugins = registry().plugins
        entries = [
            Entry.of(plugin.name, component, detailed=name is not None)
            for plugin in plugins
            for component in plugin.components
            if kind in (None, component.kind) and name in (None, component.spec.name, plugin.name, plugin.distribution)
        ]
        idle = [plugin for plugin in plugins if name in (None, plugin.name, plugin.distribution)]
        return cls(
            entries=tuple(entries),
            broken=tuple(plugin for plugin in idle if plugin.error),
            disabled=tuple(plugin for plugin in idle if plugin.disabled),
            watching=tuple(plugin for plugin in idle if plugin.watch is not None and kind is None),
        )

    def clashes(self) -> list[str]:
        """What is said of components that several distributions offer under one name."""
        by_name: dict[tuple[str, str], list[Component]] = {}
        for entry in self.entries:
            by_name.setdefault((entry.component.kind, entry.component.spec.name), []).append(entry.component)
        return [clash(several) for several in by_name.values() if len(several) > 1]

    def plain(self) -> dict[str, Any]:
        """The listing in JSON's values."""
        return {
            "components": [entry.plain() for entry in self.entries],
            "broken": [_plain(plugin) | {"error": plugin.error} for plugin in self.broken],
            "disabled": [_plain(plugin) | {"by": plugin.disabled} for plugin in self.disabled],
            "watching": [_plain(plugin) for plugin in self.watching],
            "clashes": self.clashes(),
        }


def _plain(plugin: Plugin) -> dict[str, str]:
    return {"plugin": plugin.name, "distribution": plugin.distribution, "version": plugin.version}
