"""What decides the labels, as a record: only a run with the same record goes on from a stage."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

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
        "segmenter": identity("segmenter", plan.segmenter),
        "merger": identity("merger", plan.merger),
        "min_size": plan.min_size,
        "empty": plan.empty,
        "same_ids": plan.same_ids,
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


def _content(image: Image | None) -> str:
    """The identity of an image in memory: a digest of its pixels, or the name that dask or zarr gives it."""
    assert image is not None
    data = image.data
    if isinstance(data, np.ndarray):
        return f"pixels {_digest(data.tobytes())}"
    return f"{type(data).__name__} {getattr(data, 'name', '')} {getattr(data, 'store', '')}"


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _code(thing: object) -> str:
    """A text that changes with a function's code: its bytecode and constants, its defaults, and what it closes over."""
    if isinstance(thing, types.MethodType):
        return f"{_code(thing.__func__)} of {_code(thing.__self__)}"
    if hasattr(thing, "func") and hasattr(thing, "keywords"):  # functools.partial
        return f"partial {_code(thing.func)} {_code(getattr(thing, 'args', ()))} {_code(thing.keywords)}"
    if isinstance(thing, types.FunctionType):
        cells = [cell.cell_contents for cell in thing.__closure__ or ()]
        return f"{_code(thing.__code__)} {_code(thing.__defaults__)} {_code(thing.__kwdefaults__)} {_code(cells)}"
    if isinstance(thing, types.CodeType):
        return f"{thing.co_code.hex()} {thing.co_names} {_code(thing.co_consts)}"
    if isinstance(thing, tuple | list):
        return "[" + " ".join(_code(each) for each in thing) + "]"
    if isinstance(thing, frozenset | set):
        return "{" + " ".join(sorted(_code(each) for each in thing)) + "}"
    if isinstance(thing, dict):
        return "{" + " ".join(f"{_code(key)}: {_code(value)}" for key, value in thing.items()) + "}"
    if isinstance(thing, np.ndarray):
        return f"{_digest(thing.tobytes())} {thing.shape}"
    if isinstance(thing, _PLAIN):
        return repr(thing)
    return f"{type(thing).__module__}.{getattr(thing, '__qualname__', type(thing).__qualname__)}{_state(thing)}"


def _state(thing: object) -> str:
    """The plain values that an instance holds. What it holds else may be anything, a model or itself, and is not read.

    Without them a threshold changed between two runs would go unseen, and old tiles be mixed with new ones.
    """
    if isinstance(thing, type | types.ModuleType | types.BuiltinFunctionType):
        return ""
    plain = {
        name: held for name, held in getattr(thing, "__dict__", {}).items() if isinstance(held, (*_PLAIN, np.ndarray))
    }
    call = vars(type(thing)).get("__call__")
    return f" {_code(plain)} {_code(call) if isinstance(call, types.FunctionType) else ''}"
