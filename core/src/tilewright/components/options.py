"""Options and arguments, checked and converted by their types in one place.

The fields of a component's frozen dataclass are its options; a function's annotations say what its arguments are.
Values come from Python, from a JSON or TOML file, or as strings from the command line; the last are read as JSON where
the field's type is not a string.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import functools
import inspect
import json
import os
import types
from collections.abc import Callable, Iterable, Mapping, Sequence, Set, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import InvalidOption
from .isolation import describe
from .quantities import plain

__all__ = ["Option", "build", "checked_arguments", "converted", "options_of", "parse", "shown", "types_of"]

P = ParamSpec("P")
R = TypeVar("R")

WORDS: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    set: "a set",
    frozenset: "a set",
    bytes: "bytes",
    dict: "a mapping",
    Mapping: "a mapping",
    Callable: "a function",
    Path: "a path",
    types.NoneType: "None",
    Any: "a value",
}
LONGEST = 100  # characters of a value in a message


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option: its name, type in words, default (as `repr`, empty if it must be given) and description."""

    name: str
    type: str
    default: str
    help: str


def options_of(target: Any) -> tuple[Option, ...]:
    """The options of a component's class; none for a function, which has no options."""
    if not _has_options(target):
        return ()
    try:
        known = types_of(target)
    except NameError:  # in an annotation; whoever makes the component is told
        known = {}
    return tuple(
        Option(
            name=field.name,
            type=_words(known[field.name]) if field.name in known else str(field.type),
            default=_default(field),
            help=field.metadata.get("help", ""),
        )
        for field in dataclasses.fields(target)
        if field.init
    )


def build(target: Any, options: Mapping[str, Any], what: str) -> Any:
    """Make a component from its options.

    InvalidOption for an option that it does not have, lacks or cannot use; whatever else its constructor raises is
    raised as it is.
    """
    known = types_of(target) if _has_options(target) else {}
    if options and not known:
        raise InvalidOption(f"{what} has no options, but was given {', '.join(sorted(map(str, options)))}")
    for name in options:
        if name not in known:
            raise InvalidOption(_unknown(name, known, what))
    values = converted(known, options, f"{what}: ")
    for name in _required(target):
        if name not in known:
            raise InvalidOption(
                f"{what} cannot be made without {name!r}, which is not one of its options (the fields of a frozen "
                "dataclass); make it in Python, and give the instance"
            )
        if name not in options:
            raise InvalidOption(f"{what} needs its option {name!r}, {_words(known[name])}; give it a value")
    if not isinstance(target, type):
        return target
    try:
        return target(**values)
    except InvalidOption as error:
        raise InvalidOption(f"{what}: {error}") from error
    except (TypeError, ValueError, LookupError, OSError) as error:
        raise InvalidOption(f"{what} cannot be made with {shown(options)}: {describe(error)}") from error


def shown(options: Mapping[str, Any]) -> str:
    """Options and their values in a message: `sigma=3, mode='near'`."""
    return ", ".join(f"{name}={_brief(value)}" for name, value in options.items()) or "its defaults"


def types_of(target: Any) -> dict[str, Any]:
    """The types of a dataclass's options by name."""
    hints = get_type_hints(target)
    return {field.name: hints[field.name] for field in dataclasses.fields(target) if field.init}


