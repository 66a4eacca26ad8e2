"""The step that predicts: each window of a network is read and predicted once, and its maps are kept for the tiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...abc.maps import cropped, joined, window_of
from ...abc.network import PLACE, Maps, Prediction, Window
from ...components.blame import whose
from ...components.isolation import describe
from ...errors import ComponentFailed, InvalidLabels, SegmenterFailed
from ...tiling.axes import spatial
from ...tiling.grid import Tile
from ...tiling.regions import Region
from ...tiling.windows import WindowGrid
from ..checkpoint.records import Recorded
from ..checkpoint.traces import note
from ..lookahead import task_of
from ..plan import Plan
from ..reading import combined, digest_of, guard_of, pixels_together
from .attempts import NOWHERE, attempted

__all__ = ["batch_guards", "maps_of", "predict"]

CELL = {1: 2**16, 2: 2**8, 3: 2**6}  # by the windows' dimensions, pixels along each axis of the cells of a table


def predict(plan: Plan, batch: int) -> Recorded:
    """Predict the windows of a batch, unless it is kept and its pixels are what they were.

    The record's `objects` counts the windows that went through the network. What fails is tried again as tiles are.
    """

    def work() -> Recorded:
        return Recorded(batch, NOWHERE, _predicted_windows(plan, batch))

    recorded = attempted(batch, work, retries=plan.retries, on_error=plan.on_error)
    if recorded.failed:
        plan.predictions.fail(batch, recorded.failed)
    return recorded._replace(number=task_of(batch))


def _predicted_windows(plan: Plan, batch: int) -> int:
    """Predict a batch, and return how many windows went through the network."""
    which, numbers = plan.batches.windows(batch)
    grid = plan.batches.grids[which]
    kept = plan.predictions.guard(batch)
    if kept is not None and not plan.digests and kept == _guard(plan, batch):
        return 0
    known = [guard_of(plan, grid.region(number)) for number in numbers]  # before the pixels are read
    note("read", [task_of(batch)])
    pixels = _pixels(plan, grid, numbers)
    windows = {number: window_of(grid, number, each) for number, each in zip(numbers, pixels, strict=True)}
    guard = combined([n + digest_of(plan, w.pixels) for n, w in zip(known, windows.values(), strict=True)])
    if kept == guard:
        return 0
    if plan.empty is not None:
        windows = {number: each for number, each in windows.items() if (each.pixels > plan.empty).any()}
    note("predict", [task_of(batch)])
    arrays = {
        f"{number} {name}": array
        for number, said in _predicted(plan, grid, which, windows)
        for name, array in _in_cells(grid, said, plan.predicts).items()
    }
    plan.predictions.write(batch, guard, arrays)
    return len(windows)


def batch_guards(plan: Plan, batches: Sequence[int]) -> list[tuple[int, int]]:
    """The guards of batches as the pixels of their windows are now."""
    return [(batch, _guard(plan, batch)) for batch in batches]


def maps_of(plan: Plan, tile: Tile) -> list[Maps]:
    """What was said of all that a tile's labels are decoded from, for each set of windows."""
    region = plan.seen(tile)
    return [
        joined(grid, _kept(plan, which, grid, region), region, spatial(plan.axes), plan.predicts)
        for which, grid in enumerate(plan.batches.grids)
    ]


def _guard(plan: Plan, batch: int) -> int:
    """The guard of a batch's windows as their pixels are now; read where nothing else tells of a change."""
    which, numbers = plan.batches.windows(batch)
    grid = plan.batches.grids[which]
    known = [guard_of(plan, grid.region(number)) for number in numbers]
    if not plan.digests:
        return combined(known)
    pixels = _pixels(plan, grid, numbers)
    return combined([n + digest_of(plan, each) for n, each in zip(known, pixels, strict=True)])


def _pixels(plan: Plan, grid: WindowGrid, numbers: Sequence[int]) -> Iterator[NDArray[Any]]:
    """The pixels of some windows, in the windows' axes after `c`."""
    axes = ("c" if "c" in plan.axes else "") + grid.windows.axes
    regions = [grid.region(number) for number in numbers]
    return pixels_together(plan, regions, axes, partial(_windows_text, grid))


