"""The labels of a part of an image as a run gives them, without the rest of the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tiling.regions import Region, lengths
from .checkpoint.predictions import PREDICTIONS
from .plan import Plan
from .run import Run
from .steps.write import assembled
from .workers.crew import threads

__all__ = ["labels_of", "tiles_of"]


def labels_of(plan: Plan, region: Region, workers: int) -> NDArray[np.unsignedinteger[Any]]:
    """The labels of a region along the grid's axes; of a segmenter with several outputs, those of the first.

    Objects have numbers of their own; the pixels of each, and which pixels are background, are those of a run. Where
    the plan keeps predictions, they are left in their folder, and those that are there are used.
    """
    with TemporaryDirectory(prefix="tilewright-") as name, threads(workers) as crew:
        folder = Path(name)
        here = replace(plan, checkpoint_path=folder, workdir=folder, wanted=tiles_of(plan, region))
        if not plan.keep_predictions:
            here = replace(here, predictions_path=folder / PREDICTIONS)
        plans = [here, *(here.output(part, folder) for part in range(1, len(plan.outputs)))]
        runs = [Run(plan=each, crew=crew, partial=True) for each in plans]
        first = runs[0]
        try:
            first.segment(runs[1:])
            dtype = first.join().dtype
            labels = assembled(first.plan, region, dtype, first.plan.pieces, first.plan.checkpoint.load("numbers"))
        finally:
            for made in (*plans, *(run.plan for run in runs)):
                made.checkpoint.close()
    return np.zeros(lengths(region), dtype) if labels is None else labels


def tiles_of(plan: Plan, region: Region) -> tuple[int, ...]:
    """The numbers, ascending, of the tiles on which the labels of a region depend.

    These are the tiles that the region meets. With a merger that says which tile draws an object, those that see part
    of what these see are among them. With `min_size` it is the next ones: an object that goes through one of them has
    as many pixels as it is wide.
    """
    grid = plan.grid
    near = grid.reach if plan.owning else (0,) * len(grid.axes)
    if plan.min_size:
        joining = (int(axis not in grid.separate) for axis in grid.axes)
        near = tuple(max(steps) for steps in zip(near, joining, strict=True))
    tiles = {other.number for tile in grid.touching(region) for _, other in grid.around(tile, near)}
    return tuple(sorted(tiles.difference(grid.left_out)))
