"""What a table's format is called with, and the sink that it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..image import Array
from .measurer import Column, Columns, Facts

__all__ = ["TableFormat", "TableSink", "TableSpec"]


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """The table that a format is to make.

    columns: by name, in order; the first are the key: `t`, if the labels have times, and `label` (uint64).
    n_rows: how many rows there will be, ascending by the key.
    facts: of the labels and the image.
    labels: the label image, to be read by regions; its axes are `t`, if it has times, and `facts.axes`.
    labels_path, name: where the labels lie, or will when the table is in place; what they are called there.
    workdir: a folder for this table alone, on the destination's file system, as a writer has one.
    several_images: whether it is the table of several images, for a format that declares `several_images`: the first
        column is `image`, of dtype "str" (texts in arrays of objects), and rows come as the images are done, ascending
        within each. `n_rows` is 0 then, for it is not known, and `facts` and `labels` are empty.
    """

    columns: Mapping[str, Column]
    n_rows: int
    facts: Facts
    labels: Array
    workdir: Path
    labels_path: str = ""
    name: str = "labels"
    several_images: bool = False


class TableSink(Protocol):
    """A table that is being filled.

    A sink may also have:

    | name | type | meaning |
    |---|---|---|
    | `read` | `() -> Columns` | the columns of the finished table, each an array that reads what is asked of it |
    """

    def write(self, columns: Columns, /) -> None:
        """Append rows: some ten thousand at a time, in the order of the key, each column of its declared dtype."""

    def finish(self, provenance: Mapping[str, Any], /) -> None:
        """Put the table into its place, replacing an earlier one there, whole or not at all.

        provenance: how labels and table were made, in values that JSON can hold, to be kept with the table if the
            format can. Its `labels` has the `path` and the `fingerprint` of the label image: a text that is the same
            for equal label images, and for no others.
        """


class TableFormat(Protocol):
    """A component that opens tables: `format(path, spec) -> sink`.

    It is called once before the first block too, in a `workdir` that is thrown away, so that what it refuses is refused
    before any work. A run that is killed fills a table from its first row again.

    A format may declare `several_images = True` if it writes the table of several images, such as those of a plate.

    A format may also have `destination`, `provenance`, `exists` and `beside`, as a `Writer` has, and `opened(path)`:
    the columns of a table that is there.
    """

    def __call__(self, path: str, spec: TableSpec, /) -> TableSink:
        """The sink of the table at a path. AlreadyExists, NotWritable or InvalidOption for what it cannot write."""
