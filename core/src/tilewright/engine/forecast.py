"""What a run would take, told before it: its tiles, its memory and disk, and its time from a timed sample of tiles."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ..abc.traits import Traits
from ..builtin.tilers import bytes_for
from ..deprecation import warn_renamed
from ..storage.machine import cpus
from .checkpoint.predictions import PREDICTIONS
from .checkpoint.records import Recorded
from .plan import Plan
from .planning import read_context
from .steps.predict import predict
from .steps.segment import segment

__all__ = ["Forecast", "forecast"]

ENOUGH = 20.0  # seconds of sampling


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a run would take.

    axes, shape: of the labels. tile: the largest core along each axis. halo: on either side. tiles: how many.
    most_tiles: how many at most, where tiles outside of a region are read while one of its objects continues into them.
    overhead: pixels read / pixels of the image; what halos and context cost.
    memory: bytes that one tile's work takes, by what the segmenter says, else by the rule of the tiler `auto`. A run
        needs it for each worker.
    checkpoint: bytes on disk beside the output while it runs. seconds: of reading and segmenting by so many workers, if
        their number makes them so many times as fast. Both from `sampled` tiles spread over the image; 0 of none.
        Joining and writing come on top, mostly less than half as long again for a segmenter that is quick.
    objects: pieces of objects in all tiles; an object that lies in several counts in each of them. outputs: the same of
        each output of a segmenter with several; `objects` is their sum then.
    windows, batches: of a network that the tiles need; 0 for any other segmenter. predictions: bytes of all that it
        says, which `keep_predictions` keeps; a run without it keeps a band of some rows of tiles at a time.
    network: seconds of its windows, one batch after the other, which `seconds` has too.
    done, waiting: of a step of a workflow, whether its labels are there already, and which of its given labels are not
        there yet, so that no tile could be sampled.
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
    windows: int = 0
    batches: int = 0
    predictions: int = 0
    network: float = 0.0
    outputs: Mapping[str, int] = field(default_factory=dict)
    most_tiles: int = 0
    done: bool = False
    waiting: tuple[str, ...] = ()

    @property
    def stage(self) -> int:
        """The old name of `checkpoint`."""
        warn_renamed("Forecast.stage", "Forecast.checkpoint")
        return self.checkpoint


def forecast(plan: Plan, workers: int | None, sample: int) -> Forecast:
    """Segment at most `sample` tiles, for some 20 s, into a temporary checkpoint, and scale up what they take.

    The first one, or of a network the first batch, is done twice: what it loads for all is not its own time.
    """
    grid, image = plan.grid, plan.source.opened
    with TemporaryDirectory(prefix="tilewright-") as folder:
        here = replace(
            plan, checkpoint_path=Path(folder), predictions_path=Path(folder) / PREDICTIONS, keep_predictions=True
        )
        sampled = _sampled(here, [plan.wanted[i] for i in _spread(len(plan.wanted), sample)])
    context = read_context(image, dict(zip(grid.axes, plan.context, strict=True)))
    done, read = sampled.tiles, grid.lengths_read(tuple(context.get(axis, 0) for axis in grid.axes))
    each, count = len(plan.wanted) / max(1, len(done)), workers or cpus()
    records = [record for one in done for record in (one, *one.outputs)]
    outputs = {
        name: round(each * sum((one, *one.outputs)[part].objects for one in done if part == 0 or one.outputs))
        for part, name in enumerate(plan.outputs)
    }
    batches = np.flatnonzero(plan.uses(plan.wanted)).tolist() if plan.batches else []
    windows = sum(len(plan.batches.windows(batch)[1]) for batch in batches)
    every = windows / max(1, sampled.windows)
    needs = Traits.of(plan.segmenter, image).needs(image)
    return Forecast(
        axes=grid.axes,
        shape=grid.shape,
        tile=grid.largest,
        halo=grid.halo,
        tiles=len(plan.wanted),
        most_tiles=_most_tiles(plan),
        overhead=_pixels_read(plan, read) / max(1, math.prod(grid.shape)),
        workers=count,
        memory=bytes_for(tuple(max(along, default=1) for along in read), image.dtype, needs),
        sampled=len(done),
        checkpoint=round(each * sum(one.place.size for one in records)),
        objects=round(each * sum(one.objects for one in records)),
        seconds=(each * sampled.seconds + every * sampled.network) / min(count, max(1, len(plan.wanted))),
        windows=windows,
        batches=len(batches),
        predictions=round(every * sampled.kept),
        network=every * sampled.network,
        outputs=outputs,
    )


def _most_tiles(plan: Plan) -> int:
    """The tiles that a run may come to: with growing objects, all at the times and planes that the region has."""
    grid, tiles = plan.grid, plan.grid.segmented
    if not plan.growing:
        return len(plan.wanted)
    index = np.unravel_index(np.array(tiles, np.int64), grid.counts)
    apart = [along for along, axis in zip(index, grid.axes, strict=True) if axis in grid.separate]
    where = np.stack([np.zeros(len(tiles), np.int64), *apart], axis=1)
    starts = {tuple(row) for row in where[np.isin(tiles, plan.wanted)].tolist()}
    return sum(tuple(row) in starts for row in where.tolist())


def _pixels_read(plan: Plan, read: Sequence[Sequence[int]]) -> int:
    """The pixels that are read of the wanted tiles. read: for each axis how long what is read of the tiles is."""
    if len(plan.wanted) == len(plan.grid):
        return math.prod(map(sum, read))
    index = np.unravel_index(np.array(plan.wanted, np.int64), plan.grid.counts)
    return int(np.prod([np.array(along)[i] for along, i in zip(read, index, strict=True)], axis=0).sum())


@dataclass
class _Sample:
    """What was done of a sample: tiles and the seconds of segmenting them, windows, their seconds and their bytes."""

    tiles: list[Recorded] = field(default_factory=list)
    seconds: float = 0.0
    windows: int = 0
    network: float = 0.0
    kept: int = 0


def _sampled(plan: Plan, numbers: Sequence[int]) -> _Sample:
    sample = _Sample()
    try:
        if numbers and not plan.batches:
            segment(plan, numbers[:1])
        for number in numbers:
            if not _predicted(plan, sample, number):
                break
            start = time.perf_counter()
            sample.tiles += segment(plan, [number])
            sample.seconds += time.perf_counter() - start
            if sample.seconds + sample.network > ENOUGH:
                break
        return sample
    finally:
        plan.checkpoint.close()


def _predicted(plan: Plan, sample: _Sample, number: int) -> bool:
    """Predict what a tile needs; whether there was time for all of it."""
    if not plan.batches:
        return True
    for batch in plan.needs(plan.grid[number]):
        if plan.predictions.size(batch):
            continue
        if not sample.windows:
            predict(plan, batch)
            plan.predictions.drop(batch)
        start = time.perf_counter()
        sample.windows += predict(plan, batch).objects
        sample.network += time.perf_counter() - start
        sample.kept += plan.predictions.size(batch)
        if sample.network > ENOUGH:
            return False
    return True


def _spread(total: int, count: int) -> list[int]:
    """So many tiles at even distances, each from the middle of its stretch."""
    count = min(total, max(0, count))
    return [(2 * i + 1) * total // (2 * count) for i in range(count)]
