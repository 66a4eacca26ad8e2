"""What decides the labels, as a record: only a run with the same record resumes from a checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from .._version import __version__
from ..components.resolve import configuration
from ..components.specs import Kind
from ..image.mapped import Transformation
from .checkpoint.differences import same
from .code_identity import behaviour
from .plan import Plan
from .reading import Stored

__all__ = [
    "fingerprint",
    "identity",
    "note_change",
    "noting_changes",
    "of_predictions",
    "stored_record",
    "with_windows_of",
]

_first: dict[str, str] = {}
"""By what the code of a component came to be in the course of a run of this process: what it was when the run began."""


def fingerprint(plan: Plan, path: str) -> dict[str, Any]:
    """The record of a run, in plain JSON values."""
    grid, image = plan.grid, plan.source.opened
    record = {
        "tilewright": __version__,
        "destination": path,
        "source": plan.source.whole.identity.text if plan.pixels else None,
        "file": None if plan.files is None else plan.files._asdict(),
        "image": [image.axes, list(image.shape), str(image.dtype)],
        "reader": identity("reader", plan.source.reader) if plan.source.reader else None,
        "channels": plan.source.channels,
        "transforms": [_transformation(each) for each in image.transformations],
        "grid": [grid.axes, grid.cores, grid.halo, grid.stride, grid.separate],
        "left_out": grid.left_out,
        "within": None if plan.within is None else plan.within.record,
        "context": plan.context,
        "given": {name: stored_record(each) for name, each in plan.given.items()},
        "keeps_ids": plan.keeps_ids,
        "windows": [[*map(dataclasses.asdict, plan.windows)], plan.batch] if plan.windows else None,
        "segmenter": identity("segmenter", plan.segmenter),
        "shared": plan.shared,
        "merger": identity("merger", plan.merger),
        "min_size": plan.min_size,
        "empty": plan.empty,
        "same_ids": plan.same_ids,
        "join_z": plan.join_z,
    }
    plain: dict[str, Any] = json.loads(json.dumps(record))
    return plain


def stored_record(stored: Stored) -> list[Any]:
    """What tells an image, or labels, from others; regions of which guards tell a change aside."""
    files = None if stored.files is None else stored.files.content or stored.files._asdict()
    image = stored.source.whole
    lattice = stored.source.lattice
    laid = [] if lattice is None else [lattice.starts, lattice.steps]
    return [image.identity.text, files, image.axes, image.shape, str(image.dtype), *laid]


def of_predictions(record: Mapping[str, Any], decode_options: Sequence[str]) -> dict[str, Any]:
    """The part of a run's record that decides what a network says in it: without what decodes it."""
    segmenter = dict(record["segmenter"])
    options = segmenter.get("configuration", {})
    segmenter["configuration"] = {name: options[name] for name in options if name not in decode_options}
    joining = ("merger", "min_size", "same_ids", "join_z")
    others = ("grid", "left_out", "within", "context", "given", "keeps_ids", *joining)
    return {name: value for name, value in record.items() if name not in others} | {"segmenter": segmenter}


def with_windows_of(old: Mapping[str, Any] | None, plan: Plan, record: Mapping[str, Any]) -> Plan:
    """The plan with the windows and the batch of an earlier record, if that is the same but for these.

    They may depend on how much memory a device had free, and a run that resumes has to get the same.
    """
    if old is None:
        return plan
    one, other = ({name: each.get(name) for name in record if name != "windows"} for each in (old, record))
    if not old.get("windows") or not same(one, other):
        return plan
    from ..tiling.windows import Windows  # most segmenters are not networks

    windows, batch = old["windows"]
    return replace(plan, windows=tuple(Windows(**{n: _tuples(v) for n, v in w.items()}) for w in windows), batch=batch)


def _tuples(value: Any) -> Any:
    """A value read from JSON with its lists as tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _transformation(by: Transformation) -> dict[str, Any]:
    """A transform, and how it is applied; a function says nothing of that itself."""
    applied = [by.axes, sorted(by.context.items()), by.located, by.channels]
    return identity("transform", by.function) | {"applied": applied}


def identity(kind: Kind, thing: Callable[..., Any]) -> dict[str, Any]:
    """What tells a component from another: its record, and for a function also its code and what it closes over."""
    record = configuration(kind, thing)
    code = _code(thing, by_version="distribution" in record)
    return record | {"code": _first.get(code, code)} if code else record


@contextmanager
def noting_changes(plan: Plan, record: Mapping[str, Any]) -> Iterator[None]:
    """While a run goes on, what its components change of themselves does not make them others.

    A list that a function appends to, or a model that it opens at its first call, is changed when the same run is
    repeated in the same process. So what a component has become when the run ends stands for what it was before.
    """
    try:
        yield
    finally:
        functions = [each.function for each in plan.source.opened.transformations]
        records = [record["segmenter"], record["merger"], *record["transforms"]]
        for thing, known in zip((plan.segmenter, plan.merger, *functions), records, strict=True):
            note_change(thing, known)


def note_change(thing: object, known: Mapping[str, Any]) -> None:
    """Have what a component has become stand for what it was when this record of it was made."""
    if before := known.get("code"):
        _first[_code(thing, by_version="distribution" in known)] = before


def _code(thing: object, *, by_version: bool) -> str:
    """A digest of a component's code and of all that it works with; empty if its name, options and version tell all."""
    if not dataclasses.is_dataclass(thing):
        return _digest(thing)
    values = [getattr(thing, field.name) for field in dataclasses.fields(thing)]
    special = [value for value in values if not _is_json(value)]  # of which the record has but a text, cut short
    if not by_version:  # a plugin's code has a version, a script's has not
        special.append(type(thing))
    return _digest(special) if special else ""


def _is_json(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _digest(thing: object) -> str:
    return hashlib.blake2b(behaviour(thing).encode(), digest_size=16).hexdigest()
