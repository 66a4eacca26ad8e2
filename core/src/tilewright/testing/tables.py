"""The tests of a table's format."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..abc.measurer import Column, Facts
from ..abc.table import TableSink, TableSpec
from ..abc.traits import SinkTraits, WriterTraits
from ..components.resolve import component
from .kit import Kit
from .offers import format_of
from .writers import PROVENANCE, content

__all__ = ["TableTests"]

Rows = Mapping[str, NDArray[Any]]

KEY = {"t": Column(dtype="int64"), "label": Column(dtype="uint64"), "image": Column(dtype="str")}
SIDE = 24  # pixels of the labels along both axes


class TableTests(Kit):
    """Tests of a table's format. The fixture `table` returns it: an instance, a function, or an installed one's name.

        class TestLab(TableTests):
            @pytest.fixture
            def table(self):
                return "lab"

    dtypes: those of columns that the format keeps.
    suffix: of the path; the first that the format's spec claims if None.
    path(folder, table): override it if the table's place is another one, and make what has to be there.
    read(path, sink): override it if your sinks have no `read()`: the columns of the finished table.
    """

    dtypes: ClassVar[Sequence[str]] = ("bool", "uint8", "int32", "int64", "uint64", "float32", "float64")
    suffix: ClassVar[str | None] = None

    def path(self, folder: Path, table: Any) -> Path:
        """Where the table goes."""
        suffix = self.suffix if self.suffix is not None else next(iter(format_of("table", table).suffixes), "")
        return folder / f"cells{suffix}"

    def read(self, path: Path, sink: TableSink) -> Rows:
        """The columns that were finished at a path."""
        read = SinkTraits.of(sink).read
        assert read is not None, f"the sink of {path.name} has no read(); override read(self, path, sink) in the test"
        return {name: np.asarray(values[...]) for name, values in read().items()}

    def test_rows_are_read_back_as_they_were_written(self, table: Any, tmp_path: Path) -> None:
        path, rows = self.path(tmp_path, table), self._rows()
        sink = self._open(table, path, tmp_path / "work", rows)
        self._fill(sink, rows)
        self._finish(path, sink, rows)

    def test_times_are_a_part_of_the_key(self, table: Any, tmp_path: Path) -> None:
        path, rows = self.path(tmp_path, table), self._rows(times=True)
        sink = self._open(table, path, tmp_path / "work", rows)
        self._fill(sink, rows)
        self._finish(path, sink, rows)

    def test_no_rows_are_a_table_too(self, table: Any, tmp_path: Path) -> None:
        path, rows = self.path(tmp_path, table), {name: values[:0] for name, values in self._rows().items()}
        sink = self._open(table, path, tmp_path / "work", rows)
        sink.write(rows)
        self._finish(path, sink, rows)

    def test_nothing_is_visible_before_finish(self, table: Any, tmp_path: Path) -> None:
        path, rows = self.path(tmp_path, table), self._rows()
        sink = self._open(table, path, tmp_path / "work", rows)
        self._fill(sink, rows)
        assert not path.exists(), f"{path.name} is there before finish; build it in spec.workdir and rename it"
        sink.finish(PROVENANCE)
        assert path.exists(), f"{path.name} is not there after finish"

    def test_an_earlier_table_stays_until_the_new_one_is_whole(self, table: Any, tmp_path: Path) -> None:
        path, old, new = self.path(tmp_path, table), self._rows(), self._rows(seed=1)
        sink = self._open(table, path, tmp_path / "work", old)
        self._fill(sink, old)
        sink.finish(PROVENANCE)
        before = content(path)
        sink = self._open(table, path, tmp_path / "work", new)
        self._fill(sink, new)
        assert content(path) == before, f"the earlier {path.name} changed before finish; build in spec.workdir"
        self._finish(path, sink, new)

    def test_a_second_try_begins_anew(self, table: Any, tmp_path: Path) -> None:
        path, rows = self.path(tmp_path, table), self._rows()
        killed = self._open(table, path, tmp_path / "work", rows)
        killed.write({name: values[:5] for name, values in rows.items()})
        sink = self._open(table, path, tmp_path / "work", rows)
        self._fill(sink, rows)
        self._finish(path, sink, rows)

    def test_the_table_of_several_images_says_the_image_of_each_row(self, table: Any, tmp_path: Path) -> None:
        path, rows = self.path(tmp_path, table), self._rows()
        if not WriterTraits.of(component("table", table), "table").several_images:
            raise unittest.SkipTest("it does not declare several_images, so it is not asked to write such a table")
        names = np.array(["B/1", "A/1"], object).repeat(len(rows["label"]))
        rows = {"image": names} | {name: np.concatenate([values, values]) for name, values in rows.items()}
        sink = self._open(table, path, tmp_path / "work", rows)
        self._fill(sink, rows)
        self._finish(path, sink, rows)

    def _rows(self, *, times: bool = False, seed: int = 0) -> Rows:
        """A row for each object of the labels, whose ids end at the largest, and columns of all dtypes."""
        n, random = len(_squares()[1]), np.random.default_rng(seed)
        values = {f"{dtype}_values": _values(random, np.dtype(dtype), n) for dtype in self.dtypes}
        return ({"t": np.zeros(n, np.int64)} if times else {}) | {"label": _squares()[1]} | values

    def _open(self, table: Any, path: Path, workdir: Path, rows: Rows) -> TableSink:
        made: Callable[..., Any] = component("table", table)
        workdir.mkdir(exist_ok=True)
        labels, times, several = _squares()[0], "t" in rows, "image" in rows
        sink = made(
            str(path),
            TableSpec(
                columns={name: KEY.get(name) or Column(dtype=str(values.dtype)) for name, values in rows.items()},
                n_rows=0 if several else len(rows["label"]),
                several_images=several,
                facts=Facts(axes="yx", shape=labels.shape, spacing=(0.5, 0.5), units=("micrometer",) * 2, times=times),
                labels=(labels[np.newaxis] if times else labels) * bool(len(rows["label"])),
                workdir=workdir,
            ),
        )
        missing = [name for name in ("write", "finish") if not hasattr(sink, name)]
        assert not missing, f"it returned {type(sink).__name__} without {' and '.join(missing)}; return a sink"
        return sink  # type: ignore[no-any-return]  # it has what a sink has

    def _fill(self, sink: TableSink, rows: Rows) -> None:
        for start in range(0, len(rows["label"]), 7):
            sink.write({name: values[start : start + 7] for name, values in rows.items()})

    def _finish(self, path: Path, sink: TableSink, rows: Rows) -> None:
        sink.finish(PROVENANCE)
        found = self.read(path, sink)
        assert list(found) == list(rows), f"columns {list(found)} are read back, {list(rows)} were written"
        for name, values in rows.items():
            assert found[name].dtype == values.dtype, (
                f"the column {name!r} of {values.dtype} is read back as {found[name].dtype}; keep it, or leave the "
                "dtype out of dtypes"
            )
            same = np.array_equal(found[name], values, equal_nan=values.dtype.kind == "f")
            assert same, f"the column {name!r} is not read back as it was written"


def _squares() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Labels of squares, and their ids, which end at the largest."""
    n = (SIDE // 4) ** 2
    ids = np.uint64(2**64 - 1) - np.arange(n, dtype=np.uint64)[::-1]
    y, x = np.indices((SIDE, SIDE))
    labels = ids[y // 4 * (SIDE // 4) + x // 4] * ((y % 4 > 0) & (x % 4 > 0))
    return labels.astype(np.uint64), ids


def _values(random: np.random.Generator, dtype: np.dtype[Any], n: int) -> NDArray[Any]:
    """Values over the whole range of a dtype; every fifth float is missing."""
    if dtype.kind == "f":
        floats = (random.standard_normal(n) * 10.0 ** random.integers(-3, 4, n)).astype(dtype)
        floats[::5] = np.nan
        return floats
    if dtype.kind == "b":
        return random.random(n) < 0.5
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, n, dtype, endpoint=True)
