"""The format `csv`: a line for each object, for spreadsheets and everything else."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from tilewright.abc import Columns, TableSpec

from .arrow import schema_of
from .columns import stored_columns
from .rows import BlockSink, file_at

__all__ = ["CsvSink", "CsvTable"]


@dataclass(frozen=True, kw_only=True)
class CsvTable:
    """Write a table as text: the first line has the names, and each other line an object.

    The file is UTF-8, with commas, or with tabs if its name ends in `.tsv`. A float is the shortest text that reads as
    the same number, and nothing where an object has no value. CSV has no place for dtypes, units or provenance.
    InvalidOption for a path that is a folder.
    """

    several_images: ClassVar[bool] = True

    def __call__(self, path: str, spec: TableSpec) -> CsvSink:
        return CsvSink(file_at(path), spec)


class CsvSink(BlockSink):
    """A file of lines that grows aside."""

    def __init__(self, path: Path, spec: TableSpec) -> None:
        super().__init__(spec)
        self.path, self._schema = path, schema_of(spec)
        self._delimiter = "\t" if path.suffix.lower() == ".tsv" else ","

    def append(self, block: Columns) -> None:
        values = [_nullable(block[name]) for name in self._schema.names]
        self._lines.write_batch(pa.record_batch(values, self._schema))

    def complete(self, provenance: Mapping[str, Any]) -> None:  # noqa: ARG002 - CSV has no place for it
        self._lines.close()
        self._file.close()
        self._aside.replace(self.path)

    def read(self) -> Columns:
        """The columns of the finished table, of their dtypes. The whole file is parsed for each."""
        return stored_columns(self.spec, self._load)

    def _load(self, name: str, start: int, stop: int) -> NDArray[Any]:
        kind = self._schema.field(name).type
        kind = pa.float32() if pa.types.is_float16(kind) else kind  # Arrow parses none of 16 bits
        options = arrow_csv.ConvertOptions(include_columns=[name], column_types={name: kind})
        form = arrow_csv.ParseOptions(delimiter=self._delimiter)
        column = arrow_csv.read_csv(self.path, parse_options=form, convert_options=options).column(name)
        values: NDArray[Any] = column.to_numpy()[start:stop]
        return values

    @property
    def _aside(self) -> Path:
        return self.spec.workdir / "table.csv"

    @cached_property
    def _file(self) -> pa.NativeFile:
        header = io.StringIO()  # Arrow would put every name into quotes
        csv.writer(header, delimiter=self._delimiter, lineterminator="\n").writerow(self._schema.names)
        file = pa.OSFile(str(self._aside), "wb")
        file.write(header.getvalue().encode())
        return file

    @cached_property
    def _lines(self) -> arrow_csv.CSVWriter:
        options = arrow_csv.WriteOptions(include_header=False, delimiter=self._delimiter)
        return arrow_csv.CSVWriter(self._file, self._schema, write_options=options)


def _nullable(values: NDArray[Any]) -> pa.Array:
    """Values for Arrow, which writes nothing for a missing one, but `nan` for NaN."""
    return pa.array(values, mask=np.isnan(values) if values.dtype.kind == "f" else None)
