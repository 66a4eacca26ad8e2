"""The options of a component read from its source, so that a listing of all plugins imports none of their libraries.

What is read is what `options.options_of` says of the imported class. Where the source leaves that open (a base class
that is computed, a decorator of another library), it is Unreadable and never guessed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from ..components.options import Option
from .source import CALLS, Module, Unreadable, module

__all__ = ["written_options"]

BARE = {"object", "ABC", "Protocol", "Generic"}  # bases without fields
NO_FIELDS = {"ClassVar", "InitVar", "KW_ONLY"}


def written_options(target: str) -> tuple[Option, ...]:
    """The options of a target `"package.module:Name"`; none for a function.

    A default that is no constant expression is given as it is written. Unreadable if the target is neither class nor
    function, or if its fields cannot be known without running it.
    """
    name, _, attribute = target.partition(":")
    try:
        home, statement = module(name).find(attribute)
        if isinstance(statement, ast.FunctionDef):
            return ()
        if isinstance(statement, ast.ClassDef):
            return tuple(option for option in _fields(home, statement).values() if option is not None)
    except (SyntaxError, ImportError, ValueError, TypeError, ArithmeticError, RecursionError, OSError) as error:
        raise Unreadable(f"{target}: {error}") from error
    raise Unreadable(f"{target} is neither class nor function")


def _fields(home: Module, node: ast.ClassDef) -> dict[str, Option | None]:
    """The fields of a class by name, inherited ones first; None for one that is no argument."""
    if node.keywords:
        raise Unreadable(f"{node.name} has {', '.join(each.arg or '**' for each in node.keywords)}")
    fields: dict[str, Option | None] = {}
    for base in reversed(node.bases):
        fields |= _inherited(home, base)
    if any(_last_name(each) != "dataclass" for each in node.decorator_list):
        raise Unreadable(f"{node.name} is decorated by more than dataclass")
    return fields | dict(_own(home, node)) if node.decorator_list else fields


def _inherited(home: Module, base: ast.expr) -> dict[str, Option | None]:
    if _last_name(base) in BARE:
        return {}
    return _fields(*_class(home, base))


def _own(home: Module, node: ast.ClassDef) -> Iterator[tuple[str, Option | None]]:
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            written = _type(home, statement.annotation)
            if written.partition("[")[0].rpartition(".")[2] not in NO_FIELDS:
                yield statement.target.id, _option(home, statement.target.id, written, statement.value)


def _option(home: Module, name: str, written: str, default: ast.expr | None) -> Option | None:
    if not isinstance(default, ast.Call) or _last_name(default) in CALLS:
        return Option(name=name, type=written, default="" if default is None else _shown(home, default), help="")
    if _last_name(default) != "field" or any(each.arg is None for each in default.keywords):
        raise Unreadable(f"{name} = {ast.unparse(default)}")
    said = {each.arg: each.value for each in default.keywords}
    if "init" in said and not home.value(said["init"]):
        return None
    return Option(name=name, type=written, default=_field_default(home, said), help=_help(home, said.get("metadata")))


def _field_default(home: Module, said: dict[str | None, ast.expr]) -> str:
    if "default" in said:
        return _shown(home, said["default"])
    match said.get("default_factory"):
        case None:
            return ""
        case ast.Lambda(body=body):
            return _shown(home, body)
        case factory:
            return _shown(home, ast.Call(func=factory, args=[], keywords=[]))


def _shown(home: Module, node: ast.expr) -> str:
    """The default as `repr` gives it, or as it is written."""
    try:
        return repr(_value(home, node))
    except Unreadable:
        return ast.unparse(node)


def _value(home: Module, node: ast.expr) -> Any:
    if not isinstance(node, ast.Attribute):
        return home.value(node)
    # `Grid.halo`: the default of another class's field, which dataclass leaves in the class
    owner, cls = _class(home, node.value)
    for statement in cls.body:
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == node.attr and statement.value:
            return _class_attribute(owner, statement.value)
    raise Unreadable(ast.unparse(node))


def _class_attribute(home: Module, node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and _last_name(node) == "field":
        node = next((each.value for each in node.keywords if each.arg == "default"), node)
    return _value(home, node)


def _class(home: Module, node: ast.expr) -> tuple[Module, ast.ClassDef]:
    if isinstance(node, ast.Name):
        owner, statement = home.find(node.id)
        if isinstance(statement, ast.ClassDef):
            return owner, statement
    raise Unreadable(f"{ast.unparse(node)} is no class that the source shows")


def _help(home: Module, metadata: ast.expr | None) -> str:
    """The text under `help`, or nothing if it is computed."""
    if metadata is None:
        return ""
    try:
        return str(home.value(metadata).get("help", ""))
    except Unreadable:
        return ""


def _type(home: Module, annotation: ast.expr) -> str:
    """The type as `dataclasses` keeps it: the text, of which a quoted one is unquoted unless all are texts anyway."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str) and not home.postponed:
        return annotation.value
    return ast.unparse(annotation)


def _last_name(node: ast.expr) -> str:
    """`dataclass` of `dataclass`, `dataclasses.dataclass` and `dataclass(frozen=True)`; `Generic` of `Generic[T]`."""
    match node:
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return _last_name(inner)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""
