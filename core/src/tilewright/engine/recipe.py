"""What labels are made from, wherever it lies: what a step of a workflow is known by when it is done."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .._version import __version__
from ..abc.traits import MeasurerTraits, WriterTraits, declared
from ..components.printable import printable_values
from ..components.specs import Kind
from ..errors import TilewrightError
from ..image import Image
from ..io.formats import choose_writer
from ..io.source import Source, open_source
from ..labels.content import Content
from ..run_options import HOW, RunOptions
from ..storage.arrays import Array, in_memory
from ..storage.hierarchy import is_node, is_touched
from ..storage.identity import Identity
from ..storage.location import Location
from .fingerprint import identity, note_change
from .planning import Parts, merger_of

__all__ = [
    "components_of",
    "files_in",
    "image_content",
    "is_as_written",
    "labels_at",
    "labels_content",
    "note_changes",
    "provenance_at",
    "recipe_of",
    "region_content",
]

SLAB = 2**26  # bytes of pixels that are digested at a time
REFERRING = ("given", "within")  # options whose values are images, which a recipe has by their content


def recipe_of(
    parts: Parts, options: RunOptions, source: Source, formats: Mapping[Kind, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """The record of what labels and their table are made from, in JSON's values.

    formats: the writer and the format of the table. inputs: the contents of the images that options name, by option.
    """
    image = source.whole
    chosen = {each.name: getattr(options, each.name) for each in dataclasses.fields(RunOptions)}
    decide = {name: value for name, value in chosen.items() if name not in {*HOW, *REFERRING, "table_format"}}
    components = components_of(parts, source, formats)
    record = {
        "tilewright": __version__,
        "pixels": image_content(source) if _looks_at_pixels(parts) else None,
        "image": [image.axes, image.shape, str(image.dtype)],
        "spacing": [sorted(image.spacing.items()), sorted(image.units.items())],
        **components,
        "shared": None if parts.shared is None else parts.shared.record,
        "files": files_in(components),
        **decide,
        **inputs,
    }
    plain: dict[str, Any] = printable_values(json.loads(json.dumps(record, default=_plain)))
    return plain


def components_of(parts: Parts, source: Source, formats: Mapping[Kind, Any]) -> dict[str, Any]:
    """The records of all components, with their code."""
    return {name: identity(kind, thing) for name, kind, thing in _components(parts, source, formats)}


def note_changes(parts: Parts, source: Source, formats: Mapping[Kind, Any], recipe: Mapping[str, Any]) -> None:
    """Have what components have become in a run stand for what they were when the recipe was made."""
    for name, _, thing in _components(parts, source, formats):
        note_change(thing, recipe[name])


def _looks_at_pixels(parts: Parts) -> bool:
    seen = (MeasurerTraits.of(each).pixels for each in parts.measure)
    return declared(parts.segmenter, "pixels") is not False or any(seen)


def files_in(components: Mapping[str, Any]) -> dict[str, str | None]:
    """The contents of the files that options of components name: weights of a model, a table."""
    return dict(_files(components))


def _files(value: Any) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _files(each)
    elif isinstance(value, str) and _is_file(value):
        yield value, Identity(None, value).content()


def _is_file(text: str) -> bool:
    """Whether a text is a path, and no word such as `nuclei` that happens to be one."""
    try:
        return bool(Path(text).suffix or os.sep in text) and Path(text).exists()
    except (OSError, ValueError):  # a text that is too long, or has a NUL
        return False


def _components(
    parts: Parts, source: Source, formats: Mapping[Kind, Any]
) -> Iterator[tuple[str, Kind, Callable[..., Any]]]:
    single: dict[Kind, Any] = {
        "reader": source.reader,
        "tiler": parts.tiler,
        "segmenter": parts.segmenter,
        "merger": merger_of(parts),
        **formats,
    }
    yield from ((kind, kind, thing) for kind, thing in single.items() if thing is not None)
    yield from ((f"transform {number}", "transform", each) for number, each in enumerate(parts.transforms))
    yield from ((f"measurer {number}", "measurer", each) for number, each in enumerate(parts.measure))


def _plain(value: Any) -> Any:
    return value.item() if getattr(value, "ndim", None) == 0 else str(value)


def image_content(source: Source) -> str:
    """A text that is the same for equal pixels, wherever the image lies. Pixels are read if nothing else tells them."""
    return source.whole.identity.content() or _digest_of_pixels(source.whole)


def region_content(region: Any, storage: Mapping[str, Any] | None = None) -> str | None:
    """Likewise for a region: labels or a mask, a file of polygons, or polygons in memory."""
    if isinstance(region, str | os.PathLike):
        try:
            return labels_content(open_source(region, storage=storage))
        except TilewrightError:  # polygons
            return Identity(None, os.fspath(region)).content()
    if hasattr(region, "shape"):
        return image_content(open_source(region))
    return json.dumps(getattr(region, "__geo_interface__", region), default=repr)


def labels_content(labels: Source) -> str:
    """Likewise for labels; of those that tilewright wrote, and nobody changed since, their provenance holds it."""
    content = Content.noted(provenance_at(labels.path))
    if content and is_as_written(labels.path, content):
        return content.fingerprint
    return image_content(labels)


def is_as_written(path: str | Path, content: Content) -> bool:
    """Whether labels are those that were written to a path, which are read if a file is newer than the metadata.

    Those that do not lie in a folder, but in a bucket, are always read.
    """
    folder = Location.of(path).local
    if folder is not None and not (folder.is_dir() and is_touched(folder)):
        return True
    labels = labels_at(path)
    return labels is not None and content.is_of(labels)


def labels_at(path: str | Path) -> Array | None:
    """The labels at a path, as a reader opens them, or as a plain zarr array; None if neither can be."""
    try:
        return open_source(path).whole.data
    except TilewrightError:
        folder = Location.of(path).local
        if folder is None or not is_node(folder):
            return None
    import zarr

    try:
        return zarr.open_array(folder, mode="r")
    except (OSError, ValueError):
        return None


def provenance_at(path: str) -> Mapping[str, Any]:
    try:
        return WriterTraits.of(choose_writer(path, of_source=True)).provenance(path) or {}
    except TilewrightError:  # no writer of these labels is installed
        return {}


def _digest_of_pixels(image: Image) -> str:
    digest = hashlib.blake2b(digest_size=16)
    step = max(1, SLAB // max(1, image.dtype.itemsize * math.prod(image.shape[1:])))
    for start in range(0, image.shape[0], step):
        digest.update(in_memory(image.data[(slice(start, start + step), ...)]).tobytes())
    return digest.hexdigest()
