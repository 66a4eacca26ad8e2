"""Label images that users give by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidImage, TilewrightError
from ..image import Image
from ..image.arrays import stated_axes
from ..io.source import Source, open_source
from .alignment import differs
from .result import Result

__all__ = ["given_labels", "label_source", "opened_labels"]


def given_labels(
    given: Mapping[str, Any] | None, image: Image, storage: Mapping[str, Any] | None = None
) -> dict[str, Source]:
    """The label images that a user gives by name, as paths, images, arrays or results, opened lazily.

    An array of the image's shape that does not state its axes has those of the image. Of a pyramid the level is opened
    that has the image's shape. Labels of another resolution that cover the same field are taken at the nearest pixels.
    """
    opened = {name: opened_labels(each, image, storage) for name, each in (given or {}).items()}
    sources = {name: label_source(each, f"the given labels {name!r}") for name, each in opened.items()}
    return {name: each.laid_on(image) for name, each in sources.items()}


def label_source(source: Source, what: str) -> Source:
    """The source as that of a label image. InvalidImage for one of several channels, or that holds no labels."""
    image = source.whole
    if image.size("c") > 1:
        raise InvalidImage(f"{what} has {image.size('c')} channels, and labels have none; give a label image")
    return source.choosing(0) if "c" in image.axes else source


def opened_labels(labels: Any, image: Image, storage: Mapping[str, Any] | None = None) -> Source:
    """The source of a label image that belongs to an image, from whatever a user gives."""
    if isinstance(labels, Result):
        return _of_result(labels, image)
    lengths = _lengths(image)
    alike = getattr(labels, "shape", None) == tuple(lengths.values())
    bare = alike and not isinstance(labels, Image) and stated_axes(labels) is None
    return _at_level_of(image, labels, axes="".join(lengths) if bare else None, storage=storage)


def _lengths(image: Image) -> dict[str, int]:
    return {axis: image.size(axis) for axis in image.axes if axis != "c"}


def _at_level_of(
    image: Image, labels: Any, axes: str | None = None, storage: Mapping[str, Any] | None = None
) -> Source:
    """Labels that are opened, at the first level of their pyramid that has the shape of the image, if one has."""
    source = open_source(labels, axes=axes, storage=storage)
    stored = source.whole
    levels = [n for n, level in enumerate(stored.levels) if not differs(stored.axes, level.shape, _lengths(image))]
    return open_source(labels, level=levels[0], storage=storage) if levels and levels[0] and source.path else source


def _of_result(result: Result, image: Image) -> Source:
    """A run's labels, from their path if a reader opens it: it knows their spacing, and workers open it again."""
    try:
        source = _at_level_of(image, result.path)
    except TilewrightError:
        if result.data is None:
            raise
        axes = result.provenance["tiles"]["axes"]
        return Source(image=Image(result.data, axes, name=Path(result.path).name))
    return source
