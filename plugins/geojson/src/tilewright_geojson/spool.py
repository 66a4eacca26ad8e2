"""What is kept in files until an object is written: its row of the table, and the outline of its nucleus."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from tilewright.abc import Column, Columns
from tilewright.errors import InvalidMeasures

__all__ = ["Rows", "Texts"]

Record: TypeAlias = np.dtype[np.void]


class Rows:
    """The rows of a table in a file, ascending by `t` and `label`. In memory is the key of each."""

    def __init__(self, file: Path, columns: Mapping[str, Column], n_rows: int) -> None:
        self._dtype: Record = np.dtype([(name, np.dtype(column.dtype)) for name, column in columns.items()])
        self._path = file
        self._path.write_bytes(b"")  # an earlier try may have left rows
        self._labels, self._times = np.zeros(n_rows, np.uint64), np.zeros(n_rows, np.int64)
        self._filled = 0

    def append(self, columns: Columns) -> None:
        """Keep the next rows."""
        rows = np.empty(len(columns["label"]), self._dtype)
        for name, values in columns.items():
            rows[name] = values
        part = slice(self._filled, self._filled + len(rows))
        if part.stop > len(self._labels):
            raise self._miscounted(part.stop)
        self._labels[part], self._times[part] = columns["label"], columns.get("t", 0)
        with self._path.open("ab") as file:
            file.write(rows.tobytes())
        self._filled = part.stop

    def check(self) -> None:
        """InvalidMeasures if there are fewer rows than were announced."""
        if self._filled != len(self._labels):
            raise self._miscounted(self._filled)

    def of(self, label: int, t: int) -> tuple[Any, ...]:
        """The row of an object. InvalidMeasures if it has none."""
        first, stop = np.searchsorted(self._times, (t, t + 1))
        place = int(first + np.searchsorted(self._labels[first:stop], np.uint64(label)))
        if place == stop or self._labels[place] != label:
            raise InvalidMeasures(f"object {label} of the labels has no row in the table; measure these labels again")
        self._file.seek(place * self._dtype.itemsize)
        row: tuple[Any, ...] = np.frombuffer(self._file.read(self._dtype.itemsize), self._dtype)[0].item()
        return row

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @cached_property
    def _file(self) -> BinaryIO:
        return self._path.open("rb")

    def _miscounted(self, count: int) -> InvalidMeasures:
        return InvalidMeasures(
            f"{count:,} rows were written to a table that was opened for {len(self._labels):,}; open it for as many as "
            "there are"
        )


class Texts:
    """Texts of objects in a file. In memory are two numbers for each."""

    def __init__(self, file: Path, texts: Iterable[tuple[int, str]]) -> None:
        ids, stops = array("Q"), array("Q")
        self._file = file.open("w+b")
        for number, text in texts:
            self._file.write(text.encode())
            ids.append(number)
            stops.append(self._file.tell())
        order = np.argsort(np.asarray(ids), kind="stable")
        self._ids = np.asarray(ids)[order]
        self._stops, self._starts = np.asarray(stops)[order], np.asarray(array("Q", [0]) + stops)[order]

    def of(self, number: int) -> str | None:
        """The text of an object; None if it has none."""
        place = np.searchsorted(self._ids, np.uint64(number))
        if place == len(self._ids) or self._ids[place] != number:
            return None
        self._file.seek(int(self._starts[place]))
        return self._file.read(int(self._stops[place] - self._starts[place])).decode()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
