"""What tools that watch runs are told: plain values, so that a watcher imports no library to read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["RunFinished", "RunPlanned", "TileDone"]


@dataclass(frozen=True, kw_only=True)
class RunPlanned:
    """A run that is about to begin.

    source: the image's path, or its name if it is in memory. destination: the path of the labels.
    axes, shape: of the label image, in pixels. tiles: how many it is cut into. segmenter: its name.
    """

    source: str
    destination: str
    axes: str
    shape: tuple[int, ...]
    tiles: int
    segmenter: str


@dataclass(frozen=True, kw_only=True)
class TileDone:
    """One more tile of a step is done, or several small ones that shared a task.

    stage: `segment`, `join`, `decide`, `draw`, `link`, `write` (which counts blocks of the output) or `finish` (once).
    done, total: so many of so many. The first event of a step says what an earlier, killed run had done already.
    """

    stage: str
    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class RunFinished:
    """A run that is over.

    error: why it ended early, on one line; empty if it succeeded, and the other values are 0 or empty if it did not.
    objects, tiles: how many there are; skipped: tiles that were empty; failed: tiles that were left as background.
    seconds: spent, by step.
    """

    destination: str
    error: str = ""
    objects: int = 0
    tiles: int = 0
    skipped: int = 0
    failed: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
