"""The contract of a reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..image import Image

__all__ = ["LabelsReader", "Reader"]


class Reader(Protocol):
    """A component that opens a format lazily: `reader(path) -> Image`.

    Options that users set by `--level` and `--axes` are the fields `level: int` (0 is the finest) and `axes: str` (for
    a format that does not state them). Each worker opens the path again, so neither the image nor its data need be
    picklable; the reader itself is pickled.
    """

    def __call__(self, path: str, /) -> Image:
        """The image at a path or URL.

        Its `data` has `shape`, `dtype` and slicing, and reads nothing before it is sliced; slices start and stop within
        its shape and have no step. If pixels come from other files than the one at the path, `data.files` names them
        all, as a tuple of paths: when one of them changes, tiles that were made of it do not count any more.

        NotReadable for a file that is not what it seems; InvalidImage where its metadata contradicts itself.
        """


class LabelsReader(Reader, Protocol):
    """A reader whose format holds label images too."""

    def labels(self, path: str, /) -> Sequence[str]:
        """The names of the label images in the file, possibly none."""
