"""The workflow that is killed: `python workflow_victim.py FOLDER [overwrite]`, in a process of its own.

It runs five steps on FOLDER/image.ome.zarr, slowly enough to be killed at any point, and notes every tile of every step
in FOLDER/calls.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from stores import LEVEL, TILE

from tilewright import Grid, Workflow

TILES = 16  # of the image, whose side is four tiles
STEPS = ("nuclei", "grown", "rings", "bright", "cells")


def note(folder: str, step: str) -> None:
    with Path(folder, "calls").open("ab", buffering=0) as file:
        file.write(step[:1].encode())
    time.sleep(0.01)


@dataclass(frozen=True, kw_only=True)
class Above:
    """Connected components above a level."""

    folder: str
    step: str
    level: int

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        note(self.folder, self.step)
        labels: NDArray[Any] = ndimage.label(pixels > self.level)[0]
        return labels


@dataclass(frozen=True, kw_only=True)
class Shifted:
    """The given labels where there are any, and those of the pixel to the left elsewhere."""

    folder: str
    step: str
    given: tuple[str, ...] = ("labels",)
    halo: int = 1
    pixels = False
    keeps_ids = True

    def __call__(self, pixels: None, given: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        note(self.folder, self.step)
        labels = given["labels"]
        beside = np.roll(labels, 1, axis=1)
        beside[:, 0] = 0
        return np.where(labels > 0, labels, beside)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first labels where there are no second ones."""

    folder: str
    step: str
    given: tuple[str, ...] = ("first", "second")
    pixels = False
    keeps_ids = True

    def __call__(self, pixels: None, given: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        note(self.folder, self.step)
        return np.where(given["second"] > 0, 0, given["first"])


def workflow(folder: str, level: int = LEVEL) -> Workflow:
    steps: dict[str, dict[str, Any]] = {
        "nuclei": {"segmenter": Above(folder=folder, step="nuclei", level=level)},
        "grown": {"segmenter": Shifted(folder=folder, step="grown"), "given": {"labels": "nuclei"}},
        "rings": {
            "segmenter": Difference(folder=folder, step="rings"),
            "given": {"first": "grown", "second": "nuclei"},
            "measure": "size",
            "table": f"{folder}/rings.csv",
        },
        "bright": {"segmenter": Above(folder=folder, step="bright", level=level + 40)},
        "cells": {
            "segmenter": Difference(folder=folder, step="cells"),
            "given": {"first": "grown", "second": "bright"},
            "measure": ("size", "intensity"),
            "table": f"{folder}/cells.csv",
        },
    }
    return Workflow(steps={name: {**step, "tiler": Grid(tile=TILE)} for name, step in steps.items()})


def main(folder: Path, overwrite: str = "") -> None:
    workflow(str(folder)).run(folder / "image.ome.zarr", workers=2, overwrite=bool(overwrite))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
