"""What a function does, as a text that changes with its code and with the values that it works with.

A run that goes on with tiles of an earlier one relies on it: what is not in the text may change unseen.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import itertools
import pickle
import secrets
import sys
import sysconfig
import types
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..storage.identity import pieces

__all__ = ["behaviour"]

_PLAIN = (str, bytes, int, float, complex, bool, types.NoneType)
_ADDING = {"append", "extend", "insert", "add", "update", "setdefault"}
_MAKING = {"__init__", "__post_init__", "__new__"}  # what these add to is made by them
_GETTING = {"LOAD_GLOBAL", "LOAD_NAME"}


@dataclass(frozen=True, kw_only=True)
class Walk:
    """One way through all that a function works with.

    known: what has been described already, by its id: an object that holds itself is described once.
    added: the names of lists and tables that the code only adds to (`calls.append(...)`): what it tells, not what it
        goes by. Without them a function that counts its calls would be another one after each.
    finding: whether this is the way on which these names are found.
    """

    known: dict[int, object] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)
    finding: bool = False


def behaviour(thing: object) -> str:
    """The text of a function, an instance, or any value.

    It follows functions and classes of the user's own modules, the globals and closures that their code uses, and
    containers and instances in these. What is installed is known by its name, and an object of an installed class by
    the plain values that it holds itself: behind may be a model of gigabytes, or a connection.

    >>> def above(level):
    ...     return lambda pixels: pixels > level[0]
    >>> behaviour(above([5])) == behaviour(above([5])), behaviour(above([5])) == behaviour(above([6]))
    (True, False)
    """
    try:
        found = Walk(finding=True)
        _text(thing, found)
        return _text(thing, Walk(added=found.added))
    except RecursionError:
        return secrets.token_hex(16)  # what is too deep to be followed is never known to be the same


def _text(thing: object, walk: Walk) -> str:
    if isinstance(thing, _PLAIN):
        return repr(thing)
    if isinstance(thing, np.generic):
        return f"{thing.dtype} {thing!r}"
    if isinstance(thing, types.CodeType):
        return f"{thing.co_code.hex()} {thing.co_names} {_text(thing.co_consts, walk)}"
    if isinstance(thing, tuple):
        return _row(type(thing).__name__, thing, walk)
    if id(thing) in walk.known:
        return f"the {list(walk.known).index(id(thing))}th"
    walk.known[id(thing)] = thing  # which keeps it, so that nothing else comes to have its id
    return _held(thing, walk)


def _held(thing: object, walk: Walk) -> str:
    if isinstance(thing, np.ndarray) and not thing.dtype.hasobject:
        if walk.finding:
            return ""
        digest = hashlib.blake2b(digest_size=16)
        for piece in pieces(thing):
            digest.update(piece)
        return f"{digest.hexdigest()} {thing.dtype} {thing.shape}"
    if isinstance(thing, np.ndarray):
        return f"{thing.shape} {_row('array', thing.ravel().tolist(), walk)}"
    if isinstance(thing, list):
        return _row("list", thing, walk)
    if isinstance(thing, set | frozenset):
        return "{" + " ".join(sorted(_text(each, replace(walk, known=dict(walk.known))) for each in thing)) + "}"
    if isinstance(thing, dict | types.MappingProxyType):
        return "{" + " ".join(f"{_text(key, walk)}: {_text(thing[key], walk)}" for key in thing) + "}"
    if isinstance(thing, types.FunctionType):
        return _function(thing, walk)
    if isinstance(thing, types.MethodType):
        return f"{_text(thing.__func__, walk)} of {_text(thing.__self__, walk)}"
    if isinstance(thing, functools.partial):
        return f"partial {_row('', (thing.func, thing.args, thing.keywords), walk)}{_attributes(thing, walk)}"
    if isinstance(thing, type):
        return _class(thing, walk)
    return _instance(thing, walk)


def _row(name: str, values: tuple[object, ...] | list[object], walk: Walk) -> str:
    return f"{name}[" + " ".join(_text(each, walk) for each in values) + "]"


def _function(function: types.FunctionType, walk: Walk) -> str:
    code = function.__code__
    if walk.finding and function.__name__ not in _MAKING:
        walk.added.update(_added_to(code))
    left = set() if walk.finding else walk.added
    cells = [
        _content(cell)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True)
        if name not in left
    ]
    around = {name: function.__globals__[name] for name in _globals_of(code) - left if name in function.__globals__}
    used = {name: held for name, held in sorted(around.items()) if _is_followed(held, function.__globals__)}
    return _row("", (code, function.__defaults__, function.__kwdefaults__, cells, used), walk)


def _is_followed(held: object, around: dict[str, Any]) -> bool:
    """Whether what a function finds among its module's globals is looked into: not modules, and not installed code."""
    if isinstance(held, types.FunctionType):
        return held.__globals__ is around or _is_the_users(held.__globals__.get("__name__"))
    if isinstance(held, type):
        return held.__module__ == around.get("__name__") or _is_the_users(held.__module__)
    return not isinstance(held, types.ModuleType | types.BuiltinFunctionType)


