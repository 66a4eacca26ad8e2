"""Labels as an element of a SpatialData store: `STORE/labels/NAME`, on the grid of `STORE/images/IMAGE`.

https://spatialdata.scverse.org/en/stable/design_doc.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import zarr

from tilewright.abc import Image, LabelSpec, Level, is_node
from tilewright.errors import InvalidImage, InvalidOption, NotReadable

from .metadata import Ome, composed, read_ome, steps
from .reader import OmeZarrReader
from .store import inside, open_node

__all__ = ["as_element", "check_element", "image_element", "is_element", "is_store", "relative"]

STORE = "spatialdata_attrs"
FOLDERS = ("images", "labels", "points", "shapes", "tables")
NAME = re.compile(r"(?!__|[.]{1,2}$)[\w.-]+")  # what SpatialData allows


def is_element(path: Path, folder: str) -> bool:
    """Whether a path is `STORE/FOLDER/NAME` of a SpatialData store, whether anything is there or not."""
    store = path.parent.parent
    return path.parent.name == folder and is_node(store) and is_store(str(store))


def is_store(path: str) -> bool:
    """Whether a SpatialData store is at a path or URL."""
    try:
        return STORE in open_node(path).attrs
    except NotReadable:
        return False


def check_element(target: Path) -> None:
    """InvalidOption for a name of labels that SpatialData does not allow, or that another element of the store has."""
    if not NAME.fullmatch(target.name):
        raise InvalidOption(
            f"{target.name!r} cannot be a name in SpatialData, which has letters, digits, '_', '.' and '-'; rename it"
        )
    for folder in FOLDERS:
        place = target.parent.parent / folder
        for other in sorted(place.iterdir()) if place.is_dir() else ():
            if other != target and other.is_dir() and other.name.lower() == target.name.lower():
                raise InvalidOption(
                    f"{target.name!r} cannot be the name of labels in {str(place.parent)!r}, which has "
                    f"{folder}/{other.name} and must have each name once, whatever its case; choose another name"
                )


def image_element(target: Path, spec: LabelSpec) -> Image:
    """The image element of the same store whose labels these are. InvalidOption for labels of any other image."""
    image = Path(spec.image).resolve()
    if not is_element(image, "images") or image.parent.parent != target.parent.parent:
        raise InvalidOption(
            f"labels of {spec.image!r} cannot go to {str(target)!r}: labels in a SpatialData store are placed like one "
            "of its images; segment an image of that store, or write a store of its own"
        )
    if not set(spec.axes) <= set("zyx"):
        raise InvalidOption(f"SpatialData cannot hold labels with axes {spec.axes!r}, only z y x; write another store")
    return OmeZarrReader(multiscale=0)(str(image))


def relative(levels: Sequence[Level]) -> tuple[Level, ...]:
    """Levels whose scales are relative to the finest one's, as SpatialData has them."""
    finest = levels[0].scale
    return tuple(
        replace(level, scale=tuple(s / f for s, f in zip(level.scale, finest, strict=True)), translation=None)
        for level in levels
    )


def as_element(attributes: dict[str, Any], image: Image, axes: str, finest: Level) -> dict[str, Any]:
    """The attributes of a label image as those of an element: in the image's coordinate systems and formats.

    finest: the labels' finest level, which may be a coarse one of the image's.
    """
    node = open_node(inside(image.source, "."))
    ome = read_ome(node, image.source) if isinstance(node, zarr.Group) else None
    if ome is None:
        raise InvalidImage(f"{image.source!r} is not an image element any more; repair the store")
    whole = [size for axis, size in zip(image.axes, image.levels[0].scale, strict=True) if axis in axes]
    factor = dict(zip(axes, (f / w for f, w in zip(finest.scale, whole, strict=True)), strict=True))
    places = [_placed(ome, each, image.axes, factor) for each in _transformations(ome)]
    is_v2 = node.metadata.zarr_format == 2
    owner = attributes if is_v2 else attributes["ome"]
    del owner["image-label"]  # ome-zarr-py would look for the image in the groups above, and warn or open it too
    owner["multiscales"][0]["coordinateTransformations"] = places
    (owner["multiscales"][0] if is_v2 else owner)["version"] = ome.version
    stated = node.attrs.get(STORE)
    version = stated.get("version") if isinstance(stated, Mapping) else None
    return {**attributes, **({STORE: {"version": version}} if version else {})}


def _transformations(ome: Ome) -> list[Mapping[str, Any]]:
    """The transformations of an element, one into each coordinate system."""
    listed = ome.attributes["multiscales"][0].get("coordinateTransformations")
    entries = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    sides = [each.get(side) for each in entries for side in ("input", "output")]
    if not sides or not all(isinstance(side, Mapping) and _has_names(side.get("axes")) for side in sides):
        raise ome.fault("coordinateTransformations", "it does not name the coordinate systems of a SpatialData element")
    return entries


def _has_names(axes: Any) -> bool:
    return isinstance(axes, list) and all(isinstance(axis, Mapping) and "name" in axis for axis in axes)


def _placed(ome: Ome, step: Mapping[str, Any], image_axes: str, factor: Mapping[str, float]) -> dict[str, Any]:
    """A transformation of the image's for labels; factor: pixels of the image along each axis of the labels."""
    place = "coordinateTransformations"
    scale, translation = composed(ome, place, steps(ome, {place: [step]}, place), len(image_axes))
    kept = [image_axes.index(axis) for axis in factor]
    scales = [(scale[k] if scale else 1.0) * f for k, f in zip(kept, factor.values(), strict=True)]
    systems = {"input": _without(step["input"], factor), "output": _without(step["output"], factor)}
    systems["input"]["name"] = "".join(factor)
    parts: list[dict[str, Any]] = [{"type": "scale", "scale": scales}]
    if translation:
        parts.append({"type": "translation", "translation": [translation[k] for k in kept]})
        return {"type": "sequence", "transformations": [{**part, **systems} for part in parts], **systems}
    return {**(parts[0] if any(s != 1 for s in scales) else {"type": "identity"}), **systems}


def _without(system: Mapping[str, Any], axes: Mapping[str, float]) -> dict[str, Any]:
    """A coordinate system with the axes that labels have."""
    return {**system, "axes": [axis for axis in system["axes"] if axis["name"] in axes]}
