"""Files of formats that a reader under test has not been asked about, to see whether it leaves them alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["first_bytes", "others"]

SNIFFED = 4096  # bytes, as many as choosing a reader looks at

# Each format with its variants, as files by name; a name with a slash makes a folder, which is what is looked at.
FORMATS: tuple[Mapping[str, bytes], ...] = (
    {"text.txt": b"a note about the microscope\n"},
    {"table.csv": b"label,area\n1,20\n2,31\n"},
    {"page.xml": b'<?xml version="1.0"?><note>nothing of interest</note>'},
    {"record.json": b'{"a": [1, 2]}'},
    {"picture.png": b"\x89PNG\r\n\x1a\n" + bytes(64)},
    {"picture.jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(64)},
    {
        "picture.tif": b"II*\x00\x08\x00\x00\x00" + bytes(64),
        "big.tif": b"II+\x00\x08\x00\x00\x00" + bytes(64),
        "motorola.tif": b"MM\x00*\x00\x00\x00\x08" + bytes(64),
    },
    {"array.npy": b"\x93NUMPY\x01\x00" + bytes(64)},
    {"volume.h5": b"\x89HDF\r\n\x1a\n" + bytes(64)},
    {"volume.nrrd": b"NRRD0004\ntype: uint8\n"},
    {"archive.zip": b"PK\x03\x04" + bytes(64)},
    {"archive.gz": b"\x1f\x8b\x08" + bytes(64)},
    {"zeros.bin": bytes(256)},
    {"zarr2/.zgroup": b'{"zarr_format": 2}', "zarr3/zarr.json": b'{"zarr_format": 3, "node_type": "group"}'},
    {"folder/readme.txt": b"nothing of interest"},
)


def others(folder: Path, own: Path) -> Iterator[Path]:
    """Files and folders of many formats, written into a folder; the format that `own` begins like is left out."""
    start = first_bytes(own)[:4]
    for variants in FORMATS:
        if any(_alike(name, content, own, start) for name, content in variants.items()):
            continue
        for name, content in variants.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            yield path.parent if "/" in name else path


def _alike(name: str, content: bytes, own: Path, start: bytes) -> bool:
    if "/" in name:
        return own.is_dir() and (own / Path(name).name).exists()
    return bool(start) and content.startswith(start)


def first_bytes(path: Path) -> bytes:
    """What `sniff` is given beside the path: the first bytes of a file, none of a folder."""
    if path.is_dir():
        return b""
    with path.open("rb") as file:
        return file.read(SNIFFED)
