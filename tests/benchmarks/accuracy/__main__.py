"""Print how well each rule joins what tiles saw: `python tests/benchmarks/accuracy [--seeds 5]` (some five minutes).

Simulated cells of 1536² in tiles of 256 with a halo of 48, segmented by one that errs differently in every crop. All
figures are means over the seeds. "untiled" is the same segmenter on the whole image: what no rule can be blamed for.
"""

from __future__ import annotations

import argparse

import numpy as np
from rules import RULES, Views
from scoring import scores
from simulator import KINDS, SIDE, cells, noisy, perfect

SHAPES = dict.fromkeys(KINDS, (SIDE, 256, 48)) | {"volume": (140, 70, 24)}  # side, tile and halo
COUNTS = ("objects", "fused", "split", "lost", "doubled", "lost=", "doubled=")


def table(kind: str, seeds: int, segmenter: str) -> None:
    """The figures of every rule on one kind of cells."""
    segment = {"noisy": noisy, "perfect": perfect}[segmenter]
    side, tile, halo = SHAPES[kind]
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in ("untiled", *RULES)}
    for seed in range(seeds):
        truth = cells(kind, seed, side)
        whole, views = segment(truth), Views.of(truth, segment, tile, halo)
        for name, found in rows.items():
            labels = whole if name == "untiled" else RULES[name](views)
            found.append(scores(truth, whole, labels, range(tile, side, tile)))
    print(f"\n{kind}, {segmenter} segmenter\n")
    names = list(rows["untiled"][0])
    print(f"| rule | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for rule, found in rows.items():
        print(f"| {rule} | {' | '.join(_mean(name, [each[name] for each in found]) for name in names)} |", flush=True)


def _mean(name: str, values: list[float]) -> str:
    return f"{np.mean(values):.1f}" if name in COUNTS else f"{np.mean(values):.4f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Rules for joining tiles, side by side.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--kinds", nargs="+", choices=SHAPES, default=KINDS, help="volume: touching cells in 140³, slow"
    )
    parser.add_argument("--segmenter", choices=("noisy", "perfect"), default="noisy")
    arguments = parser.parse_args()
    print("Against the truth: AP, F1, fused, split, lost, doubled. Against untiled: AP=, lost=, doubled=.")
    for kind in arguments.kinds:
        table(kind, arguments.seeds, arguments.segmenter)
