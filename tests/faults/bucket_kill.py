"""Runs that write to a bucket are killed at random instants, and the same command is run again: `--rounds 20`."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from buckets import keys, pixels, put_image, service

from tilewright import Grid, Pipeline, open_image

IMAGE = "s3://bucket/killed.ome.zarr"


def slow(tile: Any) -> Any:
    time.sleep(0.03)
    return ndimage.label(tile > 150)[0]


def victim(endpoint: str) -> None:
    """The run that is killed, in the working folder."""
    warnings.simplefilter("ignore")
    pipeline = Pipeline(segmenter=slow, tiler=Grid(tile=16))
    pipeline.run(IMAGE, name="cells", workers=2, storage={"endpoint": endpoint}, overwrite=True, keep_old=0)


def killed_and_resumed(server: tuple[str, int], folder: Path, rounds: int, seed: int = 0) -> None:
    """Kill runs, and resume each; AssertionError if the labels are not those of a run that nobody killed."""
    endpoint, chance = f"http://{server[0]}:{server[1]}", random.Random(seed)
    put_image(IMAGE, endpoint, pixels())
    begun = time.monotonic()
    _started(endpoint, folder).wait()
    whole, killed = time.monotonic() - begun, 0
    for number in range(rounds):
        put_image(IMAGE, endpoint, pixels(number))
        running = _started(endpoint, folder)
        time.sleep(chance.uniform(0.3, 1.0) * whole)
        running.kill()
        killed += running.wait() != 0
        assert _started(endpoint, folder).wait() == 0, f"round {number} does not resume"
        labels = open_image(f"{IMAGE}/labels/cells", storage={"endpoint": endpoint}).data[:]
        assert np.array_equal(labels, slow(pixels(number))), f"round {number}"
        found = {key.split("/")[0] for key in keys(f"{IMAGE}/labels/cells", endpoint)} - {"zarr.json"}
        assert len(found) == 1, f"round {number} leaves {found}"
        assert list(folder.iterdir()) == []
    print(f"{killed} of {rounds} runs were killed, and all ended with the labels of their image")


def _started(endpoint: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, __file__, "--victim", endpoint], cwd=folder, env=os.environ)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--victim", metavar="ENDPOINT")
    chosen = parser.parse_args()
    if chosen.victim:
        victim(chosen.victim)
    else:
        with service() as address, tempfile.TemporaryDirectory() as empty:
            killed_and_resumed(address, Path(empty), chosen.rounds)
