"""What a reader is called with, and the image that it returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..image import Image

__all__ = ["LabelsReader", "Reader"]


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
