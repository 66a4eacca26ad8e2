"""Groups that hold images instead of being one: plates, wells, labels groups and series of bioformats2raw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import zarr

from tilewright.abc import is_node
from tilewright.errors import InvalidOption, NotReadable, TilewrightError

from .metadata import Ome, read_ome
from .store import inside, is_remote, open_node

__all__ = ["listed_labels", "not_one_image"]

LISTED = 10  # images named in a message; a plate may have thousands
WELLS = 100  # in which they are looked for


def not_one_image(path: str, ome: Ome | None) -> TilewrightError:
    """The error for a group that is no image, which names some of the images in it that may be chosen."""
    kind, images = _contents(path, ome)
    found = list(islice(images, LISTED + 1))
    if not found:
        return NotReadable(f"{path!r} is a zarr group without OME-Zarr image metadata; give the path of an image")
    more = ", …" if len(found) > LISTED else ""
    return InvalidOption(
        f"{path!r} is {kind}; choose one of its images with the option image: {', '.join(found[:LISTED])}{more}"
    )


def listed_labels(group: zarr.Group, where: str) -> tuple[str, ...]:
    """The names that a labels group lists, each once; none if it lists nothing that can be a name."""
    ome = read_ome(group, where)
    names = ome.attributes.get("labels") if ome else None
    return tuple(dict.fromkeys(n for n in names if isinstance(n, str))) if isinstance(names, list) else ()


def _contents(path: str, ome: Ome | None) -> tuple[str, Iterator[str]]:
    attributes: Mapping[str, object] = ome.attributes if ome else {}
    if ome and "plate" in attributes:
        return "a plate", _fields_of_plate(path, ome)
    if ome and "well" in attributes:
        return "a well", _fields_of_well(ome)
    if isinstance(labels := attributes.get("labels"), list):
        return "a labels group", (str(name) for name in labels)
    if "bioformats2raw.layout" in attributes:
        return "a collection of images", _series(path)
    return "a zarr group without OME-Zarr image metadata", _nodes_in(path)


def _fields_of_plate(path: str, ome: Ome) -> Iterator[str]:
    plate = ome.parse("PlateDef", ome.attributes["plate"])
    for well in plate.wells[:WELLS]:
        where = inside(path, well.path)
        try:
            node = open_node(where)
        except NotReadable:  # a well that is listed and was not imaged
            continue
        inner = read_ome(node, where) if isinstance(node, zarr.Group) else None
        if inner and "well" in inner.attributes:
            yield from (f"{well.path}/{field}" for field in _fields_of_well(inner))


def _fields_of_well(ome: Ome) -> Iterator[str]:
    return (field.path for field in ome.parse("WellDef", ome.attributes["well"]).images)


def _series(path: str) -> Iterator[str]:
    """The images that `OME` lists, else those numbered from 0 (0.4 and 0.5, "bioformats2raw.layout")."""
    if is_remote(path) or is_node(Path(path) / "OME"):
        node = open_node(inside(path, "OME"))
        ome = read_ome(node, path) if isinstance(node, zarr.Group) else None
        if ome and isinstance(series := ome.attributes.get("series"), list):
            return (str(name) for name in series)
    return (name for name in _nodes_in(path) if name.isdigit())


def _nodes_in(path: str) -> Iterator[str]:
    """Names of the groups and arrays in a local folder, numbers in their order; a URL is not listed."""
    if is_remote(path):
        return iter(())
    names = (folder.name for folder in Path(path).iterdir() if folder.is_dir() and is_node(folder))
    return iter(sorted(names, key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name)))
