"""The step that joins: the merger is shown every seam, in parallel, and what it says is recorded."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...abc.merger import Seam
from ...components.blame import blamed, whose
from ...errors import InvalidLabels
from ...tiling.grid import Tile
from ...tiling.regions import Region, common, lengths, relative
from ...tiling.strips import facing, strip, strip_names
from ..checkpoint.records import Recorded, SeamRecord, Strips, keep
from ..plan import Plan

__all__ = ["join", "strip_part"]

Ints = NDArray[np.signedinteger[Any]]
Kept = dict[int, Strips | None]


def join(plan: Plan, numbers: Sequence[int]) -> list[Recorded]:
    """Show the merger every seam between these tiles and those after them; record what it says.

    A seam of which one side is all background is not shown: there is nothing that could be said of it.
    """
    judged = _many if plan.joining.batches and plan.joining.diagonals == 1 else _one_by_one
    done = []
    for number, found in judged(plan, numbers):
        pairs = np.concatenate(found) if found else np.zeros((0, 3), np.int64)
        place = keep(plan.checkpoint, number, SeamRecord(pairs=pairs, basis=np.array(plan.basis)))
        done.append(Recorded(number, place, len(pairs)))
    return done


def _one_by_one(plan: Plan, numbers: Sequence[int]) -> Iterator[tuple[int, list[Ints]]]:
    """For each tile what the merger says of its seams, of which one is in memory at a time."""
    offsets, kept = _offsets(plan), Kept.fromkeys(numbers)
    for number in numbers:
        yield number, [_judge(plan, seam) for seam in _seams(plan, plan.grid[number], offsets, kept)]
        del kept[number]


def _many(plan: Plan, numbers: Sequence[int]) -> Iterator[tuple[int, list[Ints]]]:
    """The same from a merger that judges the faces of all these tiles in one go."""
    ends, faces = [], []
    for ends_of_face, labels in _faces(plan, numbers):
        ends.append(ends_of_face)
        faces.append(labels)
    with blamed("merger", plan.merger, f"judging {len(faces):,} faces"):
        rows = plan.merger.many(faces)  # type: ignore[attr-defined]  # its traits say that it has it
    lower, upper = np.array(ends, np.int64).reshape(-1, 2)[rows[:, 0]].T
    rows = np.column_stack([upper, rows[:, 1:]])
    stops = np.searchsorted(lower, numbers, side="right")
    return zip(numbers, ([part] for part in np.split(rows, stops[:-1])), strict=True)


def _faces(plan: Plan, numbers: Sequence[int]) -> Iterator[tuple[tuple[int, int], tuple[NDArray[Any], NDArray[Any]]]]:
    """Faces that these tiles share with those after them, where the first has objects: both tiles, and their labels."""
    grid, objects = plan.grid, plan.tiles.objects
    kept = {number: plan.tiles.strips(number, *strip_names(grid)) for number in numbers}
    for number in numbers:
        for axis, (letter, count) in enumerate(zip(grid.axes, grid.counts, strict=True)):
            step = math.prod(grid.counts[axis + 1 :])
            upper = number + step
            if letter in grid.separate or number // step % count == count - 1 or not objects[upper]:
                continue
            here = kept[number][letter + "+"]
            if here.any():
                there = (kept.get(upper) or plan.tiles.strips(upper, letter + "-"))[letter + "-"]
                yield (number, upper), (here, there)


def _offsets(plan: Plan) -> list[tuple[int, ...]]:
    """The steps from a tile to those after it in raster order with which it may have a seam."""
    grid = plan.grid
    reach = grid.reach if plan.owning else tuple(int(axis not in grid.separate) for axis in grid.axes)
    diagonals = len(grid.axes) if plan.joining.diagonals is None else plan.joining.diagonals
    steps = itertools.product(*(range(-most, most + 1) for most in reach))
    return [step for step in steps if step > (0,) * len(step) and sum(map(bool, step)) <= diagonals]


def _seams(plan: Plan, tile: Tile, offsets: Sequence[tuple[int, ...]], kept: Kept) -> Iterator[Seam]:
    grid, objects = plan.grid, plan.tiles.objects
    if not objects[tile.number]:
        return
    for offset in offsets:
        at = [i + step for i, step in zip(tile.index, offset, strict=True)]
        if all(0 <= i < count for i, count in zip(at, grid.counts, strict=True)) and objects[grid.number(at)]:
            seam = _seam(plan, tile, grid.at(at), offset, kept)
            if seam is not None:
                yield seam


def _seam(plan: Plan, lower: Tile, upper: Tile, offset: tuple[int, ...], kept: Kept) -> Seam | None:
    back = tuple(-step for step in offset)
    region = common(lower.outer, upper.outer) if plan.owning else None
    if plan.owning and region is None:
        return None
    here = strip_part(plan, lower, offset, region or facing(lower, offset), kept)
    if not here.any():
        return None
    there = strip_part(plan, upper, back, region or facing(upper, back), kept)
    if not there.any():
        return None
    return Seam(lower=lower, upper=upper, offset=offset, labels=(here, there), region=region)


def strip_part(plan: Plan, tile: Tile, offset: Sequence[int], region: Region, kept: Kept) -> NDArray[Any]:
    """A part of a tile's labels that lies in the strips towards an offset; the smallest is read.

    kept: the tiles whose strips are all read, and only once, because they are needed for more than one seam.
    """
    regions = {}
    for axis, step in enumerate(offset):
        if step:
            name = plan.grid.axes[axis] + ("+" if step > 0 else "-")
            regions[name] = strip(plan.grid, tile, axis, 1 if step > 0 else -1, overlapping=plan.owning)
    name = min(regions, key=lambda each: math.prod(lengths(regions[each])))
    found = kept.get(tile.number)
    if found is None and tile.number in kept:
        found = kept[tile.number] = plan.tiles.strips(tile.number, *strip_names(plan.grid))
    return (found or plan.tiles.strips(tile.number, name))[name][relative(region, regions[name])]


def _judge(plan: Plan, seam: Seam) -> Ints:
    """What the merger says of a seam, as rows of upper tile, label in lower, label in upper, and what it adds."""
    columns = 5 if plan.owning else 2
    with blamed("merger", plan.merger, f"judging the seam of tiles {seam.lower.index} and {seam.upper.index}"):
        answer = plan.merger(seam)
    try:
        said = np.asarray(answer)
    except ValueError:  # rows of unequal length
        said = np.array(None)
    if said.shape == (0,):
        said = np.zeros((0, columns), np.int64)  # an empty list
    if said.ndim != 2 or said.shape[1] != columns or said.dtype.kind not in "iu":
        raise InvalidLabels(
            f"{whose('merger', plan.merger)} returned {type(answer).__name__} of {said.dtype} and shape "
            f"{said.shape} for the seam of tiles {seam.lower.index} and {seam.upper.index}; it must return whole "
            f"numbers of shape (n, {columns})"
        )
    for side, labels in enumerate(seam.labels):
        if len(said) and not (said[:, side].min() > 0 and said[:, side].max() <= labels.max()):
            raise InvalidLabels(
                f"{whose('merger', plan.merger)} named a label that is not on the seam of tiles "
                f"{seam.lower.index} and {seam.upper.index}"
            )
    return _rows(seam, said)


def _rows(seam: Seam, said: Ints) -> Ints:
    return np.column_stack([np.full(len(said), seam.upper.number), said]).astype(np.int64)
