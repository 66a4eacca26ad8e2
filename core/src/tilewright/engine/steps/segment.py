"""The step that segments: each tile is read once, segmented once, checked, and recorded with ids of its own."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...components.blame import whose
from ...components.isolation import describe
from ...errors import ComponentFailed, InvalidLabels, NotReadable, SegmenterFailed
from ...labels.runs import Runs, checked, smallest_dtype
from ...tiling.axes import SPATIAL, spatial
from ...tiling.grid import Tile
from ...tiling.placement import Placement
from ...tiling.regions import flat_in_image, lengths, relative
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
    digests = [_digest(plan, _pixels(plan, tile)) if plan.digests else 0 for tile in tiles]
    return [(tile.number, _guard(plan, tile) + digest) for tile, digest in zip(tiles, digests, strict=True)]


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
    guard = _guard(plan, tile)  # before the pixels are read: what changes meanwhile is noticed
    pixels = _pixels(plan, tile)
    guard += _digest(plan, pixels)
    labels = _labels(plan, tile, pixels)
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


def _guard(plan: Plan, tile: Tile) -> int:
    """A number that changes when the tile's stored pixels do, found without reading them.

    0 for what has no files of its own for a region: arrays in memory and single files, whose state is part of the
    run's record, and whatever is known by the `digest` of its pixels.
    """
    whole, channels = plan.source.whole, plan.source.channels
    chunks = whole.identity.chunks
    if chunks is None:
        return 0
    parts = dict(zip(plan.grid.axes, plan.seen(tile), strict=True))
    parts["c"] = slice(channels, channels + 1) if isinstance(channels, int) else slice(0, whole.size("c"))
    return chunks.state(tuple(parts[axis] for axis in whole.axes))


def _digest(plan: Plan, pixels: NDArray[Any]) -> int:
    """A number that changes with a tile's pixels, where nothing else does; 0 where something else does."""
    if not plan.digests:
        return 0
    return int.from_bytes(hashlib.blake2b(pixels.tobytes(), digest_size=7).digest(), "big")


def _pixels(plan: Plan, tile: Tile) -> NDArray[Any]:
    """Read what the segmenter is handed of a tile, in its axes."""
    image = plan.source.opened
    parts = dict(zip(plan.grid.axes, plan.seen(tile), strict=True))
    try:
        block = image.read(tuple(parts.get(axis, slice(None)) for axis in image.axes))
    except Exception as error:
        where = image.source or image.name
        raise NotReadable(
            f"{where} cannot be read at {_where(plan, tile)}: {describe(error)}; repair it, or leave such tiles out: "
            "on_error='skip' (--on-error skip)"
        ) from error
    plan.source.check()
    kept = [axis for axis in image.axes if axis in plan.axes]
    block = block.reshape([n for n, axis in zip(block.shape, image.axes, strict=True) if axis in kept])
    missing = [axis for axis in plan.axes if axis not in kept]
    block = block.reshape((1,) * len(missing) + block.shape)
    order = [*missing, *kept]
    return np.ascontiguousarray(block.transpose([order.index(axis) for axis in plan.axes]))


def _labels(plan: Plan, tile: Tile, pixels: NDArray[Any]) -> NDArray[Any] | None:
    """Hand a tile to the segmenter, once, and return its labels over the outer region, in the grid's axes.

    None if the tile is empty. NaN is not above anything, and does not hide what is.
    """
    if plan.empty is not None and not (pixels > plan.empty).any():
        return None
    own = spatial(plan.axes)
    shape = tuple(n for n, axis in zip(pixels.shape, plan.axes, strict=True) if axis in SPATIAL)
    try:
        labels = _called(plan, pixels, tile)
    except KeyboardInterrupt:
        raise
    except ImportError as error:  # the same for every tile, so no tile is at fault
        who = whose("segmenter", plan.segmenter)
        raise ComponentFailed(f"{who} cannot import what it needs: {describe(error)}") from error
    except BaseException as error:  # SystemExit and panics too, which would end the process without a word
        raise SegmenterFailed(f"{_blame(plan, tile)} raised {describe(error)}") from error
    try:
        found = checked(labels, shape)
    except InvalidLabels as error:
        raise InvalidLabels(f"{_blame(plan, tile)} {error}") from error.__cause__
    order = [own.index(axis) for axis in plan.grid.axes if axis in own]
    order += [i for i in range(len(own)) if i not in order]
    seen = plan.seen(tile)
    labels = found.transpose(order).reshape(lengths(seen))
    return labels if seen == tile.outer else np.ascontiguousarray(labels[relative(tile.outer, seen)])


def _called(plan: Plan, pixels: NDArray[Any], tile: Tile) -> Any:
    """What the segmenter returns, which is told where the tile lies if it asks to be."""
    if not plan.located:
        return plan.segmenter(pixels)
    parts = dict(zip(plan.grid.axes, zip(plan.seen(tile), plan.grid.shape, strict=True), strict=True))
    axes = spatial(plan.axes)
    region, shape = zip(*(parts.get(axis, (slice(0, 1), 1)) for axis in axes), strict=True)
    return plan.segmenter(pixels, Placement(axes=axes, region=region, shape=shape))


def _blame(plan: Plan, tile: Tile) -> str:
    return f"{whose('segmenter', plan.segmenter)}, {_where(plan, tile)}:"


def _where(plan: Plan, tile: Tile) -> str:
    spans = zip(plan.grid.axes, tile.outer, strict=True)
    return f"tile {tile.index} ({', '.join(f'{axis} {part.start}:{part.stop}' for axis, part in spans)})"


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
