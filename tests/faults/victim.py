"""The run that is killed: `python victim.py FOLDER [--repeat]`, in a process of its own.

It segments FOLDER/image.ome.zarr into its own labels, slowly enough to be killed at any point, and notes every call of
the segmenter in FOLDER/calls.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Grid, LabelSpec, Pipeline, Seam, Touch
from tilewright_ome_zarr.sink import OmeZarrSink
from tilewright_ome_zarr.writer import OmeZarrLabels

TILE = 32


@dataclass(frozen=True, kw_only=True)
class Slow:
    """Connected components that take their time and leave a mark for every call."""

    calls: str
    seconds: float = 0.01

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        with Path(self.calls).open("ab", buffering=0) as file:
            file.write(b".")
        time.sleep(self.seconds)
        labels: NDArray[Any] = ndimage.label(pixels > 100)[0]
        return labels


@dataclass(frozen=True, kw_only=True)
class SlowTouch:
    """Touch, slowly."""

    def __call__(self, seam: Seam) -> NDArray[Any]:
        time.sleep(0.003)
        return Touch()(seam)


@dataclass(frozen=True, kw_only=True)
class SlowLabels:
    """The OME-Zarr writer, slowly."""

    def __call__(self, path: str, spec: LabelSpec) -> OmeZarrSink:
        return SlowSink(**vars(OmeZarrLabels(chunks=TILE)(path, spec)))

    def destination(self, image: str, name: str) -> str:
        return OmeZarrLabels().destination(image, name)

    def exists(self, path: str) -> bool:
        return OmeZarrLabels().exists(path)

    def beside(self, path: str) -> Path:
        return OmeZarrLabels().beside(path)


class SlowSink(OmeZarrSink):
    def write(self, region: tuple[slice, ...], labels: NDArray[Any]) -> None:
        time.sleep(0.01)
        super().write(region, labels)


def main(folder: Path) -> None:
    pipeline = Pipeline(
        segmenter=Slow(calls=str(folder / "calls")), tiler=Grid(tile=TILE), merger=SlowTouch(), writer=SlowLabels()
    )
    pipeline.run(folder / "image.ome.zarr", name="cells", overwrite=True, workers=2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
