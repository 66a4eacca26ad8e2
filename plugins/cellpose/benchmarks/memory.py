"""How much memory does a call take? The peak of a process beside what `Cellpose.memory` says.

    python plugins/cellpose/benchmarks/memory.py [--side 512 1024] [--batch 1 8] [--standard]

With `--standard` the network has the width and depth of Cellpose's own, with weights of no use: the memory is the same.
Linux only. Prints a table in Markdown; each row is a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "plugins/cellpose/tests/models")]

import small_cellpose

from tilewright import Image
from tilewright_cellpose import weights
from tilewright_cellpose.segmenter import Cellpose

MIB = 2**20


def main(words: Sequence[str] | None = None) -> None:
    """Print a row for each side and batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, nargs="+", default=[512, 1024, 2048])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--standard", action="store_true")
    parser.add_argument("--model", help=argparse.SUPPRESS)
    said = parser.parse_args(words)
    if said.model:
        measure(said.model, said.side[0], said.batch[0], standard=said.standard)
        return
    kind = "standard network" if said.standard else "small network"
    print(
        f"Cellpose {weights.version()}, {kind}\n\n| tile | batch | peak MiB | memory() MiB | peak / memory() |",
        flush=True,
    )
    print("|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        model = standard(Path(folder) / "weights.pt") if said.standard else small_cellpose.SMALL
        for side in said.side:
            for batch in said.batch:
                row = ["--side", str(side), "--batch", str(batch), "--model", str(model)]
                row += ["--standard"] * said.standard
                subprocess.run([sys.executable, "-W", "ignore", __file__, *row], check=True)


def standard(path: Path) -> Path:
    """Weights of the shipped size, as they are before any training."""
    import torch

    if weights.newer():
        from cellpose.vit import CPSAM

        net: Any = CPSAM(dtype=torch.float32)
    else:
        from cellpose.resnet_torch import CPnet

        net = CPnet([2, 32, 64, 128, 256], 3, sz=3)
    torch.save(net.state_dict(), path)
    return path


def measure(model: str, side: int, batch: int, *, standard: bool) -> None:
    """The row of this process: the resident memory at its peak, less what it was once the weights were loaded."""
    import synth

    if not standard:
        small_cellpose.narrow()
    pixels, _ = synth.make((side, side), "tissue", 3)
    segmenter = Cellpose(model=model, batch_size=batch).prepare(Image(data=pixels, axes="yx"))
    weights.loaded(segmenter.model, segmenter.gpu)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    segmenter(pixels)
    peak, said = resident("VmHWM") - before, segmenter.memory(pixels.shape, np.dtype(pixels.dtype))
    print(f"| {side}² | {batch} | {peak / MIB:.0f} | {said / MIB:.0f} | {peak / said:.2f} |", flush=True)


def resident(what: str) -> int:
    """Bytes of memory that the kernel says of this process."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
