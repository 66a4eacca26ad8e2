"""The step that segments: each tile is read once, segmented once, checked, and recorded with ids of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...components.blame import whose
from ...components.isolation import describe
from ...errors import ComponentFailed, InvalidLabels, SegmenterFailed
from ...labels.runs import Runs, checked_outputs, smallest_dtype
from ...tiling.axes import spatial
from ...tiling.grid import Tile
from ...tiling.placement import Placement
from ...tiling.regions import flat_in_image, lengths, relative
from ...tiling.strips import strips_of
from ..checkpoint.log import PART
from ..checkpoint.records import Recorded, TileRecord, keep
from ..checkpoint.traces import note
from ..plan import Plan
from ..reading import combined, guard_of, guarded
from .attempts import NOWHERE, attempted
from .facts import cut, facts_of, runs_inside
from .margins import weights

__all__ = ["guard_with_given", "guards", "labels_of", "segment", "tile_text"]

Given = Mapping[str, NDArray[np.uint64]]


def segment(plan: Plan, numbers: Sequence[int]) -> list[Recorded]:
    """Segment tiles and record what comes out: their labels, their objects, and the strips that their seams need."""
    return [
        attempted(number, partial(_segment_tile, plan, plan.grid[number]), retries=plan.retries, on_error=plan.on_error)
        for number in numbers
    ]


def guards(plan: Plan, numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The guards of tiles as their pixels are now; read where nothing else tells of a change. Not for a network's."""
    return [(number, _guard(plan, plan.grid[number])) for number in numbers]


def _guard(plan: Plan, tile: Tile) -> int:
    if plan.digests:
        return guard_with_given(plan, tile, _pixels(plan, tile)[1])
    return guard_with_given(plan, tile, guard_of(plan, plan.seen(tile)) if plan.pixels else 0)


def guard_with_given(plan: Plan, tile: Tile, guard: int) -> int:
    """The guard of a tile whose pixels have that guard, with that of its given labels as they are now."""
    seen = plan.seen(tile)
    return _with_given(guard, [labels.guard(seen, lambda _: tile_text(plan, tile)) for labels in plan.given.values()])


def _segment_tile(plan: Plan, tile: Tile) -> Recorded:
    if plan.windows:  # which have been read
        guard = combined([plan.predictions.guard(batch) or 0 for batch in plan.needs(tile)])
        pixels = None if plan.empty is None else _pixels(plan, tile)[0]
    elif plan.pixels:
        pixels, guard = _pixels(plan, tile)
    else:
        guard, pixels = 0, None
    given: Given = {}
    if plan.given:
        given, guards_of_given = _given(plan, tile)
        guard = _with_given(guard, guards_of_given)
    labels = _labels(plan, tile, pixels, given)
    inside = None if plan.within is None else plan.within.inside(tile)
    if labels is None:
        part = None if inside is None else runs_inside(plan, tile, inside)
        return _record(plan, tile, TileRecord(head=np.array([0, 1, guard]), inside=part))
    first, *others = labels
    rest = tuple(
        _record(plan, tile, _tile_record(plan, tile, each, guard, inside), part) for part, each in enumerate(others, 1)
    )
    record = _tile_record(plan, tile, first, guard, inside)
    if rest:  # which are recorded before: the tile is done once this is
        record = record._replace(outputs=np.array([(*each.place, each.objects) for each in rest]))
    return _record(plan, tile, record)._replace(outputs=rest)


def labels_of(plan: Plan, tile: Tile) -> list[NDArray[Any]]:
    """The segmenter's outputs over a tile's outer region, which are not recorded. A network's batches are there."""
    pixels = _pixels(plan, tile)[0] if plan.pixels and (not plan.windows or plan.empty is not None) else None
    given = _given(plan, tile)[0] if plan.given else {}
    outputs = _labels(plan, tile, pixels, given)
    return [np.zeros(tile.shape, np.uint8) for _ in plan.outputs or ("",)] if outputs is None else outputs


