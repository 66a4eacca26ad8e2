"""The tests of a writer."""

from __future__ import annotations

import hashlib
import itertools
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..abc.traits import SinkTraits, WriterTraits
from ..abc.writer import LabelSpec, Sink
from ..components.resolve import component
from ..errors import TilewrightError
from ..tiling.regions import Region
from .kit import Kit
from .offers import format_of

__all__ = ["PROVENANCE", "WriterTests", "content"]

PROVENANCE = {"tilewright": "0.1.0", "source": "cells.tif", "n_objects": 3, "pipeline": {"segmenter": {"name": "a"}}}


class WriterTests(Kit):
    """Tests of a writer. The fixture `writer` returns it: an instance, a function, or an installed one's name.

        class TestLab(WriterTests):
            @pytest.fixture
            def writer(self):
                return "lab"

    axes, shape: of the labels that are written; inherit once more for others.
    dtypes: the dtypes of labels that the format holds; the largest id of each is written, the others must be refused.
    suffix: of the path; the first that the writer's spec claims, if not said.
    read(path, sink): override it if your sinks have no `read()`: the finished labels.
    """

    axes: ClassVar[str] = "yx"
    shape: ClassVar[tuple[int, ...]] = (70, 85)
    dtypes: ClassVar[Sequence[str]] = ("uint32", "uint64")
    suffix: ClassVar[str | None] = None

    def read(self, path: Path, sink: Sink) -> NDArray[Any]:
        """The labels that were finished at a path."""
        read = SinkTraits.of(sink).read
        assert read is not None, f"the sink of {path.name} has no read(); override read(self, path, sink) in the test"
        return np.asarray(read()[(slice(None),) * len(self.shape)])

    def test_blocks_in_any_order_make_the_whole(self, writer: Any, tmp_path: Path) -> None:
        for seed in range(2):
            folder, labels = tmp_path / str(seed), self._labels("uint32", seed)
            path, sink = self._open(writer, folder, labels)
            self._fill(sink, labels, seed)
            sink.finish(PROVENANCE)
            self._check(path, sink, labels, "blocks written in a random order")

    def test_the_block_is_a_shape(self, writer: Any, tmp_path: Path) -> None:
        _, sink = self._open(writer, tmp_path, self._labels("uint32"))
        block = SinkTraits.of(sink).block or self.shape
        assert [step >= 1 for step in block] == [True] * len(self.shape), (
            f"block is {block}; give a positive number of pixels for each of {self.axes!r}, what is stored in one piece"
        )

    def test_blocks_that_never_come_are_background(self, writer: Any, tmp_path: Path) -> None:
        labels = self._labels("uint32")
        labels[: self.shape[0] // 2] = 0
        path, sink = self._open(writer, tmp_path, labels)
        self._fill(sink, labels)
        sink.finish(PROVENANCE)
        self._check(path, sink, labels, "empty blocks that were never written")

    def test_no_objects_at_all_are_an_output_too(self, writer: Any, tmp_path: Path) -> None:
        labels = np.zeros(self.shape, "uint32")
        path, sink = self._open(writer, tmp_path, labels)
        sink.finish(PROVENANCE)
        self._check(path, sink, labels, "an image without objects")

    def test_large_ids_are_kept(self, writer: Any, tmp_path: Path) -> None:
        for dtype in self.dtypes:
            labels = self._labels(dtype)
            labels[labels == labels.max()] = np.iinfo(dtype).max
            path, sink = self._open(writer, tmp_path / dtype, labels)
            self._fill(sink, labels)
            sink.finish(PROVENANCE)
            self._check(path, sink, labels, f"ids up to {np.iinfo(dtype).max:,}")

    def test_ids_that_the_format_cannot_hold_are_refused(self, writer: Any, tmp_path: Path) -> None:
        for dtype in {"uint32", "uint64"} - set(self.dtypes):
            try:
                self._open(writer, tmp_path / dtype, self._labels(dtype))
            except TilewrightError:
                continue
            raise AssertionError(f"labels of dtype {dtype} are taken, but dtypes does not name it; raise InvalidOption")

    def test_a_block_may_come_again(self, writer: Any, tmp_path: Path) -> None:
        labels = self._labels("uint32")
        path, sink = self._open(writer, tmp_path, labels)
        for seed in (0, 1):
            self._fill(sink, labels, seed)
        sink.finish(PROVENANCE)
        self._check(path, sink, labels, "every block written twice")

    def test_reopened_it_goes_on(self, writer: Any, tmp_path: Path) -> None:
        labels = self._labels("uint32")
        _, first = self._open(writer, tmp_path, labels)
        self._fill(first, labels, part=slice(0, None, 2))
        path, second = self._open(writer, tmp_path, labels)
        self._fill(second, labels, part=slice(1, None, 2))
        second.finish(PROVENANCE)
        self._check(path, second, labels, "a half each by two sinks, as after a kill")

    def test_processes_and_threads_write_together(self, writer: Any, tmp_path: Path) -> None:
        labels = self._labels("uint32")
        path, sink = self._open(writer, tmp_path, labels)
        try:
            copies = [pickle.loads(pickle.dumps(sink)) for _ in range(4)]
        except Exception as error:
            raise AssertionError(
                f"the sink cannot be pickled ({error}); keep paths in it, and open files late"
            ) from error
        with ThreadPoolExecutor(len(copies)) as threads:
            list(threads.map(lambda n: self._fill(copies[n], labels, part=slice(n, None, 4)), range(4)))
        sink.finish(PROVENANCE)
        self._check(path, sink, labels, "blocks written by copies of the sink, from several threads")

    def test_nothing_is_visible_before_finish(self, writer: Any, tmp_path: Path) -> None:
        labels = self._labels("uint32")
        path, sink = self._open(writer, tmp_path, labels)
        self._fill(sink, labels)
        assert not path.exists(), f"{path.name} is there before finish; build it in spec.workdir and rename it"
        sink.finish(PROVENANCE)
        assert path.exists(), f"{path.name} is not there after finish"

    def test_an_earlier_output_stays_until_the_new_one_is_whole(self, writer: Any, tmp_path: Path) -> None:
        old, new = self._labels("uint32"), self._labels("uint32", 1)
        path, sink = self._open(writer, tmp_path, old)
        self._fill(sink, old)
        sink.finish(PROVENANCE)
        before = content(path)
        path, sink = self._open(writer, tmp_path, new, run="second")
        self._fill(sink, new)
        assert content(path) == before, f"the earlier {path.name} changed before finish; build in spec.workdir"
        sink.finish(PROVENANCE)
        self._check(path, sink, new, "a second output over the first")

    def test_what_was_run_is_read_again(self, writer: Any, tmp_path: Path) -> None:
        traits, labels = WriterTraits.of(component("writer", writer)), self._labels("uint32")
        path, sink = self._open(writer, tmp_path, labels)
        assert traits.provenance(str(path)) is None, "provenance tells of labels that are not there"
        self._fill(sink, labels)
        sink.finish(PROVENANCE)
        held = traits.provenance(str(path))
        if held is not None:
            lost = [name for name, value in PROVENANCE.items() if held.get(name) != value]
            assert not lost, f"provenance does not give what finish was given: {', '.join(lost)}"

    def _labels(self, dtype: str, seed: int = 0) -> NDArray[Any]:
        """Boxes of a few pixels, a third of them background, each with an id of its own."""
        boxes = np.indices(self.shape) // 7
        labels = np.ravel_multi_index(tuple(boxes), [-(-n // 7) for n in self.shape]) + 1
        return np.where(labels % 3 == seed % 3, 0, labels).astype(dtype)

    def _open(self, writer: Any, folder: Path, labels: NDArray[Any], run: str = "run") -> tuple[Path, Sink]:
        made: Callable[..., Sink] = component("writer", writer)
        workdir = folder / run
        workdir.mkdir(parents=True, exist_ok=True)
        path = folder / f"labels{self._suffix(writer)}"
        spec = LabelSpec(
            shape=self.shape,
            axes=self.axes,
            dtype=labels.dtype,
            workdir=workdir,
            spacing={axis: 0.5 for axis in self.axes if axis in "zyx"},
            units={axis: "micrometer" for axis in self.axes if axis in "zyx"},
            tile=tuple(min(n, 32) for n in self.shape),
        )
        sink: Any = made(str(path), spec)
        missing = [name for name in ("write", "finish") if not hasattr(sink, name)]
        assert not missing, f"it returned {type(sink).__name__} without {' and '.join(missing)}; return a sink"
        return path, sink

    def _suffix(self, writer: Any) -> str:
        return self.suffix if self.suffix is not None else next(iter(format_of("writer", writer).suffixes), "")

    def _fill(self, sink: Sink, labels: NDArray[Any], seed: int = 0, part: slice = slice(None)) -> None:
        """Write a part of the blocks in an order of no kind. Those without objects are left out, as a run does."""
        block = SinkTraits.of(sink).block or tuple(min(n, 32) for n in self.shape)
        regions = _regions(self.shape, block)
        for index in np.random.default_rng(seed).permutation(len(regions))[part]:
            if labels[regions[index]].any():
                sink.write(regions[index], labels[regions[index]])

    def _check(self, path: Path, sink: Sink, labels: NDArray[Any], what: str) -> None:
        found = self.read(path, sink)
        assert found.shape == labels.shape, f"{what}: read back with shape {found.shape}, written {labels.shape}"
        wrong = int((found != labels).sum())
        assert not wrong, f"{what}: {wrong:,} of {labels.size:,} pixels are not read back as they were written"


def _regions(shape: Sequence[int], block: Sequence[int]) -> list[Region]:
    spans = [[slice(at, min(at + b, n)) for at in range(0, n, b)] for n, b in zip(shape, block, strict=True)]
    return list(itertools.product(*spans))


def content(path: Path) -> dict[str, str]:
    """A digest of each file at a path or below it."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
