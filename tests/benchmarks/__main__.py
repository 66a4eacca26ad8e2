"""Print the benchmark's tables: `python tests/benchmarks [--runs 5]`.

Ratios are of processes that ran in turn in the same minutes; single figures depend on the machine.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from measure import in_turn, ratio

WORK = str(Path(__file__).with_name("work.py"))


def start(runs: int) -> None:
    """What it costs to begin: CPU seconds above an interpreter that does nothing."""
    figures = in_turn(
        {
            "python -c pass": ["-c", "pass"],
            "import tilewright": ["-c", "import tilewright"],
            "tilewright plugins": ["-m", "tilewright.cli", "plugins"],
            "smallest run": [WORK, "least"],
        },
        runs,
    )
    print("\n| start | CPU s (min / median / max) | median above python -c pass |\n|---|---|---|")
    bare = sorted(figures["python -c pass"].cpu)[runs // 2]
    for name, figure in figures.items():
        print(f"| {name} | {figure.row('cpu')} | {sorted(figure.cpu)[runs // 2] - bare:.2f} |")


def floor(runs: int) -> None:
    """A run beside the plain loop that joins nothing."""
    print("\n| case | floor, s (min / median / max) | run, s | run / floor | peak MiB, floor | run |")
    print("|---|---|---|---|---|---|")
    for case in ("2d", "3d"):
        with tempfile.TemporaryDirectory() as folder:
            in_turn({"make": [WORK, "make", case, folder]}, 0)
            figures = in_turn({what: [WORK, what, case, folder] for what in ("floor", "run")}, runs)
        low, ours = figures["floor"], figures["run"]
        print(
            f"| {case} | {low.row('wall')} | {ours.row('wall')} | {ratio(ours, low, 'wall'):.2f} | "
            f"{max(low.peak):.0f} | {max(ours.peak):.0f} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What a run costs, as ratios measured in one go.")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    start(arguments.runs)
    floor(arguments.runs)
