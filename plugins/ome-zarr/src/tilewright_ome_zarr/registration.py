"""The labels group of an image, and the list of its label images."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import zarr

from tilewright.abc import changed_hierarchy, place_folder, recover, root_of
from tilewright.errors import NotReadable

from .attributes import list_attributes
from .collection import listed_labels
from .store import open_node

__all__ = ["FORMATS", "register"]

ZarrFormat = Literal[2, 3]
FORMATS: dict[str, ZarrFormat] = {"0.4": 2, "0.5": 3}  # the zarr format of each OME-Zarr version


def register(aside: Path, path: Path, version: str) -> None:
    """Put a finished label image into its place in the labels group of an image, which lists it from then on.

    The image's first labels come with their group, in one step. Later ones are listed as soon as they are in their
    place, and so is what a killed run left unlisted.
    """
    labels = path.parent
    with changed_hierarchy(root_of(labels.parent) or labels.parent, path):
        if labels.exists():
            place_folder(aside, path)
            _list(labels, path.name, version)
        else:
            place_folder(_in_group(aside, path.name, version), labels)
    recover(aside, path)


def _in_group(aside: Path, name: str, version: str) -> Path:
    """A labels group, still aside, that holds the label image and lists it."""
    labels = aside.with_name("labels")
    shutil.rmtree(labels, ignore_errors=True)  # of a try that was killed
    attributes = list_attributes(version, (name,), {})
    zarr.create_group(labels, attributes=attributes, zarr_format=FORMATS[version])
    aside.rename(labels / name)
    return labels


def _list(labels: Path, name: str, version: str) -> None:
    group = zarr.open_group(labels, mode="a", zarr_format=FORMATS[version], use_consolidated=False)
    listed = listed_labels(group, str(labels))
    names = tuple(dict.fromkeys((*listed, name, *_finished(labels))))
    if names != listed:
        group.attrs.put(list_attributes(version, names, dict(group.attrs)))


def _finished(labels: Path) -> list[str]:
    """The labels in the folder that tilewright finished: the attribute with their provenance is written last."""
    folders = (folder for folder in sorted(labels.iterdir()) if folder.is_dir() and not folder.name.startswith("."))
    return [folder.name for folder in folders if _is_ours(folder)]


def _is_ours(folder: Path) -> bool:
    try:
        return "tilewright" in open_node(str(folder)).attrs
    except NotReadable:  # no label image at all, or one that another run is replacing and will list itself
        return False