def converted(wanted: Mapping[str, Any], values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values converted to the wanted types. InvalidOption for a value of another type; `prefix` names its owner.

    Numpy's scalars become Python's own, an int becomes a float where a float is wanted, and a sequence becomes a tuple.
    """
    return {name: _convert(value, wanted[name], f"{prefix}{name}") for name, value in values.items()}


def checked_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with the arguments of each call converted by its annotations. InvalidOption as `converted`."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # Python says what is missing, or too much
        bound.arguments.update(converted(get_type_hints(function), bound.arguments))
        return function(*bound.args, **bound.kwargs)

    return checked


def parse(target: Any, texts: Mapping[str, str]) -> dict[str, Any]:
    """Read option values that are given as text: as JSON if they are JSON, else as the text itself.

    A field that takes only strings gets the text as it is, so that a channel named `1` stays a name. One that takes a
    sequence of strings gets those between commas.
    """
    hints = get_type_hints(target) if _has_options(target) else {}
    return {name: _read(text, hints.get(name, Any)) for name, text in texts.items()}


def _has_options(target: Any) -> bool:
    return isinstance(target, type) and dataclasses.is_dataclass(target)


def _required(target: object) -> list[str]:
    """The arguments without which a class cannot be made; none of a function, which is the component itself."""
    if not isinstance(target, type):
        return []
    try:
        parameters = inspect.signature(target).parameters.values()
    except ValueError:  # a class in C that does not say
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in parameters if each.default is each.empty and each.kind not in optional]


def _read(text: str, wanted: Any) -> Any:
    kinds = {str} if wanted is str else set(get_args(wanted))
    if get_origin(wanted) not in (tuple, Sequence) and str in kinds and kinds <= {str, types.NoneType}:
        return None if types.NoneType in kinds and text.lower() == "none" else text
    named = {"true": True, "false": False, "none": None}
    if text.lower() in named:
        return named[text.lower()]
    alternatives = kinds if get_origin(wanted) in (Union, types.UnionType) else {wanted}
    elements = _elements(alternatives)
    if elements and str not in alternatives and not text.lstrip().startswith("["):
        return [_read(part.strip(), elements[0]) for part in text.split(",") if part.strip()]
    for written in (text, f"[{text}]") if "," in text else (text,):
        with contextlib.suppress(ValueError, RecursionError):  # not JSON, a number of too many digits, too deep
            return json.loads(written)
    return text


def _elements(kinds: Set[Any]) -> list[Any]:
    """Of what the sequences among some types are made, if that may be text."""
    args = [get_args(kind) for kind in kinds if get_origin(kind) in (tuple, Sequence)]
    return [arg[0] for arg in args if set(arg[1:]) <= {arg[0], ...} and str in (arg[0], *get_args(arg[0]))]


def _convert(value: Any, wanted: Any, what: str) -> Any:
    matched, result = _match(value, wanted)
    if not matched:
        raise InvalidOption(f"{what} must be {_words(wanted)}, not {_brief(value)}")
    return result


def _brief(value: Any) -> str:
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 - a number of too many digits, or whatever else has no text
        text = f"a {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _match(value: Any, wanted: Any) -> tuple[bool, Any]:
    """Whether a value is of the wanted type, and the value as that type. A type that says nothing takes any value."""
    wanted = _meant(wanted)
    if wanted is Any:
        return True, value
    value, origin, args = plain(value), get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        return next((hit for hit in (_match(value, arg) for arg in args) if hit[0]), (False, value))
    if origin is Literal:
        return any(value == arg and type(value) is type(arg) for arg in args), value
    if origin in (tuple, Sequence):
        return _match_sequence(value, args if origin is tuple else (*args, ...))
    if isinstance(value, bool) and wanted in (int, float):
        return False, value
    if wanted is float and isinstance(value, int | float):
        with contextlib.suppress(OverflowError):  # a whole number that is larger than every float
            return True, float(value)
        return False, value
    kind = os.PathLike if wanted is Path else origin or wanted
    try:
        return not isinstance(kind, type) or isinstance(value, kind), value
    except TypeError:  # a protocol that cannot be asked
        return True, value


def _meant(wanted: Any) -> Any:
    """The type behind a `NewType` or a `type` statement."""
    while (behind := getattr(wanted, "__supertype__", None) or getattr(wanted, "__value__", None)) is not None:
        wanted = behind
    return wanted


def _match_sequence(values: Any, args: tuple[Any, ...]) -> tuple[bool, Any]:
    sized = isinstance(values, Iterable) and isinstance(values, Sized)
    if not sized or isinstance(values, str | bytes | Mapping | Set):
        return False, values
    wanted = [args[0]] * len(values) if args[-1:] == (...,) else list(args)
    hits = [_match(value, arg) for value, arg in zip(values, wanted, strict=False)]
    return len(values) == len(wanted) and all(hit for hit, _ in hits), tuple(value for _, value in hits)


def _words(wanted: Any) -> str:
    """A type in words: `a number or "otsu"`."""
    *others, last = _alternatives(wanted)
    comma = "," if any(" or " in words for words in others) else ""
    return f"{', '.join(others)}{comma} or {last}" if others else last


def _alternatives(wanted: Any) -> list[str]:
    wanted = _meant(wanted)
    origin, args = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        return [word for arg in args for word in _alternatives(arg)]
    if wanted is bool or origin is Literal:
        return [f'"{arg}"' if isinstance(arg, str) else repr(arg) for arg in args or (True, False)]
    if origin in (tuple, Sequence):
        return [_sequence(args if origin is tuple else (*args, ...))]
    return [
        WORDS.get(origin or wanted) or _with_article(getattr(origin or wanted, "__name__", "value of another type"))
    ]


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiouAEIOU" else f"a {noun}"


def _sequence(args: tuple[Any, ...]) -> str:
    """`a sequence of whole numbers`, `a sequence of 2 numbers`, `a sequence of a number and text`."""
    if len(set(args) - {...}) != 1:
        return f"a sequence of {' and '.join(map(_words, args)) or 'nothing'}"
    count = "" if args[-1] is ... else f"{len(args)} "
    return f"a sequence of {count}{' or '.join(map(_plural, _alternatives(args[0])))}"


def _plural(words: str) -> str:
    """`whole numbers` of `a whole number`; text and values have no plural."""
    noun, of, rest = words.removeprefix("a ").partition(" of ")
    return f"{noun}s{of}{rest}" if words.startswith("a ") else words


def _unknown(name: str, known: Mapping[str, Any], what: str) -> str:
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"it has: {', '.join(known)}"
    return f"{what} has no option {name!r}; {hint}"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return repr(field.default)
    return repr(field.default_factory()) if field.default_factory is not dataclasses.MISSING else ""
