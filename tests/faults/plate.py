"""Kill a workflow of five steps on a plate of 12 fields at random points, and run it again until it ends.

    python tests/faults/plate.py --kills 20 --seed 0

The steps are segmenters of the plugins, and the command is `tilewright run`: every second round into a folder, every
third round with two images at once. Each round starts anew and is killed (SIGKILL) up to six times at points drawn over
its length. Held to: the same files with the same bytes as of a run that nobody killed, and metadata with the same
values but for times; and the same command once more repeats nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from stores import make_plate

START = 0.2  # the share of a run that Python's imports take: a kill in there kills nothing of ours
TIMES = ("started", "seconds")  # in metadata
STEPS = """
[steps.nuclei]
segmenter = {name = "threshold", configuration = {threshold = 0.6}}
tiler = {name = "grid", configuration = {tile = 16}}

[steps.cells]
segmenter = {name = "seeded-watershed", configuration = {threshold = 0.45}}
given = {nuclei = "nuclei"}

[steps.cytoplasm]
segmenter = {name = "combine-labels", configuration = {method = "difference", given = ["cells", "nuclei"]}}
given = {cells = "cells", nuclei = "nuclei"}

[steps.rings]
segmenter = {name = "ring", configuration = {distance = 2, given = ["cells"]}}
given = {cells = "cells"}
tiler = {name = "grid", configuration = {tile = 16}}

[steps.filled]
segmenter = {name = "fill-holes", configuration = {given = ["cells"]}}
given = {cells = "cells"}
measure = ["size", "intensity"]
"""
TABLE = 'table = "cells.csv"\n'  # in the folder of its image

Made = dict[str, Any]


class Folder:
    """The plate, its workflow, and the command that is killed. into: whether labels go into a folder of their own."""

    def __init__(self, path: Path, *, into: bool, jobs: int) -> None:
        self.path = path
        output = [str(path / "out")] if into else []
        words = ["run", str(path / "plate.ome.zarr"), *output, "--workflow", str(path / "cells.toml")]
        self.command = [sys.executable, "-m", "tilewright.cli", *words, "--jobs", str(jobs), "--json", "--quiet"]
        path.mkdir()
        make_plate(path / "plate.ome.zarr", wells=6)
        (path / "cells.toml").write_text(STEPS + (TABLE if into else ""), "utf-8")

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)

    def made(self) -> Made:
        """All files; of metadata their values, without times."""
        files = (file for file in sorted(self.path.rglob("*")) if file.is_file())
        return {str(file.relative_to(self.path)): _content(file) for file in files}


def _content(file: Path) -> Any:
    return _timeless(json.loads(file.read_bytes())) if file.suffix == ".json" else file.read_bytes()


def _timeless(value: Any) -> Any:
    if isinstance(value, list):
        return [_timeless(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _timeless(each) for name, each in value.items() if name not in TIMES}


def play(folder: Folder, expected: Made, chance: random.Random, length: float) -> tuple[int, str]:
    """One round in a fresh folder: how often it was killed, and what was wrong, if anything."""
    kills, most = 0, chance.randint(2, 6)
    while True:
        process = folder.start()
        try:
            process.communicate(timeout=chance.uniform(START * length, 0.6 * length) if kills < most else None)
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
    wrong = [f"the run ended with {process.returncode}"] if process.returncode else []
    seen = folder.made()
    differing = [name for name in sorted({*seen, *expected}) if seen.get(name) != expected.get(name)]
    wrong += [f"{name} is another one, or is not there" for name in differing[:5]]
    images = json.loads(folder.start().communicate()[0])["images"]
    steps = [(image, name, each) for image, of in images.items() for name, each in of["steps"].items()]
    wrong += [f"{name} of {image} was repeated" for image, name, each in steps if not each["unchanged"]]
    return kills, "; ".join(wrong)


def never_killed(path: Path, *, into: bool) -> tuple[Made, float]:
    """What a run makes that nobody kills, and how long it takes."""
    folder = Folder(path, into=into, jobs=1)
    begun = time.perf_counter()
    process = folder.start()
    process.communicate()
    length = time.perf_counter() - begun
    if process.returncode:
        raise SystemExit(f"a run that nobody killed ended with {process.returncode}")
    made = folder.made()
    shutil.rmtree(path)
    return made, length


def main(kills: int, seed: int) -> int:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "round"  # always the same, since metadata hold paths
        never_killed(path, into=True)  # the first one compiles what it imports
        whole = {into: never_killed(path, into=into) for into in (True, False)}
        done, wrong, number = 0, 0, 0
        while done < kills:
            into = bool(number % 2)
            folder = Folder(path, into=into, jobs=2 if number % 3 == 2 else 1)
            more, what = play(folder, whole[into][0], chance, whole[into][1])
            shutil.rmtree(path)
            print(f"round {number}: {more} kills, {what or 'right'}", flush=True)
            done, wrong, number = done + more, wrong + bool(what), number + 1
    print(f"{number - wrong} of {number} rounds right, after {done} kills")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Kill a workflow on a plate at random points and compare its files.")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(main(arguments.kills, arguments.seed))
