"""What a reader is called with, and the image that it returns."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Protocol

from ..image import Image

__all__ = ["CollectionReader", "LabelsReader", "Reader", "files_by_name"]


class Reader(Protocol):
    """A component that opens a format lazily: `reader(path) -> Image`.

    Two fields are set by the command line: `level: int` by `--level` (0 is the finest), and `axes: str` by `--axes`,
    for a format that does not state its axes. The reader is pickled to each worker, which opens the path again, so
    neither the image nor its data need be picklable.
    """

    def __call__(self, path: str, /) -> Image:
        """The image at a path or URL.

        A run hands over a `tilewright.abc.Location`: text that also knows the storage options, for URLs.

        Its `data` is lazy: it has `shape`, `dtype` and slicing, and reads nothing before it is sliced. Slices start
        and stop within its shape and have no step. If pixels come from other files than the one at the path,
        `data.files` names them all, as a tuple of paths. When one of them changes, the tiles that were made from it
        are segmented again.

        NotReadable for a file that is not of the format or is damaged; InvalidImage if its metadata contradicts itself.
        """


class LabelsReader(Reader, Protocol):
    """A reader of a format that holds label images beside the image."""

    def labels(self, path: str, /) -> Sequence[str]:
        """The names of the label images in the file; empty if it has none."""


class CollectionReader(Reader, Protocol):
    """A reader of a format that holds several images: a plate, a slide with scenes."""

    def images(self, path: str, /) -> Mapping[str, str]:
        """The paths of the images at a path by their names, in their order; empty if the path is one image.

        A name tells the images apart and becomes part of output paths: `A/1/0`. Slashes part folders. A path is one
        that the reader opens: `plate.zarr/A/1/0`, or `slide.czi#1` for a reader with an option `image`, which is then
        `"1"`. The image that the reader opens at a path with several, if it opens one of them, has them in
        `Image.images`. No pixels are read. Small pictures that belong to an image, such as the label of a slide, are
        left out.
        """


def files_by_name(files: Iterable[str]) -> dict[str, str]:
    """Files as images of a collection: named by their paths in the folder that holds all of them, without suffixes.

    Numbers in names are sorted by value. Names keep their suffixes if two files differ in nothing else.

    >>> files_by_name(["scan/b10.tif", "scan/b9.tif"])
    {'b9': 'scan/b9.tif', 'b10': 'scan/b10.tif'}
    """
    order = sorted(files, key=lambda file: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", file)])
    if not order:
        return {}
    home = os.path.commonpath([Path(file).parent for file in order])
    names = [PurePath(file).relative_to(home) if home else PurePath(file) for file in order]
    stems = [name.with_name(re.sub(r"(?<=.)(\.ome)?\.[^.]+$", "", name.name)) for name in names]
    chosen = stems if len(set(stems)) == len(stems) else names
    return {name.as_posix(): file for name, file in zip(chosen, order, strict=True)}
