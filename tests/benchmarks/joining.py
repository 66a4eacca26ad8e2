"""The join alone, simulated: what numbering a hundred million labels of a million tiles takes.

    python tests/benchmarks/joining.py --labels 100_000_000 --pairs 20_000_000

The pairs join random neighbours, so that chains of them form; the first pixels are all different. It prints the seconds
and the process's peak memory, for the union and for the numbering.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from tilewright.labels.objects import Objects, numbered, united


def main(labels: int, pairs: int) -> None:
    random = np.random.default_rng(0)
    lower = random.integers(0, labels - 1000, pairs)
    upper = lower + random.integers(1, 1000, pairs)
    first = random.permutation(labels) * 7
    start = time.perf_counter()
    group = united(labels, lower, upper)
    union = time.perf_counter()
    del lower, upper
    _, count = numbered(Objects(group=group, first=first, area=first[:0]), 0)
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{labels:,} labels, {pairs:,} pairs -> {count:,} objects")
    print(f"union {union - start:.1f} s, numbering {end - union:.1f} s, peak {peak:.2f} GiB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Simulate the join of a very large run.")
    parser.add_argument("--labels", type=int, default=100_000_000)
    parser.add_argument("--pairs", type=int, default=20_000_000)
    arguments = parser.parse_args()
    main(arguments.labels, arguments.pairs)
