"""What a call takes at its peak, beside what `memory()` says: `python plugins/stardist/benchmarks/memory.py`.

Each tile is segmented in a process of its own, in which a small one has been segmented before; counted is what the
process's memory then grows by.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from synth import make

from tilewright import Image
from tilewright_stardist.segmenter import StarDist

MODELS = Path(__file__).parents[1] / "tests" / "models"
CASES = [(2, 512), (2, 1024), (2, 2048), (3, 64), (3, 96)]
PAGE = 4096  # bytes


def resident() -> int:
    """The process's memory in bytes (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def one(dimensions: int, length: int) -> None:
    """Print the row of one tile."""
    model = MODELS / ("nuclei_small" if dimensions == 2 else "nuclei3d_small")
    options = {"radius": 6.0} if dimensions == 3 else {}
    pixels = make((length,) * dimensions, "medium", seed=3, **options)[0]
    segmenter = StarDist(model=str(model)).prepare(Image(data=pixels, axes="zyx"[-dimensions:]))
    segmenter(pixels[(slice(0, 32),) * dimensions])
    before, most, done = resident(), [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            most[0] = max(most[0], resident())
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    segmenter(pixels)
    done.set()
    watcher.join()
    grown, said = most[0] - before + pixels.nbytes, segmenter.memory(pixels.shape, pixels.dtype)
    print(
        f"| {' × '.join(map(str, pixels.shape))} | {grown / 1e6:.0f} | {said / 1e6:.0f} | {said / grown:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The peak memory of a call beside its estimate.")
    parser.add_argument("case", type=int, nargs="*", help="dimensions and length; all cases if left out")
    case = parser.parse_args().case
    if case:
        one(*case)
    else:
        print("| tile | measured, MB | memory() says, MB | said / measured |\n|---|---|---|---|", flush=True)
        for each in CASES:
            subprocess.run([sys.executable, __file__, *map(str, each)], check=True)
