"""How long measuring takes beside counting the pixels: ratios to a numpy bincount of count and one sum, in one run.

    python plugins/measure/benchmarks/speed.py [--runs 5] [--threads 2]

20,000 objects in 4096² pixels, uint16. Blocks of rows are measured in threads, put together and finished, all of which
counts. Reading the blocks and numbering their labels does not: a run does it once for all measurers. Bars are what the
ratios are held to.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[3] / "tests" / "support"))

from in_blocks import facts_of

from tilewright.abc import Block, Placement, merged
from tilewright_measure.intensity import Intensity
from tilewright_measure.size import Size

N, OBJECTS, ROWS = 4096, 20_000, 512
SUMS = ("num_pixels", "area", "bbox", "centroid", "inertia_tensor", "axis_major_length", "orientation")
BOUNDARY = ("perimeter", "perimeter_crofton", "euler_number")

CASES = {
    "sums, extrema, second moments, one channel": (2, [Size(properties=SUMS), Intensity()]),
    "and third moments, Hu": (3, [Size(properties=(*SUMS, "moments_hu")), Intensity()]),
    "and perimeter, Crofton, Euler": (6, [Size(properties=(*SUMS, "moments_hu", *BOUNDARY)), Intensity()]),
    "and convex area, Feret": (16, [Size(properties=(*SUMS, "moments_hu", *BOUNDARY, "hull")), Intensity()]),
    "median, beside sums": (None, [Size(properties=SUMS), Intensity(properties=("intensity_median",))]),
}


def objects():
    """Round objects of several sizes on a grid, some of which touch."""
    side = int(np.ceil(np.sqrt(OBJECTS)))
    y, x = np.mgrid[:N, :N]
    step = N / side
    row, column = np.minimum(y / step, side - 1).astype(int), np.minimum(x / step, side - 1).astype(int)
    number = row * side + column
    radius = np.random.default_rng(0).uniform(0.25, 0.6, side**2)[number] * step
    inside = np.hypot(y - (row + 0.5) * step, x - (column + 0.5) * step) < radius
    return np.where(inside & (number < OBJECTS), number + 1, 0).astype(np.intp)


def measure(measurers, blocks, threads):
    facts = blocks[0].facts
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(lambda block: (_index(block), [each.partial(block) for each in measurers]), blocks))
        wholes = [
            {
                name: merged(quantity, [(index, values[k][name]) for index, values in parts], OBJECTS)
                for name, quantity in each.quantities(facts).items()
            }
            for k, each in enumerate(measurers)
        ]
        list(pool.map(lambda pair: pair[0].finish(pair[1], facts), zip(measurers, wholes, strict=True)))


def _index(block):
    return block.ids[: block.n].astype(np.intp) - 1


def blocks_of(labels, pixels, halo):
    facts, blocks = facts_of(labels, pixels), []
    for start in range(0, N, ROWS):
        region = (slice(max(0, start - halo), min(N, start + ROWS + halo)), slice(0, N))
        core = (slice(start - region[0].start, start - region[0].start + ROWS), slice(0, N))
        place = Placement(axes="yx", region=region, shape=(N, N))
        blocks.append(Block.of(labels[region], core=core, place=place, facts=facts, pixels=pixels[:, *region]))
    return blocks


def seconds(work: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    labels = objects()
    pixels = np.random.default_rng(1).integers(100, 4000, (1, N, N)).astype(np.uint16)
    flat, weights = labels.ravel(), pixels.ravel()
    floor = seconds(lambda: (np.bincount(flat), np.bincount(flat, weights)), options.runs)
    print(f"{'bincount of count and one sum, one thread':45s} {floor:7.3f} s      1.0")
    blocks = blocks_of(labels, pixels, halo=2)
    for name, (bar, measurers) in CASES.items():
        took = seconds(lambda these=measurers: measure(these, blocks, options.threads), options.runs)
        print(f"{name:45s} {took:7.3f} s {took / floor:8.1f}" + (f"   (bar {bar})" if bar else ""))


if __name__ == "__main__":
    main()
