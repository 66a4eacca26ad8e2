"""Where outputs go that are one file."""

from __future__ import annotations

import re
from pathlib import Path

from tilewright.errors import InvalidOption

__all__ = ["beside_image", "check_file", "stem"]

DOUBLE = re.compile(r"\.(ome\.(tiff?|tf2|tf8|btf|zarr)|companion\.ome)$", re.IGNORECASE)


def stem(path: str) -> str:
    """The name of an image's file without its suffix, or both of `.ome.tif` and its kin."""
    name = Path(path).name
    return DOUBLE.sub("", name) if DOUBLE.search(name) else Path(name).stem


def beside_image(image: str, name: str, suffix: str) -> str:
    """`<image>.<name><suffix>` in the image's folder. InvalidOption if that is no folder of this machine."""
    if "://" in image:
        raise InvalidOption(f"{image!r} is a URL, beside which nothing can be written; give an output path")
    return str(Path(image).parent / f"{stem(image)}.{name}{suffix}")


def check_file(path: str) -> Path:
    """The path as that of a file to be written. InvalidOption for a URL or a folder."""
    if "://" in path:
        raise InvalidOption(f"{path!r} is a URL, but labels are written to local files only; copy them there after")
    target = Path(path).absolute()
    if target.is_dir():
        raise InvalidOption(f"{path!r} is a folder, but the labels become one file; give the path of a file")
    return target
