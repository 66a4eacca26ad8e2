"""What decides the labels, as a record: only a run with the same record goes on from a stage."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..components import configuration
from ..image import Image
from ..specs import Kind
from .guard import file_state
from .plan import Plan

__all__ = ["fingerprint", "identity"]

_PLAIN = (str, bytes, int, float, complex, bool, types.NoneType)


def fingerprint(plan: Plan, writer: Callable[..., Any], path: str) -> dict[str, Any]:
    """The record of a run, in plain JSON values."""
    from .. import __version__

    grid = plan.grid
    record = {
        "tilewright": __version__,
        "destination": path,
        "source": plan.source.path or _content(plan.source.image),
        "file": file_state(plan.source.path) if Path(plan.source.path).is_file() else None,
        "image": [plan.source.opened.axes, list(plan.source.opened.shape), str(plan.source.opened.dtype)],
        "reader": identity("reader", plan.source.reader) if plan.source.reader else None,
        "channels": plan.source.channels,
        "grid": [grid.axes, grid.cores, grid.halo, grid.stride, grid.separate],
        "context": plan.context,
        "segmenter": identity("segmenter", plan.segmenter),
        "merger": identity("merger", plan.merger),
        "min_size": plan.min_size,
        "empty": plan.empty,
        "same_ids": plan.same_ids,
        "join_z": plan.join_z,
        "writer": identity("writer", writer),
    }
    plain: dict[str, Any] = json.loads(json.dumps(record))
    return plain


def identity(kind: Kind, thing: Callable[..., Any]) -> dict[str, Any]:
    """What tells a component from another: its record, and for a function also its code and what it closes over."""
    record = configuration(kind, thing)
    if not dataclasses.is_dataclass(thing):
        record["code"] = _digest(_code(thing).encode())
        return record
    values = [getattr(thing, field.name) for field in dataclasses.fields(thing)]
    special = [value for value in values if not _is_json(value)]  # of which the record has but a text, cut short
    if "distribution" not in record:  # a plugin's code has a version, a script's has not
        special += [part for part in vars(type(thing)).values() if isinstance(part, types.FunctionType)]
    return record | {"code": _digest(_code(special).encode())} if special else record


def _content(image: Image | None) -> str:
    """The identity of an image in memory: a digest of its pixels, or the name that dask or zarr gives it."""
    assert image is not None
    data = image.data
    if isinstance(data, np.ndarray):
        digest = hashlib.blake2b(digest_size=16)
        for block in _blocks(data):
            digest.update(block)
        return f"pixels {digest.hexdigest()}"
    return f"{type(data).__name__} {getattr(data, 'name', '')} {getattr(data, 'store', '')}"


def _blocks(array: NDArray[Any], most: int = 2**22) -> Iterator[bytes]:
    """The bytes of an array in raster order, at most so many at a time: it may be a map of a whole disk."""
    if array.nbytes <= most or not array.ndim:
        yield array.tobytes()
        return
    step = most // max(1, array[:1].nbytes)
    for start in range(0, len(array), max(1, step)):
        yield from _blocks(array[start : start + step] if step else array[start], most)


def _is_json(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _code(thing: object, around: tuple[int, ...] = ()) -> str:
    """A text that changes with a function's code: its bytecode and constants, its defaults, and what it closes over."""
    if id(thing) in around:  # a function that calls itself
        return "..."
    within = (*around, id(thing))
    if isinstance(thing, types.MethodType):
        return f"{_code(thing.__func__, within)} of {_code(thing.__self__, within)}"
    if hasattr(thing, "func") and hasattr(thing, "keywords"):  # functools.partial
        return f"partial {_code([thing.func, *getattr(thing, 'args', ()), thing.keywords], within)}"
    if isinstance(thing, types.FunctionType):
        around_it = {name: _parts(held) if callable(held) else held for name, held in _globals(thing).items()}
        return _code([_parts(thing), around_it], within)
    if isinstance(thing, types.CodeType):
        return f"{thing.co_code.hex()} {thing.co_names} {_code(thing.co_consts, within)}"
    if isinstance(thing, tuple | list):
        return "[" + " ".join(_code(each, within) for each in thing) + "]"
    if isinstance(thing, frozenset | set):
        return "{" + " ".join(sorted(_code(each, within) for each in thing)) + "}"
    if isinstance(thing, dict):
        return "{" + " ".join(f"{_code(key, within)}: {_code(value, within)}" for key, value in thing.items()) + "}"
    if isinstance(thing, np.ndarray):
        return f"{_digest(thing.tobytes())} {thing.shape}"
    if isinstance(thing, _PLAIN):
        return repr(thing)
    return f"{type(thing).__module__}.{getattr(thing, '__qualname__', type(thing).__qualname__)}{_state(thing, within)}"


def _parts(function: types.FunctionType) -> list[object]:
    cells = [_held(cell) for cell in function.__closure__ or ()]
    return [function.__code__, function.__defaults__, function.__kwdefaults__, cells]


def _globals(function: types.FunctionType) -> dict[str, Any]:
    """The constants and functions of its module that a function uses, and those that they use, by name.

    What it takes from other modules is known by name alone.
    """
    found: dict[str, Any] = {}
    waiting = [function]
    while waiting:
        current = waiting.pop()
        for name in _names(current.__code__):
            held = current.__globals__.get(name)
            if held is function or name in found:
                continue
            if isinstance(held, types.FunctionType) and held.__module__ == function.__module__:
                found[name] = held
                waiting.append(held)
            elif isinstance(held, (*_PLAIN, np.ndarray)) and held is not None:
                found[name] = held
    return dict(sorted(found.items()))


def _names(code: types.CodeType) -> set[str]:
    """The names of globals that a function's code uses, and the code of functions within it."""
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _held(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # it is filled later
        return None


def _state(thing: object, within: tuple[int, ...]) -> str:
    """The plain values that an instance holds. What it holds else may be anything, a model or itself, and is not read.

    Without them a threshold changed between two runs would go unseen, and old tiles be mixed with new ones.
    """
    if isinstance(thing, type | types.ModuleType | types.BuiltinFunctionType):
        return ""
    plain = {
        name: held for name, held in getattr(thing, "__dict__", {}).items() if isinstance(held, (*_PLAIN, np.ndarray))
    }
    call = vars(type(thing)).get("__call__")
    return f" {_code(plain, within)} {_code(call, within) if isinstance(call, types.FunctionType) else ''}"
