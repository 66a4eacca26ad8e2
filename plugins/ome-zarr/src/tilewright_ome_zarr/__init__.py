"""OME-Zarr images and label images for tilewright: hooks only, so that discovery imports neither zarr nor numpy."""

from __future__ import annotations

from pathlib import Path

from tilewright import FormatSpec, hookimpl

SUFFIXES = (".ome.zarr", ".zarr")
NODE_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs")


def is_zarr(path: str, first_bytes: bytes) -> bool:
    """Whether the path is a folder with zarr metadata; of a URL, which is not opened here, whether it names a store."""
    if "://" in path:
        return ".zarr" in path
    return not first_bytes and any((Path(path) / name).is_file() for name in NODE_FILES)


@hookimpl
def tilewright_readers() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="ome-zarr",
            target="tilewright_ome_zarr.reader:OmeZarrReader",
            summary="OME-Zarr images, fields of plates, labels, elements of SpatialData, and plain zarr arrays.",
            suffixes=SUFFIXES,
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
