"""The images at a path that holds several: of a plate, a series, a file with scenes, a folder or a pattern."""

from __future__ import annotations

import glob
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..abc.reader import files_by_name
from ..abc.traits import ReaderTraits
from ..components.resolve import component
from ..errors import InvalidImage, NotReadable, UnknownComponent
from ..image import Image
from ..storage.hierarchy import is_node
from ..storage.location import Location
from .formats import choose_reader, image_in, is_pattern

__all__ = ["all_images", "images_at"]


def images_at(path: str | Path, *, reader: Any = None) -> dict[str, str]:
    """The paths of the images at a path by name, as its reader lists them; empty if the path is one image.

    A file in a folder or of a pattern may hold several images itself: these are named `FILE/IMAGE`. What cannot be read
    is one image, and whoever opens it learns the error.
    """
    place, chosen = image_in(Location.of(path))
    if chosen is not None:
        return {}
    opener = component("reader", reader) if reader is not None else choose_reader(place)
    images = _listed(opener, place)
    return _with_inner(images, {file: _reader_of(file) for file in images.values()}) if _is_folder(place) else images


def all_images(path: str | Path, *, reader: Any = None) -> dict[str, str]:
    """As `images_at`, but of a folder or a pattern every file is an image, and a path that is one image is listed.

    NotReadable for a folder or a pattern without an image that an installed reader reads.
    """
    if images := images_at(path, reader=reader):
        return images
    place = Location.of(path)
    if not _is_folder(place):
        return files_by_name([place])
    files = [str(each) for each in Path(place).iterdir()] if Path(place).is_dir() else glob.glob(place)  # noqa: PTH207 - a pattern may be absolute
    kept = [file for file in files if not Path(file).name.startswith(".") and not _is_folder(file)]
    openers = {file: opener for file in kept if (opener := _reader_of(file)) is not None}
    if not openers:
        raise NotReadable(f"{place!r} has no image that an installed reader reads; check the path")
    return _with_inner(files_by_name(openers), openers)


def _is_folder(path: str) -> bool:
    """Whether a path is a pattern, or a folder that is not a store."""
    folder = Location.of(path).local
    if folder is None:
        return False
    return not is_node(folder) if folder.is_dir() else is_pattern(path)


def _with_inner(images: Mapping[str, str], openers: Mapping[str, Callable[[str], Image] | None]) -> dict[str, str]:
    """Images of which those that are several themselves are listed one by one. openers: their readers, by path."""
    named: dict[str, str] = {}
    for name, place in images.items():
        opener = openers[place]
        inner = {} if opener is None else _listed(opener, place)
        named |= {f"{name}/{each}": path for each, path in inner.items()} or {name: place}
    return named


def _reader_of(path: str) -> Callable[[str], Image] | None:
    with suppress(NotReadable, UnknownComponent):
        return choose_reader(Location.of(path))
    return None


def _listed(opener: Callable[[str], Image], path: str) -> dict[str, str]:
    """What a reader lists; its warnings are for whoever opens an image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            return dict(ReaderTraits.of(opener).images(path))
        except (InvalidImage, NotReadable):
            return {}
