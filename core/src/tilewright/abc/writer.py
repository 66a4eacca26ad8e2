"""What a writer is told of the labels to come, and what it gives back to be filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..image import Level, Region

__all__ = ["LabelSpec", "Sink", "Writer"]


@dataclass(frozen=True, kw_only=True)
class LabelSpec:
    """The label image that a writer is asked for.

    shape, axes: of the labels; the image's axes in its order, without `c`.
    dtype: uint32, or uint64 where the number of objects needs it.
    spacing, units: by axis, as `Image` has them.
    levels: the image's pyramid from the segmented resolution down (without `c`); empty if it has none.
    tile: the largest tile core: chunks that divide it are written without being read again.
    image, image_format: where the image was read from and as what, empty for an array in memory.
    workdir: a folder of this run's own on the destination's file system. A writer builds its output in there and
        renames it into place in `finish`. It survives a kill, and the same run finds in it what it had written; it is
        removed after `finish`.
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


class Sink(Protocol):
    """An output that is being filled. It is pickled to the processes that fill it.

    A sink may also have `block`, the shape of the unit in which regions are best written (shards or chunks); regions
    then start at multiples of it and are whole multiples, but at the image's end. Without it the tile's core is used.
    It may have `read() -> Array`, the finished labels opened lazily.
    """

    def write(self, region: Region, labels: NDArray[Any]) -> None:
        """Fill a region. Regions come in any order, from any thread or process, and never overlap.

        A region may come again after a kill, with the same labels. One that never comes is background.
        """

    def finish(self, provenance: Mapping[str, Any]) -> None:
        """Put the output into its place, replacing an earlier one there, whole or not at all."""


class Writer(Protocol):
    """A component that opens sinks. Called twice with one path and spec (after a kill), it goes on with the first.

    It may also have `destination(image, name) -> str`: where labels of that name go that belong to the image at that
    path, when the user gives no destination; and `exists(path) -> bool`, if a path can be taken in another way than by
    a file or folder of that name; and `beside(path) -> Path`, the file or folder that the run's checkpoint is put next
    to, if that is not the path itself.
    """

    def __call__(self, path: str, spec: LabelSpec) -> Sink: ...
