"""The labels group of an image: the list of its label images, and the consolidated metadata above it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

import zarr
from zarr.errors import ZarrUserWarning

from tilewright.errors import NotReadable

from .attributes import list_attributes
from .collection import listed_labels
from .store import is_node, open_node, root_of

__all__ = ["FORMATS", "register"]

ZarrFormat = Literal[2, 3]
FORMATS: dict[str, ZarrFormat] = {"0.4": 2, "0.5": 3}  # the zarr format of each OME-Zarr version


def register(image: Path, name: str, version: str) -> None:
    """List a label image that is in its place, after the labels that are listed already.

    Runs that finish at the same time may overwrite each other's list. So every run lists whatever finished labels of
    tilewright lie in the folder, and looks again after it has written: a label is in its place before its run looks
    for the first time, hence the run that writes last sees all of them.
    """
    labels = image / "labels"
    group = zarr.open_group(labels, mode="a", zarr_format=FORMATS[version], use_consolidated=False)
    while True:
        listed = listed_labels(group, str(labels))
        missing = [label for label in (name, *_finished(labels)) if label not in listed]
        if not missing:
            break
        names = dict.fromkeys((*listed, *missing))
        group.attrs.put(list_attributes(version, tuple(names), dict(group.attrs)))
        group = zarr.open_group(labels, mode="r+", use_consolidated=False)
    _consolidate_again(labels, FORMATS[version])


def _finished(labels: Path) -> list[str]:
    """The labels in the folder that tilewright finished: the attribute with their provenance is written last."""
    folders = (folder for folder in sorted(labels.iterdir()) if folder.is_dir() and not folder.name.startswith("."))
    return [folder.name for folder in folders if _is_ours(folder)]


def _is_ours(folder: Path) -> bool:
    try:
        return "tilewright" in open_node(str(folder)).attrs
    except NotReadable:  # no label image at all, or one that another run is replacing and will list itself
        return False


def _consolidate_again(labels: Path, zarr_format: ZarrFormat) -> None:
    """Renew the consolidated metadata of each group above the label that has some: readers see nothing else."""
    root = root_of(labels) or labels
    for folder in (labels, *labels.parents):
        if is_node(folder) and zarr.open_group(folder, mode="r").metadata.consolidated_metadata is not None:
            with warnings.catch_warnings():
                # zarr says of every v3 store, and of every foreign file in one, that others may not understand it.
                warnings.simplefilter("ignore", ZarrUserWarning)
                zarr.consolidate_metadata(str(folder), zarr_format=zarr_format)
        if folder == root:
            return
