"""The run that is killed: `python victim.py FOLDER [MERGER [WRITER [SEGMENTER [RULE]]]]`, in a process of its own.

It segments FOLDER/image.ome.zarr, or a region of it, into its own labels (or FOLDER/labels.zarr), slowly enough to be
killed at any point, and notes every call of the segmenter in FOLDER/calls.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from scipy import ndimage
from stores import LEVEL, REGION, TILE

from tilewright import Grid, Image, LabelSpec, Overlap, Pipeline, Placement, Seam, Sink, Touch
from tilewright.abc import Maps, Prediction, Window, Windows
from tilewright.builtin.zarr_array import ZarrArray, ZarrArraySink
from tilewright_ome_zarr.sink import OmeZarrSink
from tilewright_ome_zarr.writer import OmeZarrLabels


@dataclass(frozen=True, kw_only=True)
class Slow:
    """Connected components that take their time and mark every call; while a file `hold` lies there, none ends."""

    calls: str
    seconds: float = 0.01

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        with Path(self.calls).open("ab", buffering=0) as file:
            file.write(b".")
        time.sleep(self.seconds)
        while Path(self.calls).with_name("hold").exists():
            time.sleep(self.seconds)
        labels: NDArray[Any] = ndimage.label(pixels > LEVEL)[0]
        return labels


@dataclass(frozen=True, kw_only=True)
class SlowNetwork(Slow):
    """The same as a network with a window for each tile; it marks every window, and decodes slowly."""

    axes: str = "yx"

    @property
    def predictions(self) -> dict[str, Prediction]:
        return {"pixels": Prediction(dtype="uint16")}

    def windows(self, image: Image, budget: int) -> list[Windows]:
        shape = (image.size("y"), image.size("x"))
        return [
            Windows(axes="yx", shape=shape, starts=tuple(tuple(range(0, n, TILE)) for n in shape), size=(TILE, TILE))
        ]

    def predict(self, windows: Sequence[Window], which: int) -> list[dict[str, NDArray[Any]]]:
        for each in windows:
            super().__call__(each.pixels)
        return [{"pixels": each.padded(each.pixels)[None]} for each in windows]

    def decode(self, maps: Sequence[Maps], place: Placement) -> NDArray[Any]:
        time.sleep(self.seconds)
        labels: NDArray[Any] = ndimage.label(maps[0]["pixels"][0] > LEVEL)[0]
        return labels


@dataclass(frozen=True, kw_only=True)
class SlowTouch:
    """Touch, slowly; while the file `hold` is there, no seam ends."""

    hold: str = ""

    def __call__(self, seam: Seam) -> NDArray[Any]:
        time.sleep(0.003)
        while self.hold and Path(self.hold).exists():
            time.sleep(0.003)
        return Touch()(seam)


@dataclass(frozen=True, kw_only=True)
class SlowOverlap(Overlap):
    """Overlap, slowly."""

    def __call__(self, seam: Seam) -> NDArray[Any]:
        time.sleep(0.003)
        return super().__call__(seam)


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


@dataclass(frozen=True, kw_only=True)
class SlowArray:
    """The zarr array writer, slowly, a tile at a time."""

    def __call__(self, path: str, spec: LabelSpec) -> Sink:
        sink = ZarrArray()(path, spec)
        return SlowArraySink(sink._aside, sink._path)


class SlowArraySink(ZarrArraySink):
    def write(self, region: tuple[slice, ...], labels: NDArray[Any]) -> None:
        time.sleep(0.1)  # its chunks are large, so there are few
        super().write(region, labels)


def main(
    folder: Path, merger: str = "touch", writer: str = "ome-zarr", segmenter: str = "function", rule: str = ""
) -> None:
    array, kind = writer == "zarr-array", SlowNetwork if segmenter == "network" else Slow
    pipeline = Pipeline(
        segmenter=kind(calls=str(folder / "calls")),
        tiler=Grid(tile=TILE, halo=0 if merger == "touch" else 12),
        merger=SlowTouch() if merger == "touch" else SlowOverlap(),
        writer=SlowArray() if array else SlowLabels(),
    )
    destination = folder / "labels.zarr" if array else None
    within: dict[str, Any] = {"within": [REGION], "within_rule": rule} if rule else {}
    pipeline.run(folder / "image.ome.zarr", destination, name="cells", overwrite=True, workers=2, **within)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