def _class(kind: type, walk: Walk) -> str:
    name = f"{kind.__module__}.{kind.__qualname__}"
    if not _is_the_users(kind.__module__):
        return name
    parts = {
        key: getattr(held, "__func__", getattr(held, "fget", held))
        for key, held in vars(kind).items()
        if isinstance(held, types.FunctionType) or not (key.startswith("__") and key.endswith("__"))
    }
    return f"{name} {_text(parts, walk)} {_row('', kind.__bases__, walk)}"


def _instance(thing: object, walk: Walk) -> str:
    inner = getattr(thing, "__wrapped__", None)
    if isinstance(inner, types.FunctionType):  # as functools.lru_cache and compilers leave what they were given
        return f"{_name(thing)} around {_text(inner, walk)}"
    kind = type(thing)
    if kind.__module__.partition(".")[0] in sys.stdlib_module_names and not hasattr(thing, "__dict__"):
        return f"{_name(thing)} {_pickled(thing)}"
    return f"{_text(kind, walk)}{_attributes(thing, walk)}"


def _attributes(thing: object, walk: Walk) -> str:
    """What an instance holds: all of it if its class is the user's, the plain values and arrays of any other's."""
    kind = type(thing)
    slots = (name for each in kind.__mro__ for name in _slots(each) if hasattr(thing, name))
    held = {name: getattr(thing, name) for name in slots} | getattr(thing, "__dict__", {})
    if _is_the_users(kind.__module__) or isinstance(thing, types.SimpleNamespace):
        left = set() if walk.finding else walk.added
        return f" {_text({name: value for name, value in held.items() if name not in left}, walk)}"
    plain = {name: value for name, value in held.items() if isinstance(value, (*_PLAIN, np.generic, np.ndarray))}
    return f" {_text(plain, walk)}"


def _slots(kind: type) -> tuple[str, ...]:
    said = vars(kind).get("__slots__", ())
    return tuple(name for name in ((said,) if isinstance(said, str) else said) if not name.startswith("__"))


def _globals_of(code: types.CodeType) -> set[str]:
    """The names of globals that a function's code uses, and the code of functions within it."""
    found = {str(each.argval) for each in dis.get_instructions(code) if each.opname in _GETTING}
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return found.union(*map(_globals_of, inner))


def _added_to(code: types.CodeType) -> set[str]:
    """The names of what code adds to, as `calls.append(...)` does."""
    steps = itertools.pairwise(dis.get_instructions(code))
    found = {
        str(held.argval)
        for held, then in steps
        if then.opname in ("LOAD_ATTR", "LOAD_METHOD") and then.argval in _ADDING
    }
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return found.union(*map(_added_to, inner))


@functools.cache
def _is_the_users(module: str | None) -> bool:
    """Whether a module is neither Python's nor installed, so that no version tells of its changes."""
    if module is None or module.partition(".")[0] in (*sys.stdlib_module_names, *sys.builtin_module_names):
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    installed = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")}
    return file is None or not any(Path(file).is_relative_to(folder) for folder in installed if folder)


def _pickled(thing: object) -> str:
    """A value of Python's own types, such as a path or a fraction; nothing of what cannot be copied, such as a lock."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return hashlib.blake2b(pickle.dumps(thing, protocol=4), digest_size=16).hexdigest()
    except Exception:  # noqa: BLE001 - whatever a type says that does not want to be copied
        return ""


def _name(thing: object) -> str:
    named = thing if isinstance(thing, types.BuiltinFunctionType | np.ufunc) else type(thing)
    return f"{named.__module__}.{named.__name__}"


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # it is filled later
        return None
