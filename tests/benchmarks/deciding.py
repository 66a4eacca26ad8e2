"""Ownership alone, simulated: what deciding ten million copies of ten thousand tiles takes.

    python tests/benchmarks/deciding.py --copies 10_000_000

Each tile has a thousand copies, of which a hundred share pixels with copies of the tile to the right and a hundred with
copies of the one below, in chains. It prints the seconds and the process's peak memory.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tilewright import Overlap, TileGrid
from tilewright.abc import MergerTraits
from tilewright.engine.checkpoint.records import Recorded, SeamRecord, TileRecord, keep
from tilewright.engine.checkpoint.tables import Table
from tilewright.engine.plan import Plan
from tilewright.engine.steps.decide import blocks, decide
from tilewright.engine.workers.crew import crew
from tilewright.io.source import Source

COPIES, SHARED = 1000, 100  # of a tile, of a seam


def main(copies: int, workers: int) -> None:
    side = round((copies / COPIES) ** 0.5)
    grid = TileGrid.regular("yx", shape=(side * 1024,) * 2, tile=(1024, 1024), halo=(32, 32))
    with tempfile.TemporaryDirectory() as folder, crew(workers) as hands:
        path = Path(folder)
        plan = Plan(
            source=Source(),
            grid=grid,
            segmenter=len,
            merger=Overlap(),
            joining=MergerTraits(owns=True),
            context=(0, 0),
            checkpoint_path=path,
            workdir=path,
        )
        _make(plan)
        before = _peak()
        start = time.perf_counter()
        for _ in hands.each(decide, plan, blocks(grid, plan.tiles.objects), path):
            pass
        took = time.perf_counter() - start
    print(
        f"{len(grid) * COPIES:,} copies, {workers} workers: {took:.1f} s, peak {_peak():.2f} GiB ({before:.2f} before)"
    )


def _make(plan: Plan) -> None:
    """Record what the steps before would have."""
    grid, random = plan.grid, np.random.default_rng(0)
    tiles, seams = {}, {}
    for tile in grid:
        area = random.integers(200, 600, COPIES)
        margin = np.where(random.random(COPIES) < 0.1, random.integers(0, 20, COPIES), np.iinfo(np.int64).max)
        core_area = (area * random.random(COPIES)).astype(np.int64)
        record = TileRecord(head=np.array([COPIES, 0, 0]), area=area, core_area=core_area, margin=margin)
        tiles[tile.number] = Recorded(tile.number, keep(plan.checkpoint, tile.number, record), COPIES)
        pairs = np.concatenate(
            [np.zeros((0, 6), np.int64), *(_pairs(grid, tile.index, step) for step in ((0, 1), (1, 0)))]
        )
        place = keep(plan.checkpoint, tile.number, SeamRecord(pairs=pairs, basis=np.array(0)))
        seams[tile.number] = Recorded(tile.number, place, len(pairs))
    for name, recorded in (("tiles", tiles), ("seams", seams)):
        Table.of(plan.checkpoint, recorded, len(grid)).save(name)


def _pairs(grid: TileGrid, index: Sequence[int], step: Sequence[int]) -> np.ndarray:
    """Rows of a seam: the i-th copy on it with the i-th of the other side, and a little with the next."""
    at = [i + s for i, s in zip(index, step, strict=True)]
    if any(i >= count for i, count in zip(at, grid.counts, strict=True)):
        return np.zeros((0, 6), np.int64)
    first = 1 + SHARED * 2 * step[0]
    labels = np.arange(first, first + SHARED)
    same = np.column_stack([labels, labels + SHARED, np.full((SHARED, 3), 180)])
    beside = np.column_stack([labels[:-1], labels[1:] + SHARED, np.full(SHARED - 1, 9), np.full((SHARED - 1, 2), 180)])
    rows = np.concatenate([same, beside])
    return np.column_stack([np.full(len(rows), grid.number(at)), rows])


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Simulate the decision between the copies of a very large run.")
    parser.add_argument("--copies", type=int, default=10_000_000)
    parser.add_argument("--workers", type=int, default=2)
    said = parser.parse_args()
    main(said.copies, said.workers)
