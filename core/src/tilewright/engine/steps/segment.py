"""The step that segments: each tile is read once, segmented once, checked, and recorded with ids of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidLabels, NotReadable, SegmenterFailed
from ...labels.runs import Runs, smallest_dtype
from ...tiling.grid import Tile
from ...tiling.regions import flat_in_image, relative
from ...tiling.strips import strips_of
from ..checkpoint.log import Place
from ..checkpoint.records import Recorded, TileRecord, keep
from ..plan import Plan
from .margins import weights

__all__ = ["guards", "segment"]

NOWHERE = Place(0, 0, 0)
LONGEST_PAUSE = 30.0  # seconds


def segment(plan: Plan, numbers: Sequence[int]) -> list[Recorded]:
    """Segment tiles and record what comes out: their labels, their objects, and the strips that their seams need.

    What fails is tried again as often as the plan says, after a pause that doubles: a GPU may have memory again then.
    """
    return [_tried(plan, plan.grid[number]) for number in numbers]


def guards(plan: Plan, numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The guards of tiles as their pixels are now; read where nothing else tells of a change."""
    tiles = [plan.grid[number] for number in numbers]
    digests = [plan.digest(plan.pixels(tile)) if plan.digests else 0 for tile in tiles]
    return [(tile.number, plan.guard(tile) + digest) for tile, digest in zip(tiles, digests, strict=True)]


def _tried(plan: Plan, tile: Tile) -> Recorded:
    for attempt in range(plan.retries):
        try:
            return _segment_tile(plan, tile)._replace(retried=attempt)
        except (SegmenterFailed, NotReadable):
            time.sleep(min(0.5 * 2**attempt, LONGEST_PAUSE))
    try:
        return _segment_tile(plan, tile)._replace(retried=plan.retries)
    except (SegmenterFailed, NotReadable, InvalidLabels) as error:
        if plan.on_error == "raise":
            raise
        return Recorded(tile.number, NOWHERE, 0, failed=str(error))


def _segment_tile(plan: Plan, tile: Tile) -> Recorded:
    guard = plan.guard(tile)  # before the pixels are read: what changes meanwhile is noticed
    pixels = plan.pixels(tile)
    guard += plan.digest(pixels)
    labels = plan.segment(tile, pixels)
    if labels is None:
        return _record(plan, tile, TileRecord(head=np.array([0, 1, guard])))
    kept = tile.outer if plan.owning else tile.core
    runs = Runs.of(labels) if plan.owning else _core_runs(plan, tile, labels)
    count = len(runs.first)
    if not count:
        return _record(plan, tile, TileRecord(head=np.array([0, 0, guard])))
    record = TileRecord(
        head=np.array([count, 0, guard]),
        area=_small(runs.area) if plan.measuring else None,
        ids=_ids(labels[relative(kept, tile.outer)], runs) if plan.same_ids else None,
        first=None if plan.owning else flat_in_image(runs.first, kept, plan.grid.shape),
        strips={
            name: runs.labels[relative(region, kept)].astype(runs.values.dtype)
            for name, region in strips_of(plan.grid, tile, overlapping=plan.owning)
        },
        values=runs.values,
        lengths=runs.lengths,
    )
    if plan.owning:
        core_area, margin = weights(runs.labels, count, tile, plan.grid)
        record = record._replace(core_area=core_area, margin=margin)
    return _record(plan, tile, record)


def _record(plan: Plan, tile: Tile, record: TileRecord) -> Recorded:
    objects, skipped, guard = map(int, record.head)
    return Recorded(tile.number, keep(plan.checkpoint, tile.number, record), objects, skipped, guard)


def _ids(labels: NDArray[Any], runs: Runs) -> NDArray[np.uint64]:
    """The segmenter's own id of each object."""
    return labels.ravel()[runs.first].astype(np.uint64)


def _core_runs(plan: Plan, tile: Tile, labels: NDArray[Any]) -> Runs:
    """The objects of a tile's core.

    The outer pixels of a halo, or of the context, lack context themselves, so what a segmenter joined through them may
    not be joined: an object whose parts in the core do not touch there is taken apart. Its parts find each other across
    the seams if they do touch.
    """
    runs = Runs.of(labels[tile.inner])
    if plan.seen(tile) == tile.core or not len(runs.first):
        return runs
    from scipy import ndimage  # a third of a second that a run without halos need not wait for

    structure = ndimage.generate_binary_structure(runs.labels.ndim, plan.connectivity)
    part, count = ndimage.label(runs.labels > 0, structure)
    apart = Runs.of(np.where(part, runs.labels * np.int64(count + 1) + part, 0))
    return apart if len(apart.first) > len(runs.first) else runs


def _small(counts: NDArray[Any]) -> NDArray[Any]:
    return counts.astype(smallest_dtype(int(counts.max(initial=0))))
