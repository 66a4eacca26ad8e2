"""What decides the labels, as a record: only a run with the same record goes on from a checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from typing import Any

from ..components.resolve import configuration
from ..components.specs import Kind
from ..io.source import Source
from ..storage.arrays import beneath
from .code_identity import behaviour
from .plan import Plan

__all__ = ["fingerprint", "identity"]


def fingerprint(plan: Plan, path: str) -> dict[str, Any]:
    """The record of a run, in plain JSON values."""
    from .. import __version__

    grid = plan.grid
    record = {
        "tilewright": __version__,
        "destination": path,
        "source": _source(plan.source),
        "file": plan.source.whole.identity.state,
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
    }
    plain: dict[str, Any] = json.loads(json.dumps(record))
    return plain


def _source(source: Source) -> str:
    """What names the pixels. An array that has no identity is known by its class and by the values that it holds."""
    known = source.whole.identity
    if known.known or source.path:
        return known.text
    return f"{known.text} {_digest(behaviour(beneath(source.whole.data)[0]).encode())}"


def identity(kind: Kind, thing: Callable[..., Any]) -> dict[str, Any]:
    """What tells a component from another: its record, and for a function also its code and what it closes over."""
    record = configuration(kind, thing)
    if not dataclasses.is_dataclass(thing):
        record["code"] = _digest(behaviour(thing).encode())
        return record
    values = [getattr(thing, field.name) for field in dataclasses.fields(thing)]
    special = [value for value in values if not _is_json(value)]  # of which the record has but a text, cut short
    if "distribution" not in record:  # a plugin's code has a version, a script's has not
        special.append(type(thing))
    return record | {"code": _digest(behaviour(special).encode())} if special else record


def _is_json(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
