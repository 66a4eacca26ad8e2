"""Submit jobs to a real SLURM on this machine, cancel a task of each at random, and compare the labels bit for bit.

    python tests/cluster/slurm_jobs.py --rounds 10 --seed 0

Each round is an array of four tasks, of which one is cancelled (or killed without notice) when the segmenter was called
so many times, and the task that follows the array. Held to: the labels are those of a local run, file by file, and no
tile is segmented twice but those in flight. Printed is how long tasks of the array were there after the run had ended.
Exit code 77: there can be no SLURM here.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))

from jobs import SHAPE, TILES, WORKERS, calls, chosen, command, contents, installed
from slurm import Unavailable, queue, slurm
from stores import make_image

TASKS = 4
SKIPPED = 77


def play(folder: Path, variables: Mapping[str, str], expected: Mapping[str, bytes], chance: random.Random) -> str:
    """One round; what was wrong, if anything."""
    words = ["submit", *chosen(folder, "labels.ome.zarr"), "--tasks", TASKS, "--sbatch", f"--output={folder}/%A_%a.log"]
    done = subprocess.run(command(*words), env=variables, check=True, capture_output=True, text=True)
    job, kill = done.stdout.split()[1].rstrip(":"), chance.randint(1, TILES - TASKS * WORKERS)
    while calls(folder) < kill:
        time.sleep(0.01)
    running = [each.split()[0] for each in queue(variables) if each.startswith(f"{job}_") and each.endswith("RUNNING")]
    victim = chance.choice(running)
    subprocess.run(["scancel", *chance.choice([[], ["--signal=KILL", "--full"]]), victim], env=variables, check=True)
    while (folder / "labels.ome.zarr.tilewright").exists() and queue(variables):
        time.sleep(0.1)
    ended = time.perf_counter()
    while any("_" in each for each in queue(variables)):
        time.sleep(0.1)
    idle = time.perf_counter() - ended
    while queue(variables):
        time.sleep(0.1)
    print(f"{victim} of {len(running)} cancelled after {kill} calls; tasks ended {idle:.1f} s after the run", end=": ")
    wrong = [] if contents(folder / "labels.ome.zarr") == expected else ["the labels are not those of a local run"]
    if not TILES <= calls(folder) <= TILES + WORKERS:
        wrong.append(f"{calls(folder)} calls for {TILES} tiles and one task that was cancelled")
    logs = {log.name: log.read_text()[-500:] for log in folder.glob("*.log")} if wrong else ""
    return "; ".join([*wrong, str(logs)]) if wrong else ""


def main(rounds: int, seed: int) -> int:
    chance, right = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as name, slurm(Path(name) / "slurm") as commands:
        site = installed(Path(name) / "site")
        variables, template = {**commands, "PYTHONPATH": site["PYTHONPATH"]}, Path(name) / "template"
        template.mkdir()
        make_image(template, SHAPE)
        local = shutil.copytree(template, Path(name) / "local")
        subprocess.run(command("run", *chosen(local, "labels.ome.zarr"), "--quiet"), env=variables, check=True)
        expected = contents(local / "labels.ome.zarr")
        for number in range(rounds):
            wrong = play(shutil.copytree(template, Path(name) / str(number)), variables, expected, chance)
            print(wrong or "right", flush=True)
            right += not wrong
    print(f"{right} of {rounds} right")
    return 0 if right == rounds else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Cancel tasks of jobs on a real SLURM and compare the labels.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    try:
        sys.exit(main(arguments.rounds, arguments.seed))
    except Unavailable as reason:
        print(reason)
        sys.exit(SKIPPED)
