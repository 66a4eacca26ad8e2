"""The events that watchers are called with: plain values, so that a watcher needs no library to read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..deprecation import warn_renamed

__all__ = ["DoneTile", "RunFinished", "RunPlanned", "TileDone"]


@dataclass(frozen=True, kw_only=True)
class RunPlanned:
    """A run that is about to begin.

    source: the image's path, or its name if it is in memory. destination: the path of the labels.
    axes, shape: of the label image, in pixels. tiles: the number of tiles. segmenter, merger: their names.
    tile, halo: the largest tile's core, and the halo, in pixels along each axis.
    run: an id that all events of this run share. pipeline: the record of its components, as of `Pipeline.to_dict`.
    """

    source: str
    destination: str
    axes: str
    shape: tuple[int, ...]
    tiles: int
    segmenter: str
    run: str = ""
    pipeline: Mapping[str, Any] = field(default_factory=dict)
    tile: tuple[int, ...] = ()
    halo: tuple[int, ...] = ()
    merger: str = ""


@dataclass(frozen=True, kw_only=True)
class DoneTile:
    """A tile, or a block of the output, that went through a step.

    index: its place along each axis of the grid. region: its core, as start and stop along each axis, in pixels.
    objects: the number of objects, or pieces of objects, in it. skipped: whether it was empty.
    failed: the error for which it is left as background; empty if it did not fail.
    """

    index: tuple[int, ...]
    region: tuple[tuple[int, int], ...]
    objects: int = 0
    skipped: bool = False
    failed: str = ""


@dataclass(frozen=True, kw_only=True)
class TileDone:
    """A step has done one more tile, or several small ones that shared a task.

    step: `segment`, `join`, `decide`, `draw`, `link`, `write` (which counts blocks of the output) or `finish` (once).
    done, total: the number of tiles that are done, and of all. The first event of a step counts the tiles that the
        checkpoint holds from an earlier, killed run.
    run: as in `RunPlanned`. tiles: those that were done since the last event of the step.
    output: of a segmenter with several outputs, the name of the one that the step works on; empty where it works on
        all of them (`predict`, `segment`).
    """

    step: str
    done: int
    total: int
    run: str = ""
    tiles: tuple[DoneTile, ...] = ()
    output: str = ""

    @property
    def stage(self) -> str:
        """The old name of `step`."""
        warn_renamed("TileDone.stage", "TileDone.step")
        return self.step


@dataclass(frozen=True, kw_only=True)
class RunFinished:
    """A run that is over.

    error: why it ended early, on one line; empty if it succeeded. If it did not, the numbers are 0.
    objects, tiles: the numbers of objects and of tiles. skipped: of empty tiles. failed: of tiles left as background.
    seconds: wall-clock time by step. run, pipeline: as in `RunPlanned`. failures: the error of each failed tile.
    """

    destination: str
    error: str = ""
    objects: int = 0
    tiles: int = 0
    skipped: int = 0
    failed: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    run: str = ""
    failures: tuple[str, ...] = ()
    pipeline: Mapping[str, Any] = field(default_factory=dict)
