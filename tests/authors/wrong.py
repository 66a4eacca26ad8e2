"""Components that a run could not use: both type checkers refuse each in the line that is marked, and no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, LabelSpec, Needs, Placement, Seam, TileGrid
from tilewright.abc import (
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
    Windows,
    Writer,
)


def pixels_of(path: str) -> NDArray[Any]:
    return np.zeros((8, 8))


def read_level(path: str, level: int) -> Image:
    return Image(pixels_of(path), axes="yx")


def read(path: str) -> Image:
    return Image(pixels_of(path), axes="yx")


class CountingReader:
    def __call__(self, path: str) -> Image:
        return read(path)

    def labels(self, path: str) -> int:
        return 3


def whole(image: Image) -> TileGrid:
    return TileGrid.regular(image.axes, shape=image.shape, tile=image.shape, halo=[0, 0])


def cores(image: Image, needs: Needs) -> list[tuple[slice, ...]]:
    return []


def objects(pixels: NDArray[Any]) -> tuple[NDArray[Any], int]:
    return pixels, 1


def thresholded(pixels: NDArray[Any], threshold: float) -> NDArray[Any]:
    return pixels > threshold


def of_image(image: Image) -> NDArray[Any]:
    return image.read(())


class Unlocated:
    def __call__(self, pixels: NDArray[Any], place: Placement | None = None) -> NDArray[Any]:
        return pixels


class OnlyInRuns:
    located = True

    def __call__(self, pixels: NDArray[Any], place: Placement) -> NDArray[Any]:
        return pixels


class Changing:
    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        return pixels

    def prepare(self, image: Image) -> None: ...

    def memory(self, shape: tuple[int, ...]) -> int:
        return 0


class Unusable:
    def prepare(self, image: Image) -> Unlocated:
        return Unlocated()


class OneHalf(Unlocated):
    predictions: Mapping[str, Prediction] = {}

    def windows(self, image: Image, budget: int) -> list[Windows]:
        return []

    def predict(self, windows: Sequence[NDArray[Any]], which: int) -> list[NDArray[Any]]:
        return list(windows)


def alike(seam: Seam) -> bool:
    return True


def by_labels(lower: NDArray[Any], upper: NDArray[Any]) -> NDArray[Any]:
    return np.stack([lower, upper])


class OneFace:
    def __call__(self, seam: Seam) -> NDArray[np.int64]:
        return np.zeros((0, 2), np.int64)

    def many(self, face: NDArray[Any]) -> NDArray[np.int64]:
        return np.zeros((0, 3), np.int64)


class Undecided:
    def __call__(self, seam: Seam) -> NDArray[np.int64]:
        return np.zeros((0, 5), np.int64)

    def decide(self, copies: Copies, evidence: Evidence) -> NDArray[np.int64]:
        return copies.area


class Unseeing(Undecided):
    def decide(self, copies: Copies) -> Decision:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return Decision(worth=copies.area, open=copies.known, links=np.zeros((0, 2), np.int64))


class NoFinish:
    def write(self, region: Region, labels: NDArray[Any]) -> None: ...


class ByKeyword:
    def write(self, *, region: Region, labels: NDArray[Any]) -> None: ...

    def finish(self, provenance: Mapping[str, Any]) -> None: ...


class Square:
    block = 64

    def write(self, region: Region, labels: NDArray[Any]) -> None: ...

    def finish(self, provenance: Mapping[str, Any]) -> None: ...

    def read(self) -> None: ...


class Misplaced:
    def __call__(self, path: str, spec: LabelSpec) -> Square:
        return Square()

    def destination(self, image: str) -> str:
        return image

    def exists(self, path: str) -> bool:
        return False

    def beside(self, path: str) -> str:
        return path

    def provenance(self, path: str) -> str:
        return path


def write(path: str, labels: Sequence[int]) -> NoFinish:
    return NoFinish()


def open_sink(path: str, spec: LabelSpec) -> NoFinish:
    return NoFinish()


reader_of_pixels: Reader = pixels_of  # refused
reader_with_level: Reader = read_level  # refused
reader_without_labels: LabelsReader = read  # refused
reader_that_counts: LabelsReader = CountingReader()  # refused
transform_that_counts: Transform = objects  # refused
transform_of_images: Transform = of_image  # refused
transform_located_undeclared: LocatedTransform = Unlocated()  # refused
transform_prepared_in_place: PreparedTransform = Changing()  # refused
tiler_without_needs: Tiler = whole  # refused
tiler_of_slices: Tiler = cores  # refused
segmenter_that_counts: Segmenter = objects  # refused
segmenter_with_option: Segmenter = thresholded  # refused
segmenter_of_images: Segmenter = of_image  # refused
segmenter_without_call: Segmenter = Unusable()  # refused
located_undeclared: LocatedSegmenter = Unlocated()  # refused
given_undeclared: GivenSegmenter = Unlocated()  # refused
multiple_undeclared: MultiOutputSegmenter = Unlocated()  # refused
located_in_runs_alone: LocatedSegmenter = OnlyInRuns()  # refused
prepared_in_place: PreparedSegmenter = Changing()  # refused
prepared_without_call: PreparedSegmenter = Unusable()  # refused
measured_without_dtype: MeasuredSegmenter = Changing()  # refused
network_without_decode: Network = OneHalf()  # refused
merger_of_truth: Merger = alike  # refused
merger_of_labels: Merger = by_labels  # refused
batch_of_one: BatchMerger = OneFace()  # refused
owning_without_decision: OwningMerger = Undecided()  # refused
owning_without_evidence: OwningMerger = Unseeing()  # refused
owning_that_never_decides: OwningMerger = OneFace()  # refused
sink_without_finish: Sink = NoFinish()  # refused
sink_by_keyword: Sink = ByKeyword()  # refused
writer_without_spec: Writer = write  # refused
writer_of_no_sink: Writer = open_sink  # refused
sink_of_squares: BlockSink = Square()  # refused
sink_that_reads_nothing: ReadableSink = Square()  # refused
writer_without_names: LabelsWriter = Misplaced()  # refused
writer_beside_text: PlacedWriter = Misplaced()  # refused
writer_that_records_text: RecordedWriter = Misplaced()  # refused
