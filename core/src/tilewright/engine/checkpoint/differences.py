"""How the records of two runs differ, in words for a user."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ...storage.identity import SMALL

__all__ = ["differences", "same"]

CHANGED = "the image's files have changed since"
OTHER = "the image is another one, or has other pixels"
DIGEST = re.compile(r"[0-9a-f]{32}")
GRID = 5  # axes, cores, halo, stride, separate
COMPONENTS = ("reader", "segmenter", "merger")
LONGEST = 80  # characters of a value
ABSENT = object()


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What differs, the old value as `there` and the new one as `now`; empty if nothing does."""
    keys = [key for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key)]
    if "grid" in keys and "within" in keys and old.get("within") and new.get("within"):
        keys.remove("within")  # the digest of a region is made tile by tile
    return "; ".join(text for key in keys for text in _differing(key, old.get(key), new.get(key)))


def _differing(key: str, old: Any, new: Any) -> Iterator[str]:
    if key == "file":
        yield _files(old, new) if isinstance(old, Mapping) and isinstance(new, Mapping) else CHANGED
    elif key == "source":
        yield OTHER if DIGEST.search(f"{old} {new}") else _both("image", old, new)
    elif key in COMPONENTS and isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _component(key, old, new)
    elif key in COMPONENTS:
        yield _both(key, *(value.get("name") if isinstance(value, Mapping) else "none" for value in (old, new)))
    elif key == "transforms":
        yield from _transforms(old or (), new or ())
    elif key == "image":
        yield from _parts(("axes of the image", "shape of the image", "dtype of the image"), old, new)
    elif key == "windows":
        yield "the windows of the network lie elsewhere"
    elif key == "left_out":
        yield "other tiles are left out"
    elif key == "within" and old and new:
        same_rule = old["rule"] == new["rule"]
        yield "the region has other pixels" if same_rule else _both("within_rule", old["rule"], new["rule"])
    elif key == "within":
        yield "there the run was restricted to a region" if old else "now the run is restricted to a region"
    elif key == "shared" and old and new:
        count = _both("images that are prepared together", old["images"], new["images"])
        yield count if old["images"] != new["images"] else "other images are prepared together, or otherwise"
    elif key == "shared":
        yield f"{'there' if old else 'now'} several images are prepared together (shared_prepare)"
    elif key == "grid" and len(old or ()) == len(new or ()) == GRID:
        yield from _grid(old, new)
    else:
        yield _both(key, old, new)


def _files(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Whether the content, the size, or only the time of the image's files is another."""
    if old.get("size") != new.get("size"):
        return f"{CHANGED}: {old.get('size', 0):,} bytes there, {new.get('size', 0):,} now"
    if old.get("content") and new.get("content"):
        return f"{CHANGED}: their size is the same, but not their content"
    times = [datetime.fromtimestamp(each.get("changed", 0) / 1e9, UTC).isoformat() for each in (old, new)]
    return (
        f"{CHANGED}, or were copied again: their time is {times[0]} there, {times[1]} now, their size the same, and "
        f"only the content of up to {SMALL / 2**20:.0f} MiB is compared (a copy may keep the time: cp -p, rsync -t)"
    )


def same(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether two records are of runs with the same labels: files of the same content may have another time."""
    then, now = old.get("file"), new.get("file")
    if isinstance(then, Mapping) and isinstance(now, Mapping) and now["content"] and then["content"] == now["content"]:
        return {**old, "file": None} == {**new, "file": None}
    return old == new


def _component(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if old.get("name") != new.get("name"):
        yield _both(key, old.get("name"), new.get("name"))
        return
    before, after = (each.get("configuration") or {} for each in (old, new))
    for option in dict.fromkeys((*before, *after)):
        values = before.get(option, ABSENT), after.get(option, ABSENT)
        if values[0] != values[1]:
            yield f"{_both(option, *values)} ({key})"
    if old.get("version") != new.get("version"):
        yield _both(str(new.get("distribution") or key), old.get("version"), new.get("version"))
    if old.get("code") != new.get("code") and before == after:
        yield f"the code of {key} {new.get('name')}, or what it works with, has changed since"


def _transforms(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    before, after = ([each.get("name") for each in several] for several in (old, new))
    if before != after:
        yield _both("transforms", before, after)
        return
    for was, now in zip(old, new, strict=True):
        yield from _component("transform", was, now)
        if was.get("applied") != now.get("applied"):
            yield _both(
                f"axes, context, place and channels of transform {now.get('name')}",
                *(each.get("applied") for each in (was, now)),
            )


def _grid(old: Any, new: Any) -> Iterator[str]:
    (axes, cores, *rest), (now_axes, now_cores, *now_rest) = old, new
    if cores != now_cores:
        largest = [tuple(max(each, default=1) for each in lengths) for lengths in (cores, now_cores)]
        yield f"tiles of {largest[0]} there, {largest[1]} now" if largest[0] != largest[1] else "tiles at other places"
    yield from _parts(("axes", "halo", "stride", "separate axes"), (axes, *rest), (now_axes, *now_rest))


def _parts(names: tuple[str, ...], old: Any, new: Any) -> Iterator[str]:
    for name, before, after in zip(names, old, new, strict=False):
        if before != after:
            yield _both(name, before, after)


def _both(what: str, old: Any, new: Any) -> str:
    before, after = _text(old), _text(new)
    return f"{what} {before} there, {after} now" if before != after else f"another {what}"


def _text(value: Any) -> str:
    if value is ABSENT:
        return "not an option"
    text = str(tuple(value) if isinstance(value, list) else value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
