"""What a writer is called with, and the sink that it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..image import Array, Level, Region

if TYPE_CHECKING:
    import zarr

__all__ = [
    "BlockSink",
    "LabelSpec",
    "LabelsWriter",
    "PlacedWriter",
    "ReadableSink",
    "RecordedWriter",
    "Sink",
    "StagedSink",
    "Writer",
]


@dataclass(frozen=True, kw_only=True)
class LabelSpec:
    """The label image that a writer is to make.

    shape, axes: of the labels; the image's axes in its order, without `c`.
    dtype: uint32, or uint64 from 2³² objects on.
    spacing, units: by axis, as in `Image`.
    levels: the image's pyramid from the segmented resolution down, without `c`; empty if it has none.
    tile: the shape of the largest tile core. Chunks that divide it are written without being read again.
    image, image_format: where the image lies, and its format; empty for an array in memory.
    keep_old: seconds for which labels that are replaced in a bucket stay for their readers.
    source: the path that the run's reader was given: not `image`, where an option of the reader chose one of several.
    workdir: a folder for this run alone, on the destination's file system. A writer builds its output in it, and moves
        the output into place in `finish`. The folder survives a kill, and the resumed run finds in it what had been
        written. It is removed after `finish`.
    """

    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype[np.unsignedinteger[Any]]
    workdir: Path
    name: str = "labels"
    spacing: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    levels: tuple[Level, ...] = ()
    tile: tuple[int, ...] = ()
    image: str = ""
    image_format: str = ""
    source: str = ""
    keep_old: float = 3600.0


class Sink(Protocol):
    """An output that is being filled. It is pickled to the processes that fill it.

    A sink may also have `block` (`BlockSink`) and `read` (`ReadableSink`).
    """

    def write(self, region: Region, labels: NDArray[Any], /) -> None:
        """Fill a region. Regions come in any order, from any thread or process, and never overlap.

        labels: of the region's shape and the spec's dtype. After a kill a region may be written again, with the same
            labels. A region that is never written is background.
        """

    def finish(self, provenance: Mapping[str, Any], /) -> None:
        """Put the output into its place, replacing an earlier one there, whole or not at all.

        provenance: how the labels were made, in values that JSON can hold, to be kept with them if the format can.
        """


class BlockSink(Sink, Protocol):
    """A sink that is filled by whole shards or chunks. Other sinks are given regions as large as a tile's core."""

    @property
    def block(self) -> tuple[int, ...]:
        """The shape of a shard or chunk, in pixels by axis.

        Regions start at multiples of it, and their lengths are multiples of it, except at the image's end.
        """


class ReadableSink(Sink, Protocol):
    """A sink whose labels can be read again once they are finished."""

    def read(self) -> Array:
        """The finished labels, opened lazily."""


@dataclass(frozen=True, kw_only=True)
class StagedSink:
    """What sinks of formats that are written in one go have in common: they fill an array first, in any order.

    path: where the output goes. spec: what the writer was called with. labels: the array, which lies in
    `spec.workdir`. A sink that is derived from it has a `finish`.
    """

    path: Path
    spec: LabelSpec
    labels: zarr.Array[Any]

    @property
    def block(self) -> tuple[int, ...]:
        """The chunk of the array: regions come in whole multiples of it, so no two write to the same one."""
        return self.labels.chunks

    def write(self, region: Region, labels: NDArray[Any]) -> None:
        """Fill a region."""
        self.labels[region] = labels


class Writer(Protocol):
    """A component that opens outputs: `writer(path, spec) -> sink`.

    It is called once before the first tile too, in a `workdir` that is thrown away, so that what it refuses is refused
    before any work. Nothing may be at the destination before the sink's `finish`.

    A writer may also have `destination` (`LabelsWriter`), `provenance` (`RecordedWriter`), and `exists` and `beside`
    (`PlacedWriter`, each also alone).
    One with `remote = True` also takes URLs of buckets: a path that it is handed is then a `Location`, `workdir` is in
    the checkpoint of this machine, and what is written stays unseen until `finish`. One run at a time has the output.
    """

    def __call__(self, path: str, spec: LabelSpec, /) -> Sink:
        """The sink of the output at a path. A resumed run calls it with the same spec, and continues that output.

        AlreadyExists, NotWritable or InvalidOption for what it cannot write at the path.
        """


class LabelsWriter(Writer, Protocol):
    """A writer that has a place for labels that belong to an image: the user need not give a destination."""

    def destination(self, image: str, name: str, /) -> str:
        """The path at which labels of a name go that belong to the image at a path.

        InvalidOption for an image or a name for which there is none.
        """


class RecordedWriter(Writer, Protocol):
    """A writer that reads again how labels were made. A step of a workflow needs it to know that it is done."""

    def provenance(self, path: str, /) -> Mapping[str, Any] | None:
        """What the sink's `finish` was given when the labels at a path were made; None if they do not hold it."""


class PlacedWriter(Writer, Protocol):
    """A writer whose output is not the same as a file or folder at its path."""

    def exists(self, path: str, /) -> bool:
        """Whether labels are at a path. Without it: whether a file or folder is there."""

    def beside(self, path: str, /) -> Path:
        """The file or folder beside which a run keeps its checkpoint. Without it: the path."""
