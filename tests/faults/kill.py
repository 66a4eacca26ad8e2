"""Kill a real run at random points, let the same command go on, and compare the labels bit for bit.

    python tests/faults/kill.py --rounds 50 --seed 0 [--merger overlap] [--writer zarr-array] [--segmenter network]
        [--rule touching]

Each round starts anew and is killed (SIGKILL) up to four times at points drawn over its whole length, so that some
fall into segmenting, some into joining, writing and the moves at the end. Held to: the labels equal those of the whole
image, the earlier labels are readable and listed at every kill, and no tile (or window
of a network) is segmented again but those in flight.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from stores import LEVEL, REGION, TILE, labels_of, make_image

VICTIM = Path(__file__).with_name("victim.py")
SHAPE, WORKERS = (256, 256), 2
START = 0.4  # the share of a run that Python's imports take: a kill in there kills nothing of ours


Parts = tuple[str, str, str, str]


@dataclass(frozen=True, kw_only=True)
class Round:
    """What came of one round: how often it was killed, and what was wrong, if anything."""

    kills: int
    wrong: str


def play(folder: Path, expected: NDArray[Any], tiles: int, chance: random.Random, length: float, parts: Parts) -> Round:
    """One round in a fresh folder: kills at points drawn over the run's length, until it ends by itself."""
    kills, wrong, most = 0, [], chance.randint(1, 4)
    while True:
        process = subprocess.Popen([sys.executable, str(VICTIM), str(folder), *parts])
        try:
            failed = process.wait(chance.uniform(START * length, length) if kills < most else None)
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
        seen, failed = labels_of(folder, parts[1]), 0
        if np.array_equal(seen, expected):
            break  # killed after the last move: it was done
        if not (seen == 1).all():
            wrong.append("the labels after a kill are neither the earlier ones nor the new ones")
    wrong += [f"the run ended with {failed}"] if failed else []
    if not np.array_equal(labels_of(folder, parts[1]), expected):
        wrong.append("the labels are not those of the whole image")
    calls = (folder / "calls").stat().st_size
    if not tiles <= calls <= tiles + kills * WORKERS:
        wrong.append(f"{calls} calls for {tiles} tiles and {kills} kills")
    return Round(kills=kills, wrong="; ".join(wrong))


def objects(foreground: NDArray[np.bool_], rule: str) -> NDArray[Any]:
    """The objects that a run with that rule leaves, numbered by their first pixels."""
    (top, left), (bottom, right) = REGION[0], REGION[2]
    region, seen = (np.zeros(foreground.shape, bool) for _ in range(2))
    region[top:bottom, left:right] = True
    seen[top // TILE * TILE : -(-bottom // TILE) * TILE, left // TILE * TILE : -(-right // TILE) * TILE] = True
    labels: NDArray[Any] = ndimage.label(foreground & seen if rule == "clip" else foreground)[0]
    if not rule:
        return labels
    kept = np.where(region if rule == "clip" else np.isin(labels, np.unique(labels[region])), labels, 0)
    ids, first = np.unique(kept, return_index=True)
    numbers = np.zeros(labels.max() + 1, labels.dtype)
    numbers[ids[1:][np.argsort(first[1:])]] = np.arange(1, len(ids))
    renumbered: NDArray[Any] = numbers[kept]
    return renumbered


def main(rounds: int, seed: int, parts: Parts) -> int:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        template = Path(name) / "template"
        template.mkdir()
        expected = objects(make_image(template, SHAPE) > LEVEL, parts[3])
        trial = Path(name) / "trial"
        shutil.copytree(template, trial)
        start = time.perf_counter()
        subprocess.run([sys.executable, str(VICTIM), str(trial), *parts], check=True)
        length, tiles = time.perf_counter() - start, (trial / "calls").stat().st_size
        done = []
        for number in range(rounds):
            folder = Path(name) / str(number)
            shutil.copytree(template, folder)
            done.append(play(folder, expected, tiles, chance, length, parts))
            print(f"round {number}: {done[-1].kills} kills, {done[-1].wrong or 'right'}", flush=True)
            shutil.rmtree(folder)
    right = sum(not each.wrong for each in done)
    print(f"{right} of {rounds} right, after {sum(each.kills for each in done)} kills")
    return 0 if right == rounds else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Kill a real run at random points and compare its labels.")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--merger", choices=["touch", "overlap"], default="touch")
    parser.add_argument("--writer", choices=["ome-zarr", "zarr-array"], default="ome-zarr")
    parser.add_argument("--segmenter", choices=["function", "network"], default="function")
    parser.add_argument("--rule", choices=["", "clip", "touching"], default="", help="restrict it to a region")
    arguments = parser.parse_args()
    parts = (arguments.merger, arguments.writer, arguments.segmenter, arguments.rule)
    sys.exit(main(arguments.rounds, arguments.seed, parts))
