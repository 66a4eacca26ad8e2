"""What a run would take, told before it: its tiles, its memory and disk, and its time from a timed sample of tiles."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ..abc.traits import Traits
from ..builtin.tilers import bytes_for
from ..deprecation import warn_renamed
from ..storage.machine import cpus
from .checkpoint.records import Recorded
from .plan import Plan
from .steps.segment import segment

__all__ = ["Forecast", "forecast"]

ENOUGH = 20.0  # seconds of sampling


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a run would take.

    axes, shape: of the labels. tile: the largest core along each axis. halo: on either side. tiles: how many.
    overhead: pixels read / pixels of the image; what halos and context cost.
    memory: bytes that one tile's work takes, by what the segmenter says, else by the rule of the tiler `auto`. A run
        needs it for each worker.
    checkpoint: bytes on disk beside the output while it runs. seconds: of reading and segmenting by so many workers, if
        their number makes them so many times as fast. Both from `sampled` tiles spread over the image; 0 of none.
        Joining and writing come on top, mostly less than half as long again for a segmenter that is quick.
    objects: pieces of objects in all tiles; an object that lies in several counts in each of them.
    """

    axes: str
    shape: tuple[int, ...]
    tile: tuple[int, ...]
    halo: tuple[int, ...]
    tiles: int
    overhead: float
    workers: int
    memory: int
    sampled: int
    checkpoint: int
    objects: int
    seconds: float

    @property
    def stage(self) -> int:
        """The old name of `checkpoint`."""
        warn_renamed("Forecast.stage", "Forecast.checkpoint")
        return self.checkpoint


def forecast(plan: Plan, workers: int | None, sample: int) -> Forecast:
    """Segment at most `sample` tiles, for some 20 s, into a temporary checkpoint, and scale up what they take.

    The first one is done twice: what it loads for all is not its own time.
    """
    grid, image = plan.grid, plan.source.opened
    with TemporaryDirectory(prefix="tilewright-") as folder:
        done, seconds = _timed(replace(plan, checkpoint_path=Path(folder)), _spread(len(grid), sample))
    count, each, read = workers or cpus(), len(grid) / max(1, len(done)), grid.lengths_read(plan.context)
    needs = Traits.of(plan.segmenter, image).needs(image)
    return Forecast(
        axes=grid.axes,
        shape=grid.shape,
        tile=grid.largest,
        halo=grid.halo,
        tiles=len(grid),
        overhead=math.prod(map(sum, read)) / max(1, math.prod(grid.shape)),
        workers=count,
        memory=bytes_for(tuple(max(along, default=1) for along in read), image.dtype, needs),
        sampled=len(done),
        checkpoint=round(each * sum(one.place.size for one in done)),
        objects=round(each * sum(one.objects for one in done)),
        seconds=each * seconds / min(count, max(1, len(grid))),
    )


def _timed(plan: Plan, numbers: Sequence[int]) -> tuple[list[Recorded], float]:
    done: list[Recorded] = []
    try:
        segment(plan, numbers[:1])
        start = time.perf_counter()
        for number in numbers:
            done += segment(plan, [number])
            if time.perf_counter() - start > ENOUGH:
                break
        return done, time.perf_counter() - start
    finally:
        plan.checkpoint.close()


def _spread(total: int, count: int) -> list[int]:
    """So many tiles at even distances, each from the middle of its stretch."""
    count = min(total, max(0, count))
    return [(2 * i + 1) * total // (2 * count) for i in range(count)]
