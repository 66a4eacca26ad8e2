"""Components as authors write them: both type checkers accept each where its protocol is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, LabelSpec, Needs, Placement, Seam, TileGrid
from tilewright.abc import (
    Array,
    BatchMerger,
    BlockSink,
    Copies,
    Decision,
    Evidence,
    GivenSegmenter,
    LabelsReader,
    LabelsWriter,
    LocatedSegmenter,
    LocatedTransform,
    Maps,
    MeasuredSegmenter,
    Merger,
    MultiOutputSegmenter,
    Network,
    OwningMerger,
    PlacedWriter,
    Prediction,
    PreparedSegmenter,
    PreparedTransform,
    ReadableSink,
    Reader,
    RecordedWriter,
    Region,
    Segmenter,
    Sink,
    Tiler,
    Transform,
    Window,
    Windows,
    Writer,
    untiled,
)


def read(path: str) -> Image:
    return Image(np.memmap(path, np.uint16, "r", shape=(8, 8)), axes="yx")


@dataclass(frozen=True, kw_only=True)
class StoreReader:
    level: int = 0

    def __call__(self, path: str) -> Image:
        return Image(np.zeros((8, 8), np.uint8), "yx", spacing={"y": 0.5, "x": 0.5}, source=path)

    def labels(self, path: str) -> tuple[str, ...]:
        return ("nuclei",)


def logarithm(pixels: NDArray[Any]) -> NDArray[np.float32]:
    return np.log1p(pixels.astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class Divided:
    by: float | None = None
    axes = "czyx"

    def prepare(self, image: Image) -> Divided:
        return replace(self, by=image.percentiles(1, 99)[1])

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None) -> NDArray[np.float64]:
        return np.asarray(pixels / (self.by or 1), np.float64)


class Shaded(Divided):
    located = True


@dataclass(frozen=True, kw_only=True)
class Halves:
    def __call__(self, image: Image, needs: Needs) -> TileGrid:
        tile = [max(1, length // 2) for length in image.shape]
        return TileGrid.regular(image.axes, shape=image.shape, tile=tile, halo=[0] * len(tile))


def bright(pixels: NDArray[np.uint16]) -> NDArray[np.bool_]:
    return pixels > 100


@dataclass(frozen=True, kw_only=True)
class Threshold:
    level: float | None = None
    axes = "yx"

    @property
    def halo(self) -> int:
        return 4

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.int32]:
        return (pixels > (self.level or 0)).astype(np.int32)

    def prepare(self, image: Image) -> Threshold:
        return replace(self, level=image.percentiles(1, 99)[1])

    def memory(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
        return int(np.prod(shape)) * dtype.itemsize


class Flattened:
    located = True

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None) -> NDArray[Any]:
        start = 0 if place is None else place.region[0].start
        return (pixels > start).astype(np.uint8)


@dataclass(frozen=True, kw_only=True)
class Grown:
    given: tuple[str, ...] = ("nuclei",)
    keeps_ids = True
    pixels = False

    def __call__(self, pixels: None, *, given: Mapping[str, NDArray[np.uint64]]) -> NDArray[np.uint64]:
        return given[self.given[0]]


class Seeded:
    given = ("nuclei",)

    def __call__(self, pixels: NDArray[Any], *, given: Mapping[str, NDArray[np.uint64]]) -> NDArray[Any]:
        return pixels * (given["nuclei"] > 0)


class Twofold:
    outputs = ("nuclei", "cells")

    def __call__(self, pixels: NDArray[Any]) -> dict[str, NDArray[np.bool_]]:
        return {"nuclei": pixels > 200, "cells": pixels > 100}


@dataclass(frozen=True, kw_only=True)
class Sliding:
    level: float = 0.5
    batch: int = 8
    decode_options = ("level",)

    @property
    def predictions(self) -> dict[str, Prediction]:
        return {"probability": Prediction(dtype="float16")}

    def windows(self, image: Image, budget: int) -> list[Windows]:
        return [Windows(axes="x", shape=(image.size("x"),), starts=((0,),), size=(image.size("x"),))]

    def predict(self, windows: Sequence[Window], which: int) -> list[dict[str, NDArray[Any]]]:
        return [{"probability": window.padded(window.pixels)} for window in windows]

    def decode(self, maps: Sequence[Maps], place: Placement) -> NDArray[np.bool_]:
        above: NDArray[np.bool_] = maps[0]["probability"][0] > self.level
        return above

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None) -> NDArray[Any]:
        return untiled(self, pixels, "x")


def stitched(seam: Seam) -> NDArray[np.int64]:
    lower, upper = seam.labels
    return np.stack([lower.ravel(), upper.ravel()], axis=1).astype(np.int64)


def never(seam: Seam) -> list[tuple[int, int]]:
    return []


class Faces:
    diagonals = 1

    def __call__(self, seam: Seam) -> NDArray[np.int64]:
        return self.many([seam.labels])[:, 1:]

    def many(self, faces: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> NDArray[np.int64]:
        return np.zeros((0, 3), np.int64)


class Largest:
    def __call__(self, seam: Seam) -> NDArray[np.int64]:
        return np.zeros((0, 5), np.int64)

    def decide(self, copies: Copies, evidence: Evidence) -> Decision:
        none = np.zeros(len(copies), np.bool_)
        return Decision(worth=copies.area, open=none, links=np.zeros((0, 2), np.int64))


class ArraySink:
    block = (64, 64)

    def write(self, where: Region, block: NDArray[Any]) -> None: ...

    def finish(self, provenance: Mapping[str, Any]) -> None: ...

    def read(self) -> Array:
        return np.zeros((8, 8), np.uint32)


@dataclass(frozen=True, kw_only=True)
class ArrayWriter:
    level: int = 3

    def __call__(self, path: str, spec: LabelSpec) -> ArraySink:
        return ArraySink()

    def destination(self, image: str, name: str) -> str:
        return f"{image}.{name}"

    def exists(self, path: str) -> bool:
        return Path(path, "done").exists()

    def beside(self, path: str) -> Path:
        return Path(path)

    def provenance(self, path: str) -> dict[str, Any] | None:
        return None


def write(destination: str, wanted: LabelSpec) -> ArraySink:
    return ArraySink()


readers: list[Reader] = [read, StoreReader()]
labels_reader: LabelsReader = StoreReader()
transforms: list[Transform] = [logarithm, Divided()]
prepared_transform: PreparedTransform = Divided()
located_transform: LocatedTransform = Shaded()
tiler: Tiler = Halves()
segmenters: list[Segmenter] = [bright, Threshold(), Flattened()]
located: LocatedSegmenter = Flattened()
given: list[GivenSegmenter] = [Grown(), Seeded()]
multiple: MultiOutputSegmenter = Twofold()
prepared: PreparedSegmenter = Threshold()
measured: MeasuredSegmenter = Threshold()
network: Network = Sliding()
mergers: list[Merger] = [stitched, never, Faces()]
batch: BatchMerger = Faces()
owning: OwningMerger = Largest()
sink: Sink = ArraySink()
block_sink: BlockSink = ArraySink()
readable_sink: ReadableSink = ArraySink()
writers: list[Writer] = [ArrayWriter(), write]
labels_writer: LabelsWriter = ArrayWriter()
placed_writer: PlacedWriter = ArrayWriter()
recorded_writer: RecordedWriter = ArrayWriter()
