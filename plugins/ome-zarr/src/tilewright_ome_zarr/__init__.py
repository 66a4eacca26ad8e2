"""OME-Zarr images and label images for tilewright: hooks only, so that discovery imports neither zarr nor numpy."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tilewright import FormatSpec, hookimpl

SUFFIXES = (".ome.zarr", ".zarr")
ARCHIVES = (".ozx", ".zip")
NODE_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs")


def is_zarr(path: str, first_bytes: bytes) -> bool:
    """Whether the path is a folder or archive with zarr metadata, or a store that was handed over.

    Of a URL, which is not opened here, whether it names a store.
    """
    from tilewright.abc import Location  # with numpy, which the listing of plugins does without

    location = Location.of(path)
    if location.archive is not None:
        return any(name.rpartition("/")[2] in NODE_FILES for name in _names(location.archive[0]))
    if location.scheme != "file":
        return location.scheme == "store" or ".zarr" in path
    return not first_bytes and any((Path(path) / name).is_file() for name in NODE_FILES)


def _names(archive: str) -> list[str]:
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.namelist()
    except (OSError, zipfile.BadZipFile):
        return []


@hookimpl
def tilewright_readers() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="ome-zarr",
            target="tilewright_ome_zarr.reader:OmeZarrReader",
            summary="OME-Zarr images, fields of plates, labels, elements of SpatialData, and plain zarr arrays.",
            suffixes=(*SUFFIXES, *ARCHIVES),
            sniff=is_zarr,
        )
    ]


@hookimpl
def tilewright_writers() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="ome-zarr",
            target="tilewright_ome_zarr.writer:OmeZarrLabels",
            summary="OME-Zarr label images with their pyramid, inside the image's store or in one of their own.",
            suffixes=SUFFIXES,
            sniff=is_zarr,
        )
    ]
