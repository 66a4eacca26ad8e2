"""Modules as text: what a name stands for in a module that has not been imported, and must not be."""

from __future__ import annotations

import ast
import functools
import importlib.util
import operator
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from typing import Any

__all__ = ["Module", "Unreadable", "module"]

OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
CALLS: Mapping[str, Callable[..., Any]] = {
    each.__name__: each for each in (float, int, str, tuple, list, dict, set, frozenset)
}


class Unreadable(Exception):
    """The source does not say it, short of being run."""


@dataclass(frozen=True, kw_only=True)
class Module:
    """The source of a module: its name, whether it is a package, and its statements."""

    name: str
    package: bool
    body: tuple[ast.stmt, ...]

    @property
    def postponed(self) -> bool:
        """Whether annotations stay text: `from __future__ import annotations`."""
        return any(
            isinstance(each, ast.ImportFrom) and each.module == "__future__" and "annotations" in _names(each)
            for each in self.body
        )

    def find(self, name: str) -> tuple[Module, ast.stmt]:
        """The statement that gives a name its meaning, and the module where it is: imports are followed.

        Unreadable for a name that is bound inside an `if`, a `try` or a function, or by a star.
        """
        for statement in reversed(self.body):
            if isinstance(statement, ast.ImportFrom) and name in _names(statement):
                return module(self._imported_from(statement)).find(_names(statement)[name])
            if name in _bound(statement):
                return self, statement
        raise Unreadable(f"{self.name} binds no {name!r} at its top level")

    def value(self, node: ast.expr) -> Any:
        """The value of an expression of constants. Unreadable for any other."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Tuple(elts=parts):
                return tuple(self.value(part) for part in parts)
            case ast.List(elts=parts):
                return [self.value(part) for part in parts]
            case ast.Dict(keys=keys, values=values):
                return {self.value(_known(k)): self.value(v) for k, v in zip(keys, values, strict=True)}
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.value(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return OPERATORS[type(op)](self.value(left), self.value(right))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in CALLS:
                return CALLS[name](*(self.value(arg) for arg in args))
            case ast.Name(id=name):
                return self._constant(name)
        raise Unreadable(ast.unparse(node))

    def _constant(self, name: str) -> Any:
        home, statement = self.find(name)
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            return home.value(statement.value)
        raise Unreadable(name)

    def _imported_from(self, statement: ast.ImportFrom) -> str:
        package = self.name if self.package else self.name.rpartition(".")[0]
        return importlib.util.resolve_name("." * statement.level + (statement.module or ""), package)


@functools.cache
def module(name: str) -> Module:
    """Read a module by its dotted name. Unreadable if it has no Python source, or cannot be found."""
    found = _found(name)
    read = getattr(found.loader, "get_source", None)
    text = read(name) if read else None
    if text is None:
        raise Unreadable(f"{name} has no Python source")
    return Module(name=name, package=found.submodule_search_locations is not None, body=tuple(ast.parse(text).body))


def _found(name: str) -> ModuleSpec:
    """Where a module is. `importlib.util.find_spec` would import its packages; here finders are only asked."""
    parent = name.rpartition(".")[0]
    path = _found(parent).submodule_search_locations if parent else None
    loaded: ModuleSpec | None = getattr(sys.modules.get(name), "__spec__", None)
    asked = (finder.find_spec(name, path) for finder in sys.meta_path)
    found = loaded or next(filter(None, asked), None)
    if found is None:
        raise Unreadable(f"{name} is not found")
    return found


def _names(statement: ast.ImportFrom) -> dict[str, str]:
    """What an import binds, and what that is called where it comes from."""
    return {each.asname or each.name: each.name for each in statement.names}


def _bound(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
    return set()


def _known(node: ast.expr | None) -> ast.expr:
    if node is None:  # `{**other}`
        raise Unreadable("a mapping unpacked into another")
    return node
