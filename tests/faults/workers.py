"""Kill worker processes of a cluster in the middle of a run, which must end right all the same.

    python tests/faults/workers.py --rounds 10 --seed 0

Each round is a run on two workers (one, in every third round: then nobody is left who knows anything) of which some
are killed (SIGKILL) while it segments, joins and writes. Held to: the labels equal those of the whole image, and no
tile is segmented again but those that were with a worker that died.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import dask
import numpy as np
from distributed import Client, LocalCluster
from numpy.typing import NDArray
from runs import components
from stores import TILE, labels_of, make_image
from victim import Slow, SlowLabels, SlowTouch

from tilewright import Grid, Pipeline
from tilewright.engine.workers import distributed as patience

SHAPE = (256, 256)
TILES = (SHAPE[0] // TILE) * (SHAPE[1] // TILE)
STAGES = ("segment", "join", "write")


class Killer:
    """A progress that kills a worker when so much of a step is done."""

    def __init__(self, client: Client, at: dict[str, float]) -> None:
        self.client, self.at, self.kills = client, dict(at), 0

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage in self.at and done >= self.at[stage] * total:
            del self.at[stage]
            processes = self.client.run(os.getpid, on_error="ignore")
            os.kill(max(processes.values()), signal.SIGKILL)
            self.kills += 1


def play(folder: Path, image: Any, expected: NDArray[Any], at: dict[str, float], count: int) -> str:
    """What was wrong with a run on so many workers, if anything."""
    pipeline = Pipeline(
        segmenter=Slow(calls=str(folder / "calls")), tiler=Grid(tile=TILE), merger=SlowTouch(), writer=SlowLabels()
    )
    with (
        LocalCluster(n_workers=count, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        killer = Killer(client, at)
        labels = folder / "image.ome.zarr" / "labels" / "cells"
        pipeline.run(image, labels, overwrite=True, progress=killer)
    calls = (folder / "calls").stat().st_size
    wrong = [] if np.array_equal(labels_of(folder), expected) else ["the labels are not those of the whole image"]
    wrong += [] if killer.kills == len(at) else [f"{killer.kills} workers were killed instead of {len(at)}"]
    # With its worker go the tasks under way there, each of a few tiles, and what was done and not yet told.
    wrong += [] if TILES <= calls <= TILES + 16 * len(at) else [f"{calls} calls for {TILES} tiles"]
    return "; ".join(wrong)


def main(rounds: int, seed: int) -> int:
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # it tells of every death
    # On a busy machine a worker takes minutes to start.
    dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"})
    patience.CHECKS_ALONE = 10**6
    chance, right = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as name:
        for number in range(rounds):
            folder = Path(name) / str(number)
            folder.mkdir()
            pixels = make_image(folder, SHAPE)
            at = {stage: chance.uniform(0, 0.9) for stage in STAGES}
            said = play(folder, folder / "image.ome.zarr", components(pixels), at, 1 if number % 3 == 2 else 2)
            right += not said
            killed = ", ".join(f"{stage} at {share:.0%}" for stage, share in at.items())
            print(f"round {number}: killed in {killed}: {said or 'right'}", flush=True)
            shutil.rmtree(folder)
    print(f"{right} of {rounds} right")
    return 0 if right == rounds else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Kill workers of a cluster in the middle of a run.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(main(arguments.rounds, arguments.seed))
