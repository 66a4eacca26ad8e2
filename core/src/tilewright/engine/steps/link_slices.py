"""The step that links slices: what lies on the same pixels of consecutive slices is counted, then decided at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...labels.objects import Objects, united
from ...labels.pairs import count_pairs
from ...labels.slices import chains
from ...tiling.grid import TileGrid
from ..checkpoint.records import LinkRecord, Recorded, keep
from ..plan import Plan

__all__ = ["below", "link", "stacked", "step"]

Ints = NDArray[np.signedinteger[Any]]


def step(grid: TileGrid) -> int:
    """How many tiles further on the tile at the same place of the next slice is."""
    return math.prod(grid.counts[grid.axes.index("z") + 1 :])


def below(grid: TileGrid, objects: Ints) -> list[int]:
    """The tiles with objects whose place in the next slice has objects too; `objects` counts them by tile."""
    further = step(grid)
    numbers = np.flatnonzero(objects[: len(objects) - further])
    last = numbers // further % grid.counts[grid.axes.index("z")] == grid.counts[grid.axes.index("z")] - 1
    found: list[int] = numbers[~last & (objects[numbers + further] > 0)].tolist()
    return found


def link(plan: Plan, numbers: Sequence[int]) -> list[Recorded]:
    """Record which objects of these tiles' cores share pixels with which of the next slice, and how many."""
    pieces, done = plan.pieces, []
    for number in numbers:
        other = number + step(plan.grid)
        slices = (pieces.labels(tile, plan.grid[tile].core) for tile in (number, other))
        counts = count_pairs(*slices)
        counts = counts[(counts[:, :2] > 0).all(axis=1)]
        pairs = np.column_stack([np.full(len(counts), other), counts])
        place = keep(plan.checkpoint, number, LinkRecord(pairs=pairs, basis=np.array(plan.basis)))
        done.append(Recorded(number, place, len(pairs)))
    return done


def stacked(objects: Objects, pairs: Ints, grid: TileGrid, least: float) -> Objects:
    """The objects with those of consecutive slices united that are one, by the pixels that their pieces share."""
    group = objects.group.astype(np.int64)
    area, first = np.zeros(len(group), np.int64), objects.first.copy()
    np.add.at(area, group, objects.area)
    np.minimum.at(first, group, objects.first)
    lower, upper = group[pairs[:, 0]], group[pairs[:, 1]]
    axis = grid.axes.index("z")
    z = first[lower] // math.prod(grid.shape[axis + 1 :]) % grid.shape[axis]
    chain = chains(lower, upper, pairs[:, 2], z, area, first, least)
    pieces, linked = (np.flatnonzero(each != np.arange(len(group))) for each in (group, chain))
    ends = np.concatenate([pieces, linked]), np.concatenate([group[pieces], chain[linked]])
    return Objects(group=united(len(group), *ends), first=objects.first, area=objects.area)
