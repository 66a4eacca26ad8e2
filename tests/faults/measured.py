"""Kill a real measuring at random points, let the same command go on, and compare the table byte for byte.

    python tests/faults/measured.py --rounds 20 --seed 0 [--kind run]

Each round starts anew and is killed (SIGKILL) up to four times at points drawn over its whole length. Kind `labels`
measures labels that are there; kind `run` segments an image, and puts its table and its labels into their places. Held
to: all files of the table are those of a run that nobody killed, the labels are those of the whole image, there is
never a table of other labels, and nothing is left behind.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import zarr
from scipy import ndimage
from stores import LEVEL, make_image

VICTIM = Path(__file__).with_name("measured_victim.py")
SHAPE = (256, 256)
START = 0.4  # the share of a run that Python's imports take
OVER = "exists; choose another destination"  # what a run says that was killed after its last move


def files_of(table: Path) -> dict[str, bytes]:
    """All files of a table by name; none if there is no table."""
    return {str(file.relative_to(table)): file.read_bytes() for file in sorted(table.rglob("*")) if file.is_file()}


def play(folder: Path, expected: dict[str, bytes], chance: random.Random, length: float, kind: str) -> tuple[int, str]:
    """One round: how often it was killed, and what is wrong, if anything."""
    kills, wrong, most = 0, [], chance.randint(1, 4)
    while True:
        process = subprocess.Popen([sys.executable, str(VICTIM), str(folder), kind], stderr=subprocess.PIPE, text=True)
        try:
            _, said = process.communicate(timeout=chance.uniform(START * length, length) if kills < most else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            there = files_of(folder / "cells.table.zarr")
            wrong += ["a table in part"] if there not in ({}, expected) else []
            wrong += ["labels without their table"] if (folder / "cells.zarr").exists() and not there else []
            continue
        if process.returncode and not (kills and OVER in said and not list(folder.glob("*.tilewright/plan.json"))):
            wrong.append(said[-500:])
        break
    wrong += ["another table"] if files_of(folder / "cells.table.zarr") != expected else []
    if kind == "run":
        truth = ndimage.label(zarr.open_array(folder / "image.ome.zarr/0", mode="r")[:] > LEVEL)[0]
        wrong += ["other labels"] if (zarr.open_array(folder / "cells.zarr", mode="r")[:] != truth).any() else []
    wrong += ["something is left"] if list(folder.glob("*.tilewright/plan.json")) else []
    return kills, "; ".join(wrong)


def main(rounds: int, seed: int, kind: str) -> int:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        template, folder = Path(name) / "template", Path(name) / "round"  # one path, which the table's provenance has
        template.mkdir()
        pixels = make_image(template, SHAPE)
        labels = ndimage.label(pixels > LEVEL)[0].astype(np.uint32)
        zarr.create_array(
            template / "labels.zarr", data=labels, chunks=(32, 32), dimension_names=["y", "x"], overwrite=True
        )
        shutil.copytree(template, folder)
        start = time.perf_counter()
        subprocess.run([sys.executable, str(VICTIM), str(folder), kind], check=True)
        length, expected = time.perf_counter() - start, files_of(folder / "cells.table.zarr")
        assert expected
        kills = right = 0
        for number in range(rounds):
            shutil.rmtree(folder)
            shutil.copytree(template, folder)
            killed, wrong = play(folder, expected, chance, length, kind)
            kills, right = kills + killed, right + (not wrong)
            print(f"round {number}: {killed} kills, {wrong or 'right'}", flush=True)
    print(f"{right} of {rounds} right, after {kills} kills")
    return 0 if right == rounds else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Kill a real measuring at random points and compare its table.")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=["labels", "run"], default="labels")
    arguments = parser.parse_args()
    sys.exit(main(arguments.rounds, arguments.seed, arguments.kind))