def _tile_record(
    plan: Plan, tile: Tile, labels: NDArray[Any], guard: int, inside: NDArray[np.bool_] | None
) -> TileRecord:
    """What is recorded of a tile's labels. inside: which of its core lie in the run's region; None without one."""
    if inside is None:
        return _labels_record(plan, tile, labels, guard)
    if plan.keeps_ids:
        return _labels_record(plan, tile, cut(labels, tile, inside), guard)
    return _labels_record(plan, tile, labels, guard, inside)._replace(inside=runs_inside(plan, tile, inside))


def _labels_record(
    plan: Plan, tile: Tile, labels: NDArray[Any], guard: int, inside: NDArray[np.bool_] | None = None
) -> TileRecord:
    kept = tile.outer if plan.owning else tile.core
    runs = Runs.of(labels) if plan.owning else _core_runs(plan, tile, labels)
    count = len(runs.first)
    if not count:
        return TileRecord(head=np.array([0, 0, guard]))
    record = TileRecord(
        head=np.array([count, 0, guard]),
        area=_small(runs.area) if plan.measuring else None,
        ids=_ids(labels[relative(kept, tile.outer)], runs) if plan.same_ids or plan.keeps_ids else None,
        first=None if plan.owning or plan.keeps_ids else flat_in_image(runs.first, kept, plan.grid.shape),
        strips=None
        if plan.keeps_ids
        else {
            name: runs.labels[relative(region, kept)].astype(runs.values.dtype)
            for name, region in strips_of(plan.grid, tile, overlapping=plan.owning)
        },
        values=runs.values,
        lengths=runs.lengths,
    )
    if plan.owning:
        core_area, margin = weights(runs.labels, count, tile, plan.grid)
        return record._replace(core_area=core_area, margin=margin)
    return record if inside is None else record._replace(facts=facts_of(plan, tile, runs.labels, count, inside))


def _pixels(plan: Plan, tile: Tile) -> tuple[NDArray[Any], int]:
    """What the segmenter is handed of the image, and the tile's guard but for its given labels."""
    note("read", [tile.number])
    return guarded(plan, plan.seen(tile), plan.axes, lambda _: tile_text(plan, tile))


def _given(plan: Plan, tile: Tile) -> tuple[Given, list[int]]:
    """The given labels over what a tile sees, in the segmenter's spatial axes, by name, and their guards."""
    seen, axes = plan.seen(tile), spatial(plan.axes)
    read = {name: each.read(seen, lambda _: tile_text(plan, tile), axes) for name, each in plan.given.items()}
    return {name: labels.astype(np.uint64) for name, (labels, _) in read.items()}, [guard for _, guard in read.values()]


def _with_given(guard: int, given: Sequence[int]) -> int:
    """The guard of a tile's pixels together with those of given labels."""
    return combined([guard, *given]) if given else guard


def _labels(plan: Plan, tile: Tile, pixels: NDArray[Any] | None, given: Given) -> list[NDArray[Any]] | None:
    """Hand a tile to the segmenter, once, and return its outputs over the outer region, in the grid's axes.

    None if the tile is empty. NaN is not above anything, and does not hide what is.
    """
    if plan.empty is not None and pixels is not None and not (pixels > plan.empty).any():
        return None
    note("segment", [tile.number])
    try:
        labels, shape = _called(plan, tile, pixels, given)
    except KeyboardInterrupt:
        raise
    except ImportError as error:  # the same for every tile, so no tile is at fault
        who = whose("segmenter", plan.segmenter)
        raise ComponentFailed(f"{who} cannot import what it needs: {describe(error)}") from error
    except BaseException as error:  # SystemExit and panics too, which would end the process without a word
        raise SegmenterFailed(f"{_blame(plan, tile)} raised {describe(error)}") from error
    try:
        outputs = checked_outputs(labels, shape, plan.outputs)
    except InvalidLabels as error:
        raise InvalidLabels(f"{_blame(plan, tile)} {error}") from error.__cause__
    return [_of_outer(plan, tile, each) for each in outputs]


