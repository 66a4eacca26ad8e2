"""Kill a workflow of five steps at random points, give the same command again, and compare all that it makes.

    python tests/faults/workflow.py --kills 20 --seed 0

Each round starts anew, every second one over the labels and tables of another workflow, which it is to replace. It is
killed (SIGKILL) up to four times at points drawn over its whole length. Held to: the same files with the same bytes as
of a run that nobody killed, but for times in metadata; the labels are listed; no step that was done is repeated, and no
tile is segmented again but those in flight.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import zarr
from stores import TILE, make_image
from workflow_victim import STEPS, TILES, workflow

VICTIM = Path(__file__).with_name("workflow_victim.py")
WORKERS = 2
START = 0.3  # the share of a run that Python's imports take: a kill in there kills nothing of ours
OLDER = 60  # the level of the workflow whose labels are replaced

Made = dict[str, bytes]


def prepare(folder: Path, *, older: bool) -> None:
    """An image, with the labels and tables of another workflow if they are to be replaced."""
    folder.mkdir()
    make_image(folder, (4 * TILE, 4 * TILE))
    shutil.rmtree(folder / "image.ome.zarr" / "labels")
    if older:
        workflow(str(folder), OLDER).run(folder / "image.ome.zarr")
    (folder / "calls").write_bytes(b"")


def made(folder: Path) -> Made:
    """All files that a run made, but those that hold when it ran."""
    labels = folder / "image.ome.zarr" / "labels"
    listed = zarr.open_group(labels, mode="r", use_consolidated=False).attrs["ome"]["labels"]
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("calls", "zarr.json")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files} | {
        "listed": repr(sorted(listed)).encode()
    }


def start(folder: Path, *, older: bool) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(VICTIM), str(folder), *(["overwrite"] if older else [])])


def play(folder: Path, expected: Made, chance: random.Random, length: float, *, older: bool) -> tuple[int, str]:
    """One round in a fresh folder: how often it was killed, and what was wrong, if anything."""
    prepare(folder, older=older)
    kills, most = 0, chance.randint(1, 4)
    while True:
        process = start(folder, older=older)
        try:
            failed = process.wait(chance.uniform(START * length, 0.9 * length) if kills < most else None)
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    wrong = [f"the run ended with {failed}"] if failed else []
    wrong += _differing(made(folder), expected)
    calls = (folder / "calls").read_bytes()
    for step in STEPS:
        times = calls.count(step[:1].encode())
        if not TILES <= times <= TILES + kills * WORKERS:
            wrong.append(f"{times} calls of {step} for {TILES} tiles and {kills} kills")
    return kills, "; ".join(wrong)


def _differing(seen: Made, expected: Made) -> Sequence[str]:
    names = [name for name in sorted({*seen, *expected}) if seen.get(name) != expected.get(name)]
    return [f"{name} is another one, or is not there" for name in names[:5]]


def main(kills: int, seed: int) -> int:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "whole"
        for _ in range(2):  # the first one compiles what it imports
            shutil.rmtree(whole, ignore_errors=True)
            prepare(whole, older=False)
            began = time.perf_counter()
            if start(whole, older=False).wait():
                return 1
            length = time.perf_counter() - began
        expected = made(whole)
        assert any(np.frombuffer(content, np.uint8).any() for content in expected.values())
        done, wrong, number = 0, 0, 0
        while done < kills:
            folder = Path(name) / "round"
            more, what = play(folder, expected, chance, length, older=bool(number % 2))
            shutil.rmtree(folder)
            print(f"round {number}: {more} kills, {what or 'right'}", flush=True)
            done, wrong, number = done + more, wrong + bool(what), number + 1
    print(f"{number - wrong} of {number} rounds right, after {done} kills")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Kill a workflow at random points and compare what it makes.")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(main(arguments.kills, arguments.seed))
