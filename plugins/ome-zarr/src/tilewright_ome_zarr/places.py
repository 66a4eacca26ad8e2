"""Places where labels may go: into an OME-Zarr image that is to own them, or outside of any store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from tilewright.abc import Image, LabelSpec, Location, check_node, is_node, root_of
from tilewright.errors import InvalidImage, InvalidOption, NotReadable, TilewrightError

from .elements import check_element, is_element, is_store
from .reader import OmeZarrReader
from .registration import FORMATS
from .store import AnyArray, inside, is_remote, open_node

__all__ = ["check_apart", "check_name", "image_at", "image_of", "local_path", "target_of", "version_in", "way_to"]


def local_path(path: str) -> Path:
    """The path of a folder of this machine. InvalidOption for a URL."""
    if is_remote(path):
        raise InvalidOption(f"{path!r} is a URL, but labels are written to local folders only; copy them there after")
    return Path(path)


def target_of(path: str) -> Path:
    """Where a path leads. InvalidImage for labels of an image that a link would put outside of its store.

    A store may come from anybody, and replacing labels removes what is in their place.
    """
    given = local_path(path)
    image = given.parent.parent
    if given.parent.name == "labels" and is_node(image):
        inside(str(image), f"labels/{given.name}")
    return given.resolve()


def check_apart(target: Path, image: str) -> None:
    """InvalidOption if writing to the target would replace the image."""
    if image and not is_remote(image) and Path(image).resolve().is_relative_to(target):
        raise InvalidOption(f"labels at {str(target)!r} would replace the image {image!r} itself; give another path")


def image_of(target: Path) -> Image | None:
    """The image that owns a path `<image>/labels/<name>`; None for a store of its own and an element of SpatialData.

    Other paths in a store fail.
    """
    if is_element(target, "labels"):
        check_element(target)
        return None
    image = target.parent.parent
    if target.parent.name == "labels" and is_node(image):
        check_name(target.name)
        try:
            opened = OmeZarrReader(multiscale=0)(str(image))
        except TilewrightError as error:
            raise InvalidOption(f"labels cannot be written to {str(target)!r}: {error}; give another path") from error
        if not opened.levels:
            raise InvalidOption(
                f"{str(image)!r} is a plain zarr array, which cannot hold labels; give an output path outside of it"
            )
        _check_format(target.parent, opened)
        return opened
    if root := root_of(target.parent):
        raise InvalidOption(
            f"{str(target)!r} lies inside the zarr store {str(root)!r}; write to <image>/labels/<name> or outside of it"
        )
    return None


def image_at(target: Location) -> Image | None:
    """Likewise for a path in a bucket."""
    above = target.parent
    image = above.parent if above is not None else None
    for store in (image, image and image.parent and image.parent.parent):
        if store and is_store(store):
            raise InvalidOption(
                f"{target!r} lies in the SpatialData store {store!r}, and labels are written to SpatialData in local "
                "folders only; write a store of its own beside it, or work on a copy of the store here"
            )
    if above is not None and image is not None and above.endswith("/labels") and _is_node(image):
        check_name(target.rpartition("/")[2])
        try:
            opened = OmeZarrReader(multiscale=0)(image)
        except TilewrightError as error:
            raise InvalidOption(f"labels cannot be written to {target!r}: {error}; give another path") from error
        if not opened.levels:
            raise InvalidOption(
                f"{image!r} is a plain zarr array, which cannot hold labels; give an output path outside of it"
            )
        return opened
    for group in (above, image):
        if group is not None and _is_node(group):
            raise InvalidOption(
                f"{target!r} lies inside the zarr store {group!r}; write to <image>/labels/<name> or outside of it"
            )
    return None


def _is_node(where: Location) -> bool:
    try:
        open_node(where)
    except NotReadable:
        return False
    return True


def check_name(name: str) -> None:
    """InvalidOption for a name that cannot be a folder's among labels."""
    if not name or name.startswith((".", "__")) or "/" in name or "\\" in name or name == "zarr.json":
        raise InvalidOption(f"{name!r} cannot be the name of labels; use a folder name that starts with a letter")


def _check_format(labels: Path, image: Image) -> None:
    check_node(labels)
    if is_node(labels):
        found, wanted = open_node(str(labels)).metadata.zarr_format, FORMATS[version_in(image)]
        if found != wanted:
            raise InvalidImage(
                f"{str(labels)!r} is of zarr v{found}, but its image of v{wanted}; convert or remove the labels"
            )


def version_in(image: Image) -> str:
    """The OME-Zarr version of labels inside an image, by the image's zarr format, whatever version it states."""
    zarr_format = cast("AnyArray", image.data).metadata.zarr_format
    return next(version for version, each in FORMATS.items() if each == zarr_format)


def way_to(spec: LabelSpec, target: Path) -> str | None:
    """The image's place as seen from a store of labels; none for an image that is no OME-Zarr of this machine."""
    if not spec.image_format.startswith("ome-zarr") or is_remote(spec.image):
        return None
    return os.path.relpath(Path(spec.image).resolve(), target)
