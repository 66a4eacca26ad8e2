"""The command `tilewright info`."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from ..errors import NotReadable, TilewrightError
from .choices import opening, settings
from .errors import debuggable
from .parts import Texts, reader_for
from .terminal import echo

if TYPE_CHECKING:
    from ..image import Image

__all__ = ["info", "product", "size"]

LISTED = 100  # images that a person is shown


@click.command(short_help="Show what IMAGE holds.")
@click.argument("path", metavar="IMAGE")
@click.option("--reader", metavar="NAME", help="What opens IMAGE; else the one that fits it.")
@settings("reader")
@click.option("--level", type=int, help="The resolution level, 0 the finest.")
@click.option("--axes", help="The axes, for a format that does not say them: zyx.")
@opening
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debuggable
def info(
    path: str,
    reader: str | None,
    reader_set: Texts,
    level: int | None,
    axes: str | None,
    storage: Texts | None,
    as_json: bool,
) -> None:
    """Show what IMAGE holds: axes, shape, spacing, channels, resolutions, labels. Reads no pixels.

    Of a plate, or a folder of images that are not one stack, it lists the images and their sizes.
    """
    from ..abc.traits import ReaderTraits
    from ..components.blame import blamed
    from ..components.resolve import component
    from ..io.collection import images_at
    from ..io.formats import choose_reader, image_in, read
    from ..run_options import checked_storage
    from ..storage.location import Location

    path, chosen = image_in(Location.of(path, checked_storage(storage or {})))
    record = reader_for(path, reader, reader_set)
    found = choose_reader(path) if record is None else component("reader", record)
    opener = ReaderTraits.with_options(found, level=level, axes=axes, image=chosen)
    try:
        image = read(opener, path)
    except TilewrightError:  # it may be several
        images = {} if chosen is not None else images_at(path, reader=record)
        if not images:
            raise
        several = _several(images, len(images) if as_json else LISTED, reader=record, level=level, axes=axes)
        echo(json.dumps(several, indent=2) if as_json else "\n".join(_several_lines(several)))
        return
    with blamed("reader", opener, f"describing {path!r}", NotReadable):
        facts = _facts(opener, image, path)
    echo(json.dumps(facts, indent=2) if as_json else "\n".join(_lines(facts)))


def _several(images: Mapping[str, str], most: int, **options: Any) -> dict[str, Any]:
    """The facts of a path with several images: how many, and the sizes of the first ones."""
    from ..io.source import open_source

    facts: dict[str, Any] = {}
    for name, path in islice(images.items(), most):
        try:
            image = open_source(path, **options).whole
        except TilewrightError as error:
            facts[name] = {"path": path, "error": str(error)}
            continue
        known = {"axes": image.axes, "shape": list(image.shape), "dtype": str(image.dtype)}
        facts[name] = {"path": path, **known, "bytes": math.prod(image.shape) * image.dtype.itemsize}
    return {"n_images": len(images), "images": facts}


def _several_lines(facts: dict[str, Any]) -> list[str]:
    images, more = facts["images"], facts["n_images"] - len(facts["images"])
    width = max(map(len, images)) + 2
    lines = [f"{facts['n_images']:,} images", *(f"{name:<{width}}{_in_line(each)}" for name, each in images.items())]
    return lines + ([f"and {more:,} more; --json lists all"] if more else [])


def _in_line(image: dict[str, Any]) -> str:
    if "error" in image:
        return f"error: {' '.join(image['error'].split())}"
    return f"{image['axes']} {product(image['shape'])} {image['dtype']} ({size(image['bytes'])})"


def _facts(reader: Any, image: Image, path: str) -> dict[str, Any]:
    from ..abc.traits import ReaderTraits
    from ..components.resolve import configuration

    labels = ReaderTraits.of(reader).labels
    return {
        "name": image.name,
        "path": path,
        "format": image.format,
        "reader": configuration("reader", reader),
        "axes": image.axes,
        "shape": list(image.shape),
        "dtype": str(image.dtype),
        "chunks": list(image.chunks),
        "spacing": dict(image.spacing),
        "extent": {axis: step * image.size(axis) for axis, step in image.spacing.items()},
        "units": dict(image.units),
        "channels": list(image.channels),
        "levels": [dataclasses.asdict(level) for level in image.levels],
        "n_images": max(1, len(image.images)),
        "images": list(image.images),
        "labels": None if labels is None else [str(name) for name in labels(path)],
        "details": dict(image.details),
        "bytes": math.prod(image.shape) * image.dtype.itemsize,
    }


def _lines(facts: dict[str, Any]) -> list[str]:
    """The facts for a person, a line each; those that the image does not have are left out."""
    reader, units = facts["reader"], facts["units"]
    made = f", {reader['distribution']} {reader['version']}" if "distribution" in reader else ""
    width = max(len(key) for key in ("channels", *facts["details"])) + 1
    told = {
        "image": facts["name"],
        "format": facts["format"],
        "reader": f"{reader['name']}{made}",
        "axes": facts["axes"],
        "shape": f"{product(facts['shape'])} ({size(facts['bytes'])})",
        "dtype": facts["dtype"],
        "chunks": product(facts["chunks"]),
        "spacing": ", ".join(f"{a} {step:g} {units.get(a, '')}".rstrip() for a, step in facts["spacing"].items()),
        "extent": ", ".join(f"{a} {facts['extent'][a]:g} {unit}" for a, unit in units.items() if a in facts["extent"]),
        "channels": ", ".join(facts["channels"]),
        "levels": ", ".join(product(level["shape"]) for level in facts["levels"]),
        "images": _listed(facts["images"], width),
        "labels": ", ".join(facts["labels"] or ()),
        **facts["details"],
    }
    return [f"{key:<{width}}{value}" for key, value in told.items() if value]


def _listed(images: list[str], width: int) -> str:
    """The number of images at the source, and the images, a line each."""
    more = [f"and {len(images) - LISTED:,} more; --json lists all"] if len(images) > LISTED else []
    return f"\n{' ' * width}".join([f"{len(images):,}", *images[:LISTED], *more]) if images else ""


def product(lengths: Iterable[int]) -> str:
    return " × ".join(f"{length}" for length in lengths)


def size(count: int) -> str:
    """Bytes in decimal units: `512 B`, `1.5 GB`."""
    power = min(5, (len(str(count)) - 1) // 3)
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB', 'PB')[power]}"
