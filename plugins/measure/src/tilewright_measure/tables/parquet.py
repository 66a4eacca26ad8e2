"""The format `parquet`: columns with their dtypes, units and provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from tilewright.abc import Columns, TableSpec

from .arrow import batch, schema_of
from .columns import columns_of, stored_columns
from .rows import TEXT, BlockSink, file_at

__all__ = ["ParquetFile", "ParquetSink", "ParquetTable"]


@dataclass(frozen=True, kw_only=True)
class ParquetTable:
    """Write a table as Parquet.

    The key `tilewright` of the file's metadata has the provenance as JSON, and the metadata of a field its `unit`. Rows
    are sorted by the key, and declared so, but not in the table of several images. InvalidOption for a path that is a
    folder.
    """

    several_images: ClassVar[bool] = True

    def __call__(self, path: str, spec: TableSpec) -> ParquetSink:
        return ParquetSink(file_at(path), spec)

    def opened(self, path: str) -> Columns:
        """The columns of the file at the path, which are read when they are asked for."""
        with parquet.ParquetFile(path) as file:
            dtypes = {field.name: np.dtype(field.type.to_pandas_dtype()) for field in file.schema_arrow}
            rows = file.metadata.num_rows
            length = file.metadata.row_group(0).num_rows if file.metadata.num_row_groups else 1
        return columns_of(dtypes, rows, partial(_load, Path(path), length))

    def provenance(self, path: str) -> Mapping[str, Any] | None:
        """What the metadata of the file at the path holds; None for a file of another tool."""
        if not Path(path).exists():
            return None
        with parquet.ParquetFile(path) as file:
            held = (file.metadata.metadata or {}).get(b"tilewright")
        return None if held is None else json.loads(held)


class ParquetFile(BlockSink):
    """A table that grows in a Parquet file by groups of rows."""

    def __init__(self, file: Path, spec: TableSpec) -> None:
        super().__init__(spec)
        self.file, self._schema = file, schema_of(spec)

    def append(self, block: Columns) -> None:
        """Write a group of rows."""
        self._writer.write_batch(batch(block, self._schema))

    def close(self, provenance: Mapping[str, Any]) -> None:
        """Complete the file."""
        self._writer.add_key_value_metadata({"tilewright": json.dumps(dict(provenance), ensure_ascii=False)})
        self._writer.close()

    def columns(self, file: Path) -> Columns:
        """The columns of the file, wherever it lies now; only the groups with the rows that are asked for are read."""
        return stored_columns(self.spec, partial(_load, file, self.length))

    @cached_property
    def _writer(self) -> parquet.ParquetWriter:
        several = self.spec.several_images
        key = [(name, "ascending") for name in ("t", "label") if name in self._schema.names and not several]
        return parquet.ParquetWriter(
            self.file,
            self._schema,
            compression="zstd",
            use_dictionary=[name for name, column in self.spec.columns.items() if column.dtype == TEXT],  # others vary
            sorting_columns=parquet.SortingColumn.from_ordering(self._schema, key) if key else None,
        )


class ParquetSink(ParquetFile):
    """A file that is put into its place when it is complete."""

    def __init__(self, path: Path, spec: TableSpec) -> None:
        super().__init__(spec.workdir / "table.parquet", spec)
        self.path = path

    def complete(self, provenance: Mapping[str, Any]) -> None:
        self.close(provenance)
        self.file.replace(self.path)

    def read(self) -> Columns:
        """The columns of the finished table."""
        return self.columns(self.path)


def _load(file: Path, length: int, name: str, start: int, stop: int) -> NDArray[Any]:
    """Some rows of a column, out of the groups of that length that they lie in."""
    first = start // length
    with parquet.ParquetFile(file) as opened:
        column: pa.ChunkedArray = opened.read_row_groups(range(first, -(-stop // length)), columns=[name]).column(0)
    values: NDArray[Any] = column.to_numpy()[start - first * length : stop - first * length]
    return values
