"""Rows on their way into a file: in blocks of one length, and the file aside until it is whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Columns, TableSpec
from tilewright.errors import InvalidMeasures, InvalidOption

__all__ = ["TEXT", "BlockSink", "RowBlocks", "dtypes_of", "file_at"]

BLOCK = 2**26  # bytes of the rows that wait
LONGEST = 2**17  # rows of a block
TEXT = "str"  # the dtype of the column that says the image


def file_at(path: str) -> Path:
    """Where a table of one file goes. InvalidOption for a folder."""
    target = Path(path).absolute()
    if target.is_dir():
        raise InvalidOption(f"{path!r} is a folder, but this table is one file; give the path of a file")
    return target


def dtypes_of(spec: TableSpec) -> dict[str, np.dtype[Any]]:
    """The dtype of each column, that of objects for the texts of a table of several images.

    InvalidOption for one that is neither a number nor a truth value.
    """
    dtypes = {name: np.dtype(column.dtype).newbyteorder("=") for name, column in spec.columns.items()}
    if spec.several_images:
        dtypes |= {name: np.dtype(object) for name, column in spec.columns.items() if column.dtype == TEXT}
    for name, dtype in dtypes.items():
        if dtype.kind == "O" and spec.several_images:
            continue
        if dtype.kind not in "biuf" or dtype.itemsize > 8:
            raise InvalidOption(
                f"column {name!r} has dtype {str(dtype)!r}, but tables hold bool, and integers and floats of up to 64 "
                "bits; declare another dtype"
            )
    return dtypes


def _length(spec: TableSpec) -> int:
    """How many rows go into a file at a time: as many as memory allows, whatever the number of columns."""
    row = sum(dtype.itemsize for dtype in dtypes_of(spec).values())
    return max(1, min(BLOCK // row, LONGEST))


class RowBlocks:
    """Rows that come in any number and leave in blocks of one length, the last of which may be shorter.

    So the bytes of a file do not depend on how many rows a call brings. A block is overwritten by the next one.
    """

    def __init__(self, spec: TableSpec, length: int) -> None:
        self._expected = None if spec.several_images else spec.n_rows
        self._length, self._filled, self.count = length, 0, 0
        most = length if self._expected is None else min(length, self._expected)
        self._block = {name: np.empty(most, dtype) for name, dtype in dtypes_of(spec).items()}

    def add(self, columns: Columns) -> Iterator[Columns]:
        """The blocks that are full with these rows."""
        n = len(next(iter(columns.values())))
        if self._expected is not None and self.count + n > self._expected:
            raise self._miscounted(self.count + n)
        taken = 0
        while taken < n:
            end = min(taken + self._length - self._filled, n)
            filled = self._filled + end - taken
            for name, values in self._block.items():
                values[self._filled : filled] = columns[name][taken:end]
            self._filled, taken = filled, end
            if filled == self._length:
                yield self._taken()
        self.count += n

    def rest(self) -> Iterator[Columns]:
        """The last block. InvalidMeasures if there are fewer rows than were announced."""
        if self._expected not in (None, self.count):
            raise self._miscounted(self.count)
        if self._filled:
            yield self._taken()

    def _taken(self) -> dict[str, NDArray[Any]]:
        filled, self._filled = self._filled, 0
        return {name: values[:filled] for name, values in self._block.items()}

    def _miscounted(self, count: int) -> InvalidMeasures:
        return InvalidMeasures(
            f"{count:,} rows were written to a table that was opened for {self._expected:,}; open it for as many as "
            "there are"
        )


class BlockSink(ABC):
    """A table that is filled by blocks of `length` rows."""

    def __init__(self, spec: TableSpec) -> None:
        self.spec, self.length = spec, _length(spec)
        self._blocks = RowBlocks(spec, self.length)

    def write(self, columns: Columns) -> None:
        """Append rows."""
        for block in self._blocks.add(columns):
            self.append(block)

    def finish(self, provenance: Mapping[str, Any]) -> None:
        """Write the rows that wait, complete the table, and put it into its place."""
        for block in self._blocks.rest():
            self.append(block)
        self.spec = replace(self.spec, n_rows=self._blocks.count)
        self.complete(provenance)

    @abstractmethod
    def append(self, block: Columns) -> None:
        """Write a block aside."""

    @abstractmethod
    def complete(self, provenance: Mapping[str, Any]) -> None:
        """Write what stands behind the rows, and put the table into its place."""
