"""Groups that hold images instead of being one: plates, wells, labels groups, series and SpatialData stores."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

import zarr

from tilewright.abc import Location, is_node
from tilewright.errors import InvalidImage, InvalidOption, NotReadable, TilewrightError

from .metadata import Ome, read_ome
from .store import Node, inside, is_remote, node_at, one_line, open_node

__all__ = ["element", "images_of", "listed_labels", "not_one_image", "open_image_node"]

LISTED = 10  # images named in a message; a plate may have thousands
SPATIAL_ELEMENTS = ("images", "labels")  # folders of a SpatialData store; those of points, shapes and tables hold none


def not_one_image(path: str, ome: Ome | None) -> TilewrightError:
    """The error for a group that is no image, which names some of the images in it that may be chosen."""
    if ome and "scene" in ome.attributes:
        return InvalidImage(
            f"{path!r} is a scene (OME-Zarr {ome.version}), which places images in common coordinates and is not read; "
            "give the path of one of its images"
        )
    kind, images = _contents(path, ome)
    listed = [one_line(name) for name in islice(images, LISTED + 1)]
    if not listed:
        return NotReadable(f"{path!r} is a zarr group without OME-Zarr image metadata; give the path of an image")
    more = ", …" if len(listed) > LISTED else ""
    every = (
        ""
        if kind.startswith("a group")
        else "`tilewright run` and tilewright.Collection do all of its images, into a folder if one is given; "
    )
    return InvalidOption(
        f"{path!r} is {kind}; {every}choose one of its images by its path, as in `tilewright info "
        f"{shlex.quote(f'{path}/{listed[0]}')}`, or with the option image: {', '.join(listed[:LISTED])}{more}"
    )


def images_of(path: str) -> dict[str, str]:
    """The images of a plate, a well, a series or a SpatialData store, by their paths in it; empty for anything else."""
    node = open_node(path)
    ome = read_ome(node, path) if isinstance(node, zarr.Group) else None
    if ome is None or "multiscales" in ome.attributes:
        return {}
    if "spatialdata_attrs" in ome.attributes:
        images = _elements(path, "images")
    elif {"plate", "well", "bioformats2raw.layout"} & ome.attributes.keys():
        _, images = _contents(path, ome)
    else:
        return {}
    return {name: inside(path, name) for name in images}


def open_image_node(path: Location) -> tuple[Location, Node]:
    """The place of an image and its node: the path, or the only image of a bioformats2raw or SpatialData store."""
    node = node_at(path)
    ome = read_ome(node, path) if isinstance(node, zarr.Group) else None
    if ome is None or {"multiscales", "plate"} & ome.attributes.keys():
        return path, node
    if "spatialdata_attrs" in ome.attributes:
        images = list(islice(_elements(path, "images"), 2))
    elif "bioformats2raw.layout" in ome.attributes:
        images = list(islice(_series(path), 2))
    else:
        return path, node
    if len(images) != 1:
        return path, node
    where = inside(path, images[0])
    return where, node_at(where)


def element(path: str, name: str) -> str:
    """The place of an image in a store, given by its path, or by its name alone in a SpatialData store."""
    if name.startswith("/"):
        return name
    places = (name, *(f"{folder}/{name}" for folder in SPATIAL_ELEMENTS))
    return next((place for place in places if _holds(path, place)), name)


def listed_labels(group: zarr.Group, where: str) -> tuple[str, ...]:
    """The names that a labels group lists, each once; none if it lists nothing that can be a name."""
    ome = read_ome(group, where)
    names = ome.attributes.get("labels") if ome else None
    return tuple(dict.fromkeys(n for n in names if isinstance(n, str))) if isinstance(names, list) else ()


def _contents(path: str, ome: Ome | None) -> tuple[str, Iterator[str]]:
    attributes: Mapping[str, object] = ome.attributes if ome else {}
    if "plate" in attributes:
        wells = _paths(attributes["plate"], "wells")
        return f"a plate of {len(wells):,} wells", chain.from_iterable(_fields(path, well) for well in wells)
    if "well" in attributes:
        fields = _paths(attributes["well"], "images")
        return f"a well of {len(fields):,} fields", iter(fields)
    if isinstance(labels := attributes.get("labels"), list):
        return f"a group of {len(labels):,} label images", (str(name) for name in labels)
    if "bioformats2raw.layout" in attributes:
        series = list(_series(path))
        return f"a series of {len(series):,} images", iter(series)
    if "spatialdata_attrs" in attributes:
        elements = list(chain.from_iterable(_elements(path, folder) for folder in SPATIAL_ELEMENTS))
        return f"a SpatialData store of {len(elements):,} images and label images", iter(elements)
    return "a zarr group without OME-Zarr image metadata", _nodes_in(path)


def _paths(owner: Any, key: str) -> list[str]:
    """The paths that a plate lists of its wells, or a well of its images."""
    listed = owner.get(key) if isinstance(owner, Mapping) else None
    entries = listed if isinstance(listed, list) else []
    return [each["path"] for each in entries if isinstance(each, Mapping) and isinstance(each.get("path"), str)]


def _fields(path: str, well: str) -> Iterator[str]:
    """The fields of a well; the well itself if it is there and cannot be read, so that its error is met."""
    where = inside(path, well)
    try:
        node = open_node(where)
        ome = read_ome(node, where) if isinstance(node, zarr.Group) else None
    except (InvalidImage, NotReadable):
        if is_remote(where) or Path(where).exists():
            yield well
        return  # a well that is listed and was not imaged
    yield from (f"{well}/{field}" for field in _paths(ome.attributes.get("well") if ome else None, "images"))


def _series(path: str) -> Iterator[str]:
    """The images that `OME` lists, else those numbered from 0 (0.4 and 0.5, "bioformats2raw.layout")."""
    if _holds(path, "OME"):
        node = open_node(inside(path, "OME"))
        ome = read_ome(node, path) if isinstance(node, zarr.Group) else None
        if ome and isinstance(series := ome.attributes.get("series"), list):
            return (str(name) for name in series)
    return (name for name in _nodes_in(path) if name.isdigit())


def _elements(path: str, folder: str) -> Iterator[str]:
    """The elements in a folder of a SpatialData store, as paths from its root."""
    if _holds(path, folder) if is_remote(path) else (Path(path) / folder).is_dir():
        yield from (f"{folder}/{name}" for name in _nodes_in(inside(path, folder)))


def _holds(path: str, place: str) -> bool:
    """Whether there is a node at a place in a store."""
    if not is_remote(path):
        return is_node(Path(path) / place)
    try:
        node = open_node(path)
    except NotReadable:  # it has no metadata at its top, and images below
        return False
    return isinstance(node, zarr.Group) and place in node


def _nodes_in(path: str) -> Iterator[str]:
    """Names of the groups and arrays in a group, numbers in their order; a web server's are not listed."""
    if Location.of(path).scheme in ("http", "https"):
        return iter(())
    if is_remote(path):
        node = open_node(path)
        names = node.keys() if isinstance(node, zarr.Group) else ()
    else:
        names = (folder.name for folder in Path(path).iterdir() if folder.is_dir() and is_node(folder))
    return iter(sorted(names, key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name)))
