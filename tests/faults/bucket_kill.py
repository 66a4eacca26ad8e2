"""Runs that write to a bucket are killed before a request, and the same command is run again: `--rounds 20`."""

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

from buckets import Proxy, keys, pixels, put_image, service

from tilewright import Grid, Pipeline, open_image

IMAGE = "s3://bucket/killed.ome.zarr"
LAST = 8  # requests at the end, by which labels are put into their place


def slow(tile: Any) -> Any:
    time.sleep(0.01)
    return ndimage.label(tile > 150)[0]


def victim(endpoint: str) -> None:
    """The run that is killed, in the working folder."""
    warnings.simplefilter("ignore")
    pipeline = Pipeline(segmenter=slow, tiler=Grid(tile=16))
    pipeline.run(IMAGE, name="cells", workers=2, storage={"endpoint": endpoint}, overwrite=True, keep_old=0)


def killed_and_resumed(server: tuple[str, int], folder: Path, rounds: int, seed: int = 0) -> None:
    """Kill runs before a request that changes the bucket, any or one of the last, and resume each.

    AssertionError if anybody sees other labels than those of a run that nobody killed, old or new.
    """
    direct, proxy, chance = f"http://{server[0]}:{server[1]}", Proxy(*server), random.Random(seed)
    put_image(IMAGE, direct, pixels(rounds), consolidated=True)
    _started(proxy, folder).wait()
    writes, before = proxy.writes, pixels(rounds)
    for number in range(rounds):
        last = chance.randint(writes - LAST, writes - 1) if number % 2 else chance.randint(1, writes - 1)
        put_image(IMAGE, direct, pixels(number), chunks_only=True)
        running = _started(proxy, folder, kill_before=last)
        assert running.wait() != 0, f"round {number} is not killed before write {last} of {writes}"
        seen = _labels(direct)
        assert any(np.array_equal(seen, slow(each)) for each in (before, pixels(number))), f"round {number} shows a mix"
        assert _started(proxy, folder).wait() == 0, f"round {number}, killed before write {last}, does not resume"
        before = pixels(number)
        assert np.array_equal(_labels(direct), slow(before)), f"round {number}"
        found = {key.split("/")[0] for key in keys(f"{IMAGE}/labels/cells", direct)} - {"zarr.json"}
        assert len(found) == 1, f"round {number} leaves {found}"
        assert list(folder.iterdir()) == []
    proxy.close()
    print(f"{rounds} runs were killed, and all ended with the labels of their image")


def _labels(endpoint: str) -> Any:
    return open_image(f"{IMAGE}/labels/cells", storage={"endpoint": endpoint}).data[:]


def _started(proxy: Proxy, folder: Path, kill_before: int = 0) -> subprocess.Popen[bytes]:
    """A run in a process of its own, which is killed before so many requests that change something."""
    proxy.writes = 0
    proxy.before_write = lambda number: running.kill() if number == kill_before else None
    command = [sys.executable, __file__, "--victim", proxy.endpoint]
    running = subprocess.Popen(command, cwd=folder, env=os.environ)
    return running


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