def _windows_text(grid: WindowGrid, region: Region) -> str:
    spans = (f"{axis} {part.start}:{part.stop}" for axis, part in zip(grid.axes, region, strict=True))
    return f"windows in {', '.join(spans)}"


def _predicted(
    plan: Plan, grid: WindowGrid, which: int, windows: Mapping[int, Window]
) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
    if not windows:
        return
    numbers = list(windows)
    who = f"{whose('segmenter', plan.segmenter)}, windows {numbers[0]} to {numbers[-1]} of set {which}:"
    try:
        said = plan.network.predict(list(windows.values()), which)
    except KeyboardInterrupt:
        raise
    except ImportError as error:  # the same for every window
        raise ComponentFailed(f"{who} cannot import what it needs: {describe(error)}") from error
    except BaseException as error:  # SystemExit and panics too
        raise SegmenterFailed(f"{who} raised {describe(error)}") from error
    if len(said) != len(windows):
        raise InvalidLabels(f"{who} predict returned {len(said)} entries for {len(windows)} windows")
    for number, each in zip(numbers, said, strict=True):
        try:
            yield number, cropped(grid, number, each, plan.predicts)
        except InvalidLabels as error:
            raise InvalidLabels(f"{who} {error}") from error.__cause__


def _in_cells(
    grid: WindowGrid, arrays: Mapping[str, NDArray[Any]], predictions: Mapping[str, Prediction]
) -> dict[str, NDArray[Any]]:
    """A window's arrays, with each table cut by the cells in which its rows lie: of a large window a tile reads few."""
    if PLACE not in arrays:
        return dict(arrays)
    side, counts = _cells(grid)
    cells = np.ravel_multi_index(tuple((arrays[PLACE] // side).astype(np.int64).T), counts)
    order = np.argsort(cells, kind="stable")
    there, first = np.unique(cells[order], return_index=True)
    parted = {name: array for name, array in arrays.items() if not predictions[name].rows}
    for name in arrays.keys() - parted.keys():
        parts = np.split(arrays[name][order], first[1:])
        parted |= {f"{name} {cell}": part for cell, part in zip(there, parts, strict=False)}  # no cells, one empty part
    return parted


def _kept(plan: Plan, which: int, grid: WindowGrid, region: Region) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
    """What is kept of the windows that meet a region, in ascending order; of empty ones there are no maps."""
    side, counts = _cells(grid)
    space = dict(zip(grid.axes, grid.space(region), strict=True))
    along = [range(space[axis].start // side, -(-space[axis].stop // side)) for axis in grid.windows.axes]
    cells = np.ravel_multi_index(np.ix_(*along), counts).ravel().tolist()
    keys = {name: [f"{name} {cell}" for cell in cells] if p.rows else [name] for name, p in plan.predicts.items()}
    numbers = grid.meeting(region)
    batches = plan.batches.of(which, numbers)
    for batch in np.unique(batches):
        own = numbers[batches == batch].tolist()
        names = [f"{number} {key}" for number in own for several in keys.values() for key in several]
        arrays = plan.predictions.read(int(batch), names)
        for number in own:
            parts = {name: [arrays[k] for key in keys[name] if (k := f"{number} {key}") in arrays] for name in keys}
            if all(parts[name] for name, each in plan.predicts.items() if not each.rows):
                yield number, {name: _whole(plan.predicts[name], each) for name, each in parts.items()}


def _whole(prediction: Prediction, parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """A map, which is kept in one part, or a table, of which there may be none."""
    if not prediction.rows:
        return parts[0]
    return np.concatenate([np.zeros((0, prediction.channels), prediction.dtype), *parts])


def _cells(grid: WindowGrid) -> tuple[int, tuple[int, ...]]:
    """The side of the cells of the windows' space, and how many lie along each of its axes."""
    side = CELL[len(grid.windows.axes)]
    return side, tuple(-(-length // side) for length in grid.windows.shape)