def _of_outer(plan: Plan, tile: Tile, labels: NDArray[Any]) -> NDArray[Any]:
    """Labels of the outer region in the grid's axes, from those of what the tile sees in the segmenter's."""
    seen = plan.seen(tile)
    labels = labels.transpose(plan.order).reshape(lengths(seen))
    return labels if seen == tile.outer else np.ascontiguousarray(labels[relative(tile.outer, seen)])


def _called(plan: Plan, tile: Tile, pixels: NDArray[Any] | None, given: Given) -> tuple[Any, tuple[int, ...]]:
    """What the segmenter returns, and the shape that it has to have; a network decodes what was said of windows."""
    segmenter = plan.segmenter
    if pixels is not None and not (given or plan.located or plan.windows):  # most segmenters, which need no place
        return segmenter(pixels), tuple(n for n, axis in zip(pixels.shape, plan.axes, strict=True) if axis != "c")
    place = _place(plan, tile)
    if plan.windows:
        from .predict import maps_of  # most segmenters are not networks

        with_given = {"given": given} if given else {}
        labels = segmenter.decode(maps_of(plan, tile), place, **with_given)  # type: ignore[attr-defined]  # a network
    elif given:
        labels = segmenter(pixels, given=given, **({"place": place} if plan.located else {}))
    else:
        labels = segmenter(pixels, place)
    return labels, lengths(place.region)


def _place(plan: Plan, tile: Tile) -> Placement:
    """Where what the segmenter is handed lies, in its axes."""
    along = zip(plan.seen(tile), plan.grid.shape, tile.core, strict=True)
    parts, missing = dict(zip(plan.grid.axes, along, strict=True)), (slice(0, 1), 1, slice(0, 1))
    axes = spatial(plan.axes)
    region, shape, core = zip(*(parts.get(axis, missing) for axis in axes), strict=True)
    return Placement(axes=axes, region=region, shape=shape, core=core, t=parts.get("t", missing)[0].start)


def _blame(plan: Plan, tile: Tile) -> str:
    return f"{whose('segmenter', plan.segmenter)}, {tile_text(plan, tile)}:"


def tile_text(plan: Plan, tile: Tile) -> str:
    """`tile (0, 1) (y 0:64, x 64:128)`: a tile's place among the tiles, and its outer region."""
    spans = zip(plan.grid.axes, tile.outer, strict=True)
    return f"tile {tile.index} ({', '.join(f'{axis} {part.start}:{part.stop}' for axis, part in spans)})"


def _record(plan: Plan, tile: Tile, record: TileRecord, part: int = 0) -> Recorded:
    """Append a tile's record. Of a further output without objects there is none."""
    objects, skipped, guard = map(int, record.head)
    place = keep(plan.checkpoint, part * PART + tile.number, record) if objects or not part else NOWHERE
    return Recorded(tile.number, place, objects, skipped, guard)


def _ids(labels: NDArray[Any], runs: Runs) -> NDArray[np.uint64]:
    """The segmenter's own id of each object."""
    return labels.ravel()[runs.first].astype(np.uint64)


def _core_runs(plan: Plan, tile: Tile, labels: NDArray[Any]) -> Runs:
    """The objects of a tile's core.

    The outer pixels of a halo, or of the context, lack context themselves, so what a segmenter joined through them may
    not be joined: an object whose parts in the core do not touch there is taken apart. Its parts find each other across
    the seams if they do touch. Not so if ids are kept: parts of one id may lie apart.
    """
    runs = Runs.of(labels[tile.inner])
    if not len(runs.first) or plan.keeps_ids or plan.seen(tile) == tile.core:
        return runs
    from scipy import ndimage  # a third of a second that a run without halos need not wait for

    structure = ndimage.generate_binary_structure(runs.labels.ndim, plan.connectivity)
    part, count = ndimage.label(runs.labels > 0, structure)
    apart = Runs.of(np.where(part, runs.labels * np.int64(count + 1) + part, 0))
    return apart if len(apart.first) > len(runs.first) else runs


def _small(counts: NDArray[Any]) -> NDArray[Any]:
    return counts.astype(smallest_dtype(int(counts.max(initial=0))))
