"""From what a user gives to a component, and from a component to its record in a pipeline file or in provenance.

A component may be given as a name (`"grid"`), an instance (`Grid(tile=512)`), a function, or a mapping
`{"name": "grid", "configuration": {"tile": 512}}`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from ..errors import InvalidOption
from .blame import blamed, definition, name_of, whose
from .options import build, shown
from .registry import Registry, registry
from .specs import Kind

__all__ = ["component", "components", "configuration", "made"]


def component(kind: Kind, said: object, *, among: Registry | None = None) -> Callable[..., Any]:
    """The component of a kind that a user gives as a name, an instance, a function or a mapping.

    UnknownComponent for a name that no plugin offers; InvalidOption for anything that is not a component.
    """
    if isinstance(said, str):
        said = {"name": said}
    if isinstance(said, Mapping):
        return _from_configuration(kind, said, among or registry())
    if isinstance(said, type):
        return made(kind, said, {})
    if callable(said):
        return cast("Callable[..., Any]", said)
    raise InvalidOption(
        f"{said!r} is not a {kind}; give a name, an instance, a function, or {{'name': ..., 'configuration': ...}}"
    )


def components(kind: Kind, said: object) -> tuple[Callable[..., Any], ...]:
    """The components that a user gives as one, as several, or as None for none. Errors as `component`."""
    if said is None:
        return ()
    several = said if isinstance(said, Sequence) and not isinstance(said, str) else [said]
    return tuple(component(kind, each) for each in several)


def _from_configuration(kind: Kind, said: Mapping[str, Any], among: Registry) -> Callable[..., Any]:
    extra = set(said) - {"name", "configuration", "distribution", "version"}
    name, options = said.get("name"), said.get("configuration") or {}
    if extra or not isinstance(name, str) or not isinstance(options, Mapping):
        raise InvalidOption(f"{dict(said)!r} is not a {kind}; write {{'name': ..., 'configuration': {{...}}}}")
    return made(kind, among.load(kind, name), options)


def made(kind: Kind, target: Any, options: Mapping[str, Any]) -> Callable[..., Any]:
    """The component that a class or function and its options make.

    InvalidOption for an option that it does not have or cannot use, ComponentFailed for whatever else it raises; both
    say whose it is.
    """
    with blamed(kind, target, f"making it with {shown(options)}"):
        return cast("Callable[..., Any]", build(target, options, whose(kind, target)))


def configuration(kind: Kind, thing: object) -> dict[str, Any]:
    """The record of a component: its name, all its options, and the distribution that it comes from.

    A component that no plugin offers is named by its module and qualified name, and its record has no distribution.
    Such a record tells a person what ran, but cannot be run again.
    """
    owner = registry().owner(kind, definition(thing))
    record: dict[str, Any] = {"name": owner.spec.name if owner else name_of(kind, thing)}
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        record["configuration"] = {
            field.name: _plain(getattr(thing, field.name)) for field in dataclasses.fields(thing) if field.init
        }
    if owner:
        record |= {"distribution": owner.distribution, "version": owner.version}
    return record


def _plain(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, default=_number))
    except (TypeError, ValueError):
        return repr(value)


def _number(value: Any) -> Any:
    if getattr(value, "ndim", None) != 0:
        raise TypeError(f"{type(value).__name__} is not a plain value")
    return value.item()  # numpy's numbers
