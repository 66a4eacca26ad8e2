"""Kill a task of a job at random, have one more task follow, and compare the labels bit for bit.

    python tests/faults/jobs.py --rounds 10 --seed 0 [--segmenter slow-network]

Each round submits a job and starts three tasks, as three shells would. One is killed (SIGKILL) when the segmenter was
called so many times, from none to all. Then one more task follows, as the second job that `tilewright submit` queues.
Held to: no other task fails, the labels are those of a local run, file by file, and no tile is segmented twice but
those that were in flight at the kill.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stores import TILE, make_image

HERE = Path(__file__).parent
SHAPE, TASKS, WORKERS = (256, 384), 3, 2
TILES = SHAPE[0] // TILE * SHAPE[1] // TILE
PLUGIN = """
from tilewright import Spec, hookimpl

@hookimpl
def tilewright_segmenters():
    return [
        Spec(name="slow", target="victim:Slow", summary="Takes its time."),
        Spec(name="slow-network", target="victim:SlowNetwork", summary="Takes its time for each window."),
    ]

@hookimpl
def tilewright_mergers():
    return [Spec(name="slow-touch", target="victim:SlowTouch", summary="Takes its time for each seam.")]
"""


def installed(folder: Path) -> dict[str, str]:
    """The variables of a process in which the slow segmenters are installed, by a plugin in a folder."""
    info = folder / "slow-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tilewright]\nslow = slow_hooks\n")
    (folder / "slow_hooks.py").write_text(PLUGIN)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(HERE)])}


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "tilewright.cli", *map(str, words)]


def chosen(folder: Path, output: str, *, segmenter: str = "slow") -> list[object]:
    """The arguments of a run, or of a job, on the image of a folder."""
    parts = ["--segmenter", segmenter, "--set", f"calls={folder / 'calls'}", "--set", "seconds=0.05"]
    return [folder / "image.ome.zarr", folder / output, *parts, "--tile", TILE, "--workers", WORKERS]


def submit(folder: Path, variables: Mapping[str, str], *more: str, segmenter: str = "slow", tasks: int = TASKS) -> Path:
    """Submit a job to nobody, and return its checkpoint."""
    words = command(
        "submit", *chosen(folder, "labels.ome.zarr", segmenter=segmenter), *more, "--tasks", tasks, "--dry-run"
    )
    subprocess.run(words, env=variables, check=True, stdout=subprocess.DEVNULL)
    return folder / "labels.ome.zarr.tilewright"


def task(checkpoint: Path, variables: Mapping[str, str], *words: str) -> subprocess.Popen[str]:
    """Start a task of a job."""
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command("work", checkpoint, "--quiet", *words), env=variables, text=True, **pipes)


def calls(folder: Path) -> int:
    """How often the slow segmenter of a folder was called."""
    file = folder / "calls"
    return file.stat().st_size if file.exists() else 0


def contents(labels: Path) -> dict[str, bytes]:
    """The files of labels but for what says when and how they were made."""
    files = (file for file in labels.rglob("*") if file.is_file() and file.name != "zarr.json")
    return {str(file.relative_to(labels)): file.read_bytes() for file in files}


@dataclass(frozen=True, kw_only=True)
class Round:
    """What came of one round: whether a task was killed, and what was wrong, if anything."""

    killed: bool
    wrong: str


def play(folder: Path, variables: Mapping[str, str], expected: Mapping[str, bytes], segmenter: str, kill: int) -> Round:
    """One round: three tasks, of which one is killed after so many calls, and one more."""
    checkpoint, wrong = submit(folder, variables, segmenter=segmenter), []
    tasks = [task(checkpoint, variables) for _ in range(TASKS)]
    victim = tasks[kill % TASKS]
    while victim.poll() is None and calls(folder) < kill:
        time.sleep(0.01)
    victim.kill()
    for each in [*tasks, task(checkpoint, variables)]:
        _, errors = each.communicate()
        if each.returncode and each is not victim:
            wrong.append(f"a task ended with {each.returncode}: {errors}")
    if contents(folder / "labels.ome.zarr") != expected:
        wrong.append("the labels are not those of a local run")
    if segmenter == "slow" and not TILES <= calls(folder) <= TILES + WORKERS:
        wrong.append(f"{calls(folder)} calls for {TILES} tiles and one kill")
    if checkpoint.exists():
        wrong.append("the checkpoint is still there")
    return Round(killed=victim.returncode != 0, wrong="; ".join(wrong))


def main(rounds: int, seed: int, segmenter: str) -> int:
    chance, done = random.Random(seed), []
    with tempfile.TemporaryDirectory() as name:
        variables, template = installed(Path(name) / "site"), Path(name) / "template"
        template.mkdir()
        make_image(template, SHAPE)
        local = shutil.copytree(template, Path(name) / "local")
        words = command("run", *chosen(local, "labels.ome.zarr", segmenter=segmenter), "--quiet")
        subprocess.run(words, env=variables, check=True, stdout=subprocess.DEVNULL)
        expected = contents(local / "labels.ome.zarr")
        for number in range(rounds):
            folder = shutil.copytree(template, Path(name) / str(number))
            done.append(play(folder, variables, expected, segmenter, chance.randint(0, TILES)))
            print(f"round {number}: {done[-1].wrong or 'right'}", flush=True)
            shutil.rmtree(folder)
    right = sum(not each.wrong for each in done)
    print(f"{right} of {rounds} right, after {sum(each.killed for each in done)} kills")
    return 0 if right == rounds else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Kill tasks of jobs at random points and compare the labels.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--segmenter", choices=["slow", "slow-network"], default="slow")
    arguments = parser.parse_args()
    sys.exit(main(arguments.rounds, arguments.seed, arguments.segmenter))
