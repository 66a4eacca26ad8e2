"""The step that predicts: each window of a network is read and predicted once, and its maps are kept for the tiles."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...abc.maps import cropped, joined, window_of
from ...abc.network import Maps, Window
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
from .attempts import NOWHERE, attempted
from .reading import digest_of, guard_of, pixels_of

__all__ = ["maps_of", "predict"]


def predict(plan: Plan, batch: int) -> Recorded:
    """Predict the windows of a batch, unless it is kept and its pixels are what they were.

    The record's `objects` counts the windows that went through the network. What fails is tried again as tiles are.
    """
    recorded = attempted(plan, batch, lambda: Recorded(batch, NOWHERE, _predicted_windows(plan, batch)))
    if recorded.failed:
        plan.predictions.fail(batch, recorded.failed)
    return recorded._replace(number=task_of(batch))


def _predicted_windows(plan: Plan, batch: int) -> int:
    """Predict a batch, and return how many windows went through the network."""
    which, numbers = plan.batches.windows(batch)
    grid = plan.batches.grids[which]
    regions = [grid.region(number) for number in numbers]
    known = [guard_of(plan, region) for region in regions]  # before the pixels are read
    kept = plan.predictions.guard(batch)
    if kept is not None and not plan.digests and kept == _combined(known):
        return 0
    axes = ("c" if "c" in plan.axes else "") + grid.windows.axes

    def read(region: Region) -> NDArray[Any]:
        return pixels_of(plan, region, axes, f"window {region}")

    note("read", [task_of(batch)])
    windows = {number: window_of(grid, number, read) for number in numbers}
    guard = _combined([n + digest_of(plan, w.pixels) for n, w in zip(known, windows.values(), strict=True)])
    if kept == guard:
        return 0
    if plan.empty is not None:
        windows = {number: each for number, each in windows.items() if (each.pixels > plan.empty).any()}
    note("predict", [task_of(batch)])
    arrays = {
        f"{number} {name}": array
        for number, said in _predicted(plan, grid, which, windows)
        for name, array in said.items()
    }
    plan.predictions.write(batch, guard, arrays)
    return len(windows)


def maps_of(plan: Plan, tile: Tile) -> list[Maps]:
    """What was said of all that a tile's labels are decoded from, for each set of windows."""
    region = plan.seen(tile)
    return [
        joined(grid, _kept(plan, which, grid, region), region, spatial(plan.axes), plan.predicts)
        for which, grid in enumerate(plan.batches.grids)
    ]


def _predicted(
    plan: Plan, grid: WindowGrid, which: int, windows: Mapping[int, Window]
) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
    if not windows:
        return
    numbers = list(windows)
    who = f"{whose('segmenter', plan.segmenter)}, windows {numbers[0]} to {numbers[-1]} of set {which}:"
    try:
        said = plan.segmenter.predict(list(windows.values()), which)  # type: ignore[attr-defined]  # it is a network
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


def _kept(plan: Plan, which: int, grid: WindowGrid, region: Region) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
    """What is kept of the windows that meet a region, in ascending order; of empty ones there is nothing."""
    numbers = grid.meeting(region)
    batches = plan.batches.of(which, numbers)
    for batch in np.unique(batches):
        own = numbers[batches == batch].tolist()
        names = {number: [f"{number} {name}" for name in plan.predicts] for number in own}
        arrays = plan.predictions.read(int(batch), [each for several in names.values() for each in several])
        for number, keys in names.items():
            if keys[0] in arrays:
                yield number, {name: arrays[key] for name, key in zip(plan.predicts, keys, strict=True)}


def _combined(guards: Sequence[int]) -> int:
    return int.from_bytes(hashlib.blake2b(repr(guards).encode(), digest_size=7).digest(), "big")
