"""The peak memory of the network and of decoding, beside the estimates: `python plugins/stardist/benchmarks/memory.py`.

Each window and each tile has a process of its own, in which a small one has been segmented before; counted is what the
process's memory then grows by. In a tile half of the places of the network's output are candidates.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import numpy as np
from synth import make

from tilewright import Image, Placement
from tilewright.abc import Maps, Window
from tilewright_stardist.footprint import peak
from tilewright_stardist.segmenter import StarDist

MODELS = Path(__file__).parents[1] / "tests" / "models"
CASES = [("window", 2, 512), ("window", 2, 1024), ("window", 2, 2048), ("window", 3, 64), ("window", 3, 128),
         ("tile", 2, 512), ("tile", 2, 1024), ("tile", 3, 64)]  # fmt: skip
PAGE = 4096  # bytes


def resident() -> int:
    """The process's memory in bytes (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def predicting(segmenter: StarDist, shape: tuple[int, ...]) -> tuple[Callable[[], object], int]:
    """Finding the candidates of a window, and the bytes that this takes by the estimate."""
    part = make((64,) * len(shape), "tissue", seed=3, **({"radius": 6.0} if len(shape) == 3 else {}))[0]
    pixels = np.tile(part, [n // 64 for n in shape])  # to make all of it would leave free memory behind
    segmenter = segmenter.prepare(Image(data=pixels, axes=segmenter.axes))
    whole = tuple(slice(0, n) for n in shape)
    window = Window(pixels=pixels, region=whole, shape=shape, span=whole)
    return lambda: segmenter.predict([window], 0), peak(segmenter._network.model, shape)


def decoding(segmenter: StarDist, shape: tuple[int, ...]) -> tuple[Callable[[], object], int]:
    """Making labels of a tile in which half of the places are candidates, and the bytes by the estimate."""
    random = np.random.default_rng(0)
    config = segmenter._network.model.config
    places = np.argwhere(np.ones([n // step for n, step in zip(shape, config.grid, strict=True)], bool))
    places = random.permutation(places)[: len(places) // 2].astype(np.int32) * config.grid
    table = {
        "place": places,
        "prob": random.random((len(places), 1), np.float32) / 3 + 2 / 3,
        "dist": np.full((len(places), config.n_rays), 6, np.float16),
    }
    place = Placement.whole(segmenter.axes, shape)
    return lambda: segmenter.decode([Maps(table, place.region)], place), segmenter.memory(shape, np.dtype("uint16"))


def one(what: str, dimensions: int, length: int) -> None:
    """Print the row of a window or a tile."""
    shape = (length,) * dimensions
    segmenter = StarDist(model=str(MODELS / ("nuclei_small" if dimensions == 2 else "nuclei3d_small")))
    segmenter(make((32,) * dimensions, "medium", seed=3)[0])
    work, estimate = (predicting if what == "window" else decoding)(segmenter, shape)
    before, most, done = resident(), [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            most[0] = max(most[0], resident())
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    grown = most[0] - before
    print(
        f"| {what} of {' × '.join(map(str, shape))} | {grown / 1e6:.0f} | {estimate / 1e6:.0f} | "
        f"{estimate / grown:.2f} | {grown / math.prod(shape):.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The peak memory of the network and of decoding beside the estimates.")
    parser.add_argument("case", nargs="*", help="window or tile, dimensions and length; all cases if left out")
    case = parser.parse_args().case
    if case:
        one(case[0], int(case[1]), int(case[2]))
    else:
        print(
            "| | measured, MB | estimate, MB | estimate / measured | bytes a pixel |\n|---|---|---|---|---|", flush=True
        )
        for each in CASES:
            subprocess.run([sys.executable, __file__, *map(str, each)], check=True)
