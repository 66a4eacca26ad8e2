"""What a function does, as a text that changes with its code and with every value that it can reach.

A run that is resumed relies on it: what is not in the text may change unseen. There is no guessing which of the values
matter. What a function changes itself while it runs is left to `fingerprint`.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import pickle
import secrets
import sys
import sysconfig
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..storage.identity import pieces
from ..storage.machine import INSTALLED

__all__ = ["behaviour"]

PLAIN = (str, bytes, int, float, complex, bool, types.NoneType)
GLOBALS = {"LOAD_GLOBAL", "LOAD_NAME"}

Known = dict[int, object]
"""What has been described already, by its id: an object that holds itself is described once."""


def behaviour(thing: object) -> str:
    """The text of a function, an instance, or any value.

    It follows functions and classes of the user's own modules, the globals and closures that their code uses, and
    containers and instances in these. What is installed is known by its name, and an object of an installed class by
    the plain values that it holds itself: behind may be a model of gigabytes, or a connection. It is the same in every
    process, whatever its hash seed.

    >>> def above(level):
    ...     return lambda pixels: pixels > level[0]
    >>> behaviour(above([5])) == behaviour(above([5])), behaviour(above([5])) == behaviour(above([6]))
    (True, False)
    """
    try:
        return _text(thing, {})
    except RecursionError:
        return secrets.token_hex(16)  # what is too deep to be followed is never known to be the same


def _text(thing: object, known: Known) -> str:
    if isinstance(thing, PLAIN):
        return repr(thing)
    if isinstance(thing, np.generic):
        return f"{thing.dtype} {thing!r}"
    if isinstance(thing, types.CodeType):
        return f"{thing.co_code.hex()} {thing.co_names} {_text(thing.co_consts, known)}"
    if isinstance(thing, tuple):
        return _row(type(thing).__name__, thing, known)
    if id(thing) in known:
        return f"the {list(known).index(id(thing))}th"
    known[id(thing)] = thing  # which keeps it, so that nothing else comes to have its id
    return _container(thing, known) or _held(thing, known)


def _container(thing: object, known: Known) -> str:
    """The text of an array or of one of Python's own containers; empty for anything else."""
    if isinstance(thing, np.ndarray) and not thing.dtype.hasobject:
        digest = hashlib.blake2b(digest_size=16)
        for piece in pieces(np.asarray(thing)):
            digest.update(piece)
        return f"{digest.hexdigest()} {thing.dtype} {thing.shape}"
    if isinstance(thing, np.ndarray):
        return f"{thing.shape} {_row('array', thing.ravel().tolist(), known)}"
    if isinstance(thing, list):
        return _row("list", thing, known)
    if isinstance(thing, set | frozenset):
        return "{" + " ".join(sorted(_text(each, dict(known)) for each in thing)) + "}"
    if isinstance(thing, dict | types.MappingProxyType):
        return "{" + " ".join(f"{_text(key, known)}: {_text(thing[key], known)}" for key in thing) + "}"
    return ""


def _held(thing: object, known: Known) -> str:
    if isinstance(thing, types.FunctionType):
        return _function(thing, known)
    if isinstance(thing, types.MethodType):
        return f"{_text(thing.__func__, known)} of {_text(thing.__self__, known)}"
    if isinstance(thing, functools.partial):
        return f"partial {_row('', (thing.func, thing.args, thing.keywords), known)}{_attributes(thing, known)}"
    if isinstance(thing, type):
        return _class(thing, known)
    return _instance(thing, known)


def _row(name: str, values: tuple[object, ...] | list[object], known: Known) -> str:
    return f"{name}[" + " ".join(_text(each, known) for each in values) + "]"


def _function(function: types.FunctionType, known: Known) -> str:
    code = function.__code__
    cells = [_content(cell) for cell in function.__closure__ or ()]
    around = {name: function.__globals__[name] for name in _globals_of(code) if name in function.__globals__}
    used = {name: held for name, held in sorted(around.items()) if _is_followed(held, function.__globals__)}
    return _row("", (code, function.__defaults__, function.__kwdefaults__, cells, used), known)


def _is_followed(held: object, around: dict[str, Any]) -> bool:
    """Whether what a function finds among its module's globals is looked into: not modules, and not installed code."""
    if isinstance(held, types.FunctionType):
        return held.__globals__ is around or _is_the_users(held.__globals__.get("__name__"))
    if isinstance(held, type):
        return held.__module__ == around.get("__name__") or _is_the_users(held.__module__)
    return not isinstance(held, types.ModuleType | types.BuiltinFunctionType)


def _class(kind: type, known: Known) -> str:
    name = f"{kind.__module__}.{kind.__qualname__}"
    if not _is_the_users(kind.__module__):
        return name
    parts = {
        key: getattr(held, "__func__", getattr(held, "fget", held))
        for key, held in vars(kind).items()
        if isinstance(held, types.FunctionType) or not (key.startswith("__") and key.endswith("__"))
    }
    return f"{name} {_text(parts, known)} {_row('', kind.__bases__, known)}"


def _instance(thing: object, known: Known) -> str:
    inner = getattr(thing, "__wrapped__", None)
    if isinstance(inner, types.FunctionType):  # as functools.lru_cache and compilers leave what they were given
        return f"{_name(thing)} around {_text(inner, known)}"
    kind = type(thing)
    if kind.__module__.partition(".")[0] in sys.stdlib_module_names and not hasattr(thing, "__dict__"):
        return f"{_name(thing)} {_pickled(thing)}"
    return f"{_text(kind, known)}{_attributes(thing, known)}"


def _attributes(thing: object, known: Known) -> str:
    """What an instance holds: all of it if its class is the user's, the plain values and arrays of any other's."""
    kind = type(thing)
    slots = (name for each in kind.__mro__ for name in _slots(each) if hasattr(thing, name))
    held = {name: getattr(thing, name) for name in slots} | getattr(thing, "__dict__", {})
    if _is_the_users(kind.__module__) or isinstance(thing, types.SimpleNamespace):
        return f" {_text(held, known)}"
    plain = {name: value for name, value in held.items() if isinstance(value, (*PLAIN, np.generic, np.ndarray))}
    return f" {_text(plain, known)}"


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return tuple(name for name in ((slots,) if isinstance(slots, str) else slots) if not name.startswith("__"))


def _globals_of(code: types.CodeType) -> set[str]:
    """The names of globals that a function's code uses, and the code of functions within it."""
    names = {str(each.argval) for each in dis.get_instructions(code) if each.opname in GLOBALS}
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return names.union(*map(_globals_of, inner))


@functools.cache
def _is_the_users(module: str | None) -> bool:
    """Whether a module is neither Python's nor installed, so that no version tells of its changes."""
    if module is None or module.partition(".")[0] in (*sys.stdlib_module_names, *sys.builtin_module_names):
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or INSTALLED & set(Path(file).parts):
        return file is None
    installed = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")}
    return not any(Path(file).is_relative_to(folder) for folder in installed if folder)


def _pickled(thing: object) -> str:
    """A value of Python's own types, such as a path or a fraction; nothing of what cannot be copied, such as a lock."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return hashlib.blake2b(pickle.dumps(thing, protocol=4), digest_size=16).hexdigest()
    except Exception:  # noqa: BLE001 - whatever a type raises that does not want to be copied
        return ""


def _name(thing: object) -> str:
    named = thing if isinstance(thing, types.BuiltinFunctionType | np.ufunc) else type(thing)
    return f"{named.__module__}.{named.__name__}"


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # it is filled later
        return None
