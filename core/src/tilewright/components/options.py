"""The options of a component: the fields of its frozen dataclass, checked and converted in one place.

A component's class is the schema. Values come from Python, from a JSON or TOML file, or as strings from the command
line; the last are read as JSON where the field's type is no string.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ..errors import InvalidOption

__all__ = ["Option", "build", "options_of", "parse"]


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option: its name, type as written, default (as `repr`, empty if it must be given) and description."""

    name: str
    type: str
    default: str
    help: str


def options_of(target: object) -> tuple[Option, ...]:
    """The options of a component's class; none for a function, which has no options."""
    if not (isinstance(target, type) and dataclasses.is_dataclass(target)):
        return ()
    return tuple(
        Option(
            name=field.name,
            type=field.type if isinstance(field.type, str) else _type_name(field.type),
            default=_default(field),
            help=field.metadata.get("help", ""),
        )
        for field in dataclasses.fields(target)
        if field.init
    )


def build(target: Any, options: Mapping[str, Any], what: str) -> Any:
    """Make the component from its options. InvalidOption for one that it does not have or of a wrong type."""
    if not (isinstance(target, type) and dataclasses.is_dataclass(target)):
        if options:
            raise InvalidOption(f"{what} has no options, but was given {', '.join(sorted(options))}")
        return target() if isinstance(target, type) else target
    types_by_name = get_type_hints(target)
    known = {field.name: types_by_name[field.name] for field in dataclasses.fields(target) if field.init}
    for name in options:
        if name not in known:
            raise InvalidOption(_unknown(name, known, what))
    values = {name: _convert(value, known[name], f"{what}: {name}") for name, value in options.items()}
    try:
        return target(**values)
    except TypeError as error:
        raise InvalidOption(f"{what}: {error}") from error


def parse(target: Any, texts: Mapping[str, str]) -> dict[str, Any]:
    """Read option values given as text: JSON where that is what they are, else the text itself.

    A field that takes only strings gets its text untouched, so that a channel named `1` stays a name.
    """
    hints = get_type_hints(target) if isinstance(target, type) and dataclasses.is_dataclass(target) else {}
    return {name: _read(text, hints.get(name, Any)) for name, text in texts.items()}


def _read(text: str, wanted: Any) -> Any:
    kinds = {str} if wanted is str else set(get_args(wanted))
    if str in kinds and kinds <= {str, types.NoneType}:
        return None if types.NoneType in kinds and text.lower() == "none" else text
    named = {"true": True, "false": False, "none": None}
    if text.lower() in named:
        return named[text.lower()]
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        pass
    try:
        return json.loads(f"[{text}]") if "," in text else text
    except json.JSONDecodeError:
        return text


def _convert(value: Any, wanted: Any, what: str) -> Any:
    matched, converted = _match(value, wanted)
    if not matched:
        raise InvalidOption(f"{what} must be {_type_name(wanted)}, not {value!r}")
    return converted


def _match(value: Any, wanted: Any) -> tuple[bool, Any]:
    """Whether a value is of the wanted type, and the value as that type (a list for a tuple, an int for a float)."""
    origin, args = get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return True, value
    if origin in (Union, types.UnionType):
        return next((hit for hit in (_match(value, arg) for arg in args) if hit[0]), (False, value))
    if origin is Literal:
        return any(value == arg and type(value) is type(arg) for arg in args), value
    if origin is tuple and isinstance(value, list | tuple):
        return _match_tuple(value, args)
    if origin in (list, dict, Mapping):
        return isinstance(value, origin), value
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return True, float(value)
    if isinstance(value, bool) and wanted in (int, float):
        return False, value
    kind = types.NoneType if wanted is None else wanted
    return isinstance(kind, type) and isinstance(value, kind), value


def _match_tuple(values: list[Any] | tuple[Any, ...], args: tuple[Any, ...]) -> tuple[bool, Any]:
    wanted = [args[0]] * len(values) if args[-1:] == (...,) else list(args)
    hits = [_match(value, arg) for value, arg in zip(values, wanted, strict=False)]
    return len(values) == len(wanted) and all(hit for hit, _ in hits), tuple(value for _, value in hits)


def _unknown(name: str, known: Mapping[str, Any], what: str) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"it has: {', '.join(known) or 'none'}"
    return f"{what} has no option {name!r}; {hint}"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return repr(field.default)
    return repr(field.default_factory()) if field.default_factory is not dataclasses.MISSING else ""


def _type_name(wanted: Any) -> str:
    return wanted.__name__ if isinstance(wanted, type) and not get_args(wanted) else str(wanted).replace("typing.", "")
