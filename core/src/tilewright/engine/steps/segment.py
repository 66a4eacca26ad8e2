"""The step that segments: each tile is read once, segmented once, checked, and recorded with ids of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidLabels, NotReadable, SegmenterFailed
from ...labels.runs import Runs, smallest_dtype
from ...tiling.grid import Tile, TileGrid
from ...tiling.regions import Region, relative
from ..checkpoint.log import Place
from ..plan import Plan
from .copies import copies

__all__ = ["Recorded", "facing", "segment", "strip", "strips_of"]

Labels = NDArray[np.unsignedinteger[Any]]


NOWHERE = Place(0, 0, 0)
LONGEST_PAUSE = 30.0  # seconds


class Recorded(NamedTuple):
    """A record in the checkpoint and the number of objects that it holds.

    skipped: 1 for a tile that was empty. guard: stands for the tile's pixels. failed: why nothing is recorded of it.
    """

    number: int
    place: Place
    objects: int
    skipped: int = 0
    guard: int = 0
    failed: str = ""


def segment(plan: Plan, numbers: Sequence[int]) -> list[Recorded]:
    """Segment tiles and record what comes out: their labels, their objects, and the strips that their seams need.

    What fails is tried again as often as the plan says, after a pause that doubles: a GPU may have memory again then.
    """
    return [_tried(plan, plan.grid[number]) for number in numbers]


def _tried(plan: Plan, tile: Tile) -> Recorded:
    for pause in (0.5 * 2**attempt for attempt in range(plan.retries)):
        try:
            return _segment_tile(plan, tile)
        except (SegmenterFailed, NotReadable):
            time.sleep(min(pause, LONGEST_PAUSE))
    try:
        return _segment_tile(plan, tile)
    except (SegmenterFailed, NotReadable, InvalidLabels) as error:
        if plan.on_error == "raise":
            raise
        return Recorded(tile.number, NOWHERE, 0, failed=str(error))


def _segment_tile(plan: Plan, tile: Tile) -> Recorded:
    guard = plan.guard(tile)
    labels = plan.segment(tile)
    if labels is None:
        return _record(plan, tile, {}, 0, 1, guard)
    kept = tile.outer if plan.owning else tile.core
    runs = Runs.of(labels) if plan.owning else _core_runs(plan, tile, labels)
    count = len(runs.first)
    arrays: dict[str, NDArray[Any]] = {}
    if count:
        if plan.measuring:
            arrays["area"] = _small(runs.area)
        if plan.same_ids:
            arrays["ids"] = labels[relative(kept, tile.outer)].ravel()[runs.first].astype(np.uint64)
        if plan.owning:
            arrays |= copies(runs.labels, count, tile, plan.grid)
        else:
            arrays["first"] = whole_image(runs.first, kept, plan.grid)
        for name, region in strips_of(plan.grid, tile, overlapping=plan.owning):
            arrays[name] = runs.labels[relative(region, kept)].astype(runs.values.dtype)
        # They come last: what seams need is read in one go.
        arrays |= {"values": runs.values, "lengths": runs.lengths}
    return _record(plan, tile, arrays, count, 0, guard)


def _record(
    plan: Plan, tile: Tile, arrays: dict[str, NDArray[Any]], objects: int, skipped: int, guard: int
) -> Recorded:
    head = {"objects": np.array([objects, skipped, guard])}
    return Recorded(tile.number, plan.checkpoint.append("tile", tile.number, head | arrays), objects, skipped, guard)


def _core_runs(plan: Plan, tile: Tile, labels: NDArray[Any]) -> Runs:
    """The objects of a tile's core.

    A halo's outer pixels lack context, so what a segmenter joined through them may not be joined: an object whose
    parts in the core do not touch there is taken apart. Its parts find each other across the seams if they do touch.
    """
    runs = Runs.of(labels[tile.inner])
    if tile.inner == relative(tile.outer, tile.outer) or not len(runs.first):
        return runs
    from scipy import ndimage  # a third of a second that a run without halos need not wait for

    structure = ndimage.generate_binary_structure(runs.labels.ndim, plan.connectivity)
    part, count = ndimage.label(runs.labels > 0, structure)
    apart = Runs.of(np.where(part, runs.labels * np.int64(count + 1) + part, 0))
    return apart if len(apart.first) > len(runs.first) else runs


def whole_image(flat: NDArray[np.int64], region: Region, grid: TileGrid) -> NDArray[np.int64]:
    """Flat positions in a region as flat positions in the image."""
    shape = [part.stop - part.start for part in region]
    position = np.unravel_index(flat, shape)
    shifted = [p + part.start for p, part in zip(position, region, strict=True)]
    places: NDArray[np.int64] = np.ravel_multi_index(shifted, grid.shape).astype(np.int64)
    return places


def strips_of(grid: TileGrid, tile: Tile, *, overlapping: bool) -> Iterator[tuple[str, Region]]:
    """The parts of a tile that its seams need, one for each side on which it has a neighbour, by name.

    The facing plane of the core; or, where labels overlap, what the neighbour's outer region shares. A tile further
    on, or one that meets this one at a corner, shares a part of it.
    """
    for axis, letter in enumerate(grid.axes):
        if letter in grid.separate:
            continue
        for side, step in (("-", -1), ("+", 1)):
            if 0 <= tile.index[axis] + step < grid.counts[axis]:
                yield letter + side, strip(grid, tile, axis, step, overlapping=overlapping)


def strip(grid: TileGrid, tile: Tile, axis: int, step: int, *, overlapping: bool) -> Region:
    """One of these parts: on the side towards which `step` points along an axis."""
    region = tile.outer if overlapping else tile.core
    own = region[axis]
    if not overlapping:
        part = slice(own.stop - 1, own.stop) if step > 0 else slice(own.start, own.start + 1)
    else:
        near = grid.at([i + step * (a == axis) for a, i in enumerate(tile.index)]).outer[axis]
        part = slice(near.start, own.stop) if step > 0 else slice(own.start, near.stop)
    return (*region[:axis], part, *region[axis + 1 :])


def facing(tile: Tile, offset: Sequence[int]) -> Region:
    """The plane, edge or corner of a tile's core that faces the neighbour at an offset."""
    return tuple(
        core if not step else slice(core.stop - 1, core.stop) if step > 0 else slice(core.start, core.start + 1)
        for core, step in zip(tile.core, offset, strict=True)
    )


def _small(counts: NDArray[Any]) -> NDArray[Any]:
    return counts.astype(smallest_dtype(int(counts.max(initial=0))))
