"""TIFF images and label OME-TIFF for tilewright: hooks only, so that discovery imports no numpy."""

from __future__ import annotations

from tilewright import FormatSpec, hookimpl

OME = (".ome.tif", ".ome.tiff", ".ome.tf2", ".ome.tf8", ".ome.btf", ".companion.ome")
PLAIN = (".tif", ".tiff", ".tf2", ".tf8", ".btf")
VENDORS = (".svs", ".ndpi", ".scn", ".bif", ".qptiff", ".lsm", ".stk")
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # TIFF and BigTIFF, either byte order


def is_tiff(path: str, first_bytes: bytes) -> bool:
    """Whether a file starts as a TIFF does, or is the XML of an OME-TIFF series that lies in other files.

    Of a URL nobody has bytes to look at: its suffix decides, so that the reader can say that it reads none.
    """
    if "://" in path:
        return path.lower().endswith((*OME, *PLAIN, *VENDORS))
    if path.lower().endswith(".companion.ome"):
        return first_bytes.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")
    return first_bytes[:4] in MAGIC


@hookimpl
def tilewright_readers() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="tiff",
            target="tilewright_tiff.reader:TiffReader",
            summary="TIFF, BigTIFF, OME-TIFF, ImageJ stacks and slides (SVS, NDPI, SCN, BIF, QPTIFF, LSM, STK).",
            suffixes=(*OME, *PLAIN, *VENDORS),
            sniff=is_tiff,
        )
    ]


@hookimpl
def tilewright_writers() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="ome-tiff",
            target="tilewright_tiff.writer:OmeTiffLabels",
            summary="Label images as one tiled OME-TIFF with its pyramid.",
            suffixes=(".ome.tif", ".ome.tiff", ".tif", ".tiff"),
        )
    ]
