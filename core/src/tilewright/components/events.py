"""What tools that watch runs are told: plain values, so that a watcher imports no library to read them."""

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
    axes, shape: of the label image, in pixels. tiles: how many it is cut into. segmenter: its name.
    run: names this run in all of its events. pipeline: the record of its components, as `Pipeline.to_dict` gives it.
    """

    source: str
    destination: str
    axes: str
    shape: tuple[int, ...]
    tiles: int
    segmenter: str
    run: str = ""
    pipeline: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DoneTile:
    """A tile, or a block of the output, that went through a step.

    index: its place along each axis of the grid. region: its core, as start and stop along each axis, in pixels.
    objects: pieces of objects in it. skipped: whether it was empty. failed: why it is left as background, if it is.
    """

    index: tuple[int, ...]
    region: tuple[tuple[int, int], ...]
    objects: int = 0
    skipped: bool = False
    failed: str = ""


@dataclass(frozen=True, kw_only=True)
class TileDone:
    """One more tile of a step is done, or several small ones that shared a task.

    step: `segment`, `join`, `decide`, `draw`, `link`, `write` (which counts blocks of the output) or `finish` (once).
    done, total: so many of so many. The first event of a step says what an earlier, killed run had done already.
    run: as in `RunPlanned`. tiles: those that are done since the last event of the step.
    """

    step: str
    done: int
    total: int
    run: str = ""
    tiles: tuple[DoneTile, ...] = ()

    @property
    def stage(self) -> str:
        """The old name of `step`."""
        warn_renamed("TileDone.stage", "TileDone.step")
        return self.step


@dataclass(frozen=True, kw_only=True)
class RunFinished:
    """A run that is over.

    error: why it ended early, on one line; empty if it succeeded, and the other values are 0 or empty if it did not.
    objects, tiles: how many there are; skipped: tiles that were empty; failed: tiles that were left as background.
    seconds: spent, by step. run, pipeline: as in `RunPlanned`. failures: why each of the failed tiles failed.
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
