"""Pictures and folders of images for tilewright: hooks only, so that discovery imports no library."""

from __future__ import annotations

import glob
from pathlib import Path

from tilewright import FormatSpec, hookimpl

PICTURES = (".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".gif", ".webp", ".npy")
STACKED = (*PICTURES, ".tif", ".tiff")
MAGIC = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"BM", b"GIF8", b"\x93NUMPY")


def is_picture(path: str, first_bytes: bytes) -> bool:
    """Whether a file starts as PNG, JPEG, BMP, GIF, WebP or NumPy's files do."""
    if "://" in path:
        return False
    return first_bytes.startswith(MAGIC) or (first_bytes[:4] == b"RIFF" and first_bytes[8:12] == b"WEBP")


def is_stack(path: str, first_bytes: bytes) -> bool:
    """Whether a path is a folder with images right in it, or a pattern such as `scan/*.tif`."""
    if "://" in path or first_bytes:
        return False
    folder = Path(path)
    if folder.is_dir() and not any((folder / name).exists() for name in (".zgroup", ".zarray", "zarr.json")):
        return any(each.suffix.lower() in STACKED for each in folder.iterdir() if not each.name.startswith("."))
    return not folder.exists() and glob.has_magic(path)


@hookimpl
def tilewright_readers() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="picture",
            target="tilewright_pictures.picture:PictureReader",
            summary="One picture: PNG, JPEG, BMP, GIF, WebP, or an array in a .npy file.",
            suffixes=PICTURES,
            sniff=is_picture,
        ),
        FormatSpec(
            name="stack",
            target="tilewright_pictures.stack:StackReader",
            summary="A folder or a pattern of images of any format, as one stack or as many images.",
            sniff=is_stack,
        ),
    ]
