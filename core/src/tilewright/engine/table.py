"""The table of a run: how it is written, and what a user gets of it."""

from __future__ import annotations

import hashlib
import shutil
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..abc.measurer import Column, Columns
from ..abc.table import TableSink, TableSpec
from ..abc.traits import SinkTraits
from ..components.blame import blamed
from ..errors import InvalidLabels, InvalidOption
from ..io.destination import Destination
from .measuring import Measurement
from .steps.label_images import LabelArray
from .steps.measure import Measuring
from .steps.write import opened_sink

__all__ = [
    "Table",
    "check_same_labels",
    "described",
    "opened_table",
    "placed_table",
    "remove_table_with",
    "table_at",
    "table_spec",
    "try_table",
    "write_table",
]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Table:
    """A finished table: a row for each object (and time), in the order of `t` and `label`.

    Columns are read when they are asked for: `table["area"]` is an array.

    path: where it is. columns: dtype and unit by name. n_rows: how many objects it has.
    too_large: time and id of each object that was too large to be measured whole: its columns of such measurers are
    empty. provenance: how it was made; `labels` has the fingerprint of the label image that it belongs to.
    """

    path: Path
    columns: Mapping[str, Column]
    n_rows: int
    too_large: tuple[tuple[int, int], ...]
    provenance: Mapping[str, Any]
    data: Columns | None
    holds: Any = None  # what keeps the table's folder, if it is a temporary one

    @property
    def names(self) -> list[str]:
        """The names of the columns, in their order."""
        return list(self.columns)

    def __len__(self) -> int:
        return self.n_rows

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __repr__(self) -> str:
        return f"Table({self.n_rows:,} rows of {len(self.columns)} columns, path={str(self.path)!r})"

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A column. KeyError for a name that it does not have; InvalidOption if the format cannot be read back."""
        if name not in self.columns:
            raise KeyError(f"the table has no column {name!r}; it has: {', '.join(self.columns)}")
        return np.asarray(self._read[name][:])

    def rows(self, start: int, stop: int) -> dict[str, NDArray[Any]]:
        """Some rows of all columns. InvalidOption if the format cannot be read back."""
        return {name: np.asarray(self._read[name][start:stop]) for name in self.columns}

    @property
    def _read(self) -> Columns:
        if self.data is None:
            raise InvalidOption(f"the format of {self.path} cannot open what it wrote; open it with another tool")
        return self.data

    def to_pandas(self) -> Any:
        """The table as a pandas DataFrame. InvalidOption if pandas is not installed."""
        return _library("pandas").DataFrame({name: self[name] for name in self.columns})

    def to_arrow(self) -> Any:
        """The table as a pyarrow Table. InvalidOption if pyarrow is not installed."""
        return _library("pyarrow").table({name: self[name] for name in self.columns})


def described(measurement: Measurement) -> dict[str, Any]:
    """What the provenance of labels holds of their table, so that it is known without a format that reads it."""
    columns = {name: [column.dtype, column.unit] for name, column in measurement.measuring.columns.items()}
    return {"n_rows": measurement.n_rows, "columns": columns, "too_large": list(measurement.large)}


def table_at(path: Path, record: Mapping[str, Any], provenance: Mapping[str, Any], data: Columns | None) -> Table:
    """The table at a path, of which the provenance of its labels holds this record."""
    return Table(
        path=path,
        columns={name: Column(dtype=dtype, unit=unit) for name, (dtype, unit) in record["columns"].items()},
        n_rows=record["n_rows"],
        too_large=tuple((time, label) for time, label in record["too_large"]),
        provenance=provenance,
        data=data,
    )


def _library(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InvalidOption(
            f"{name} is not installed; install it (pip install {name}), or read columns one by one"
        ) from error


def remove_table_with(table: Table, folder: Path) -> None:
    """Remove a temporary folder once nobody holds the table."""
    weakref.finalize(table, shutil.rmtree, folder, ignore_errors=True)


def check_same_labels(table: Mapping[str, Any], labels: Mapping[str, Any]) -> None:
    """InvalidLabels, with both fingerprints, if a table was not made of these labels, by the provenance of both."""
    own, theirs = table.get("labels", {}).get("fingerprint"), labels.get("fingerprint")
    if own is None or own != theirs:
        raise InvalidLabels(
            f"the table was made of labels with the fingerprint {own}, but these labels have {theirs}; measure them "
            "again (tilewright measure)"
        )


def table_spec(measuring: Measuring, n_rows: int, path: str, name: str) -> TableSpec:
    """What a table's format is told. path, name: of the labels."""
    return TableSpec(
        columns=measuring.columns,
        n_rows=n_rows,
        facts=measuring.facts,
        labels=LabelArray(measuring.labels, measuring.blocks),
        labels_path=path,
        name=name,
        workdir=measuring.workdir,
    )


def opened_table(home: Destination, spec: TableSpec) -> TableSink:
    """The sink of a table. ComponentFailed if its format fails, or returns something that cannot be filled."""
    spec.workdir.mkdir(parents=True, exist_ok=True)
    sink: TableSink = opened_sink("table", home.writer, home.path, spec)
    return sink


def try_table(home: Destination, spec: TableSpec) -> None:
    """Have a format begin a table that is thrown away, so that what it refuses is refused before any work."""
    trial = spec.workdir / "trial"
    shutil.rmtree(trial, ignore_errors=True)
    trial.mkdir(parents=True)
    opened_table(home, replace(spec, workdir=trial))
    shutil.rmtree(trial, ignore_errors=True)


def write_table(measurement: Measurement, sink: TableSink, format_: Callable[..., Any]) -> str:
    """Fill a table, and return its fingerprint: a text that is the same for equal columns, and for no others."""
    digests = {name: hashlib.blake2b(digest_size=16) for name in measurement.measuring.columns}
    done = 0
    for rows in measurement.batches():
        measurement.report("table", done, measurement.n_rows)
        for name, column in measurement.measuring.columns.items():
            rows[name] = np.ascontiguousarray(rows[name], column.dtype)
            digests[name].update(rows[name].tobytes())
        done += len(rows["label"])
        with blamed("table", format_, f"writing {len(rows['label']):,} rows"):
            sink.write(rows)
    measurement.report("table", measurement.n_rows, measurement.n_rows)
    each = [(name, column.dtype, digests[name].hexdigest()) for name, column in measurement.measuring.columns.items()]
    return hashlib.blake2b(repr(each).encode(), digest_size=16).hexdigest()


def placed_table(measurement: Measurement, home: Destination, sink: TableSink, provenance: Mapping[str, Any]) -> Table:
    """Have a sink put its table into its place, and open it there."""
    with blamed("table", home.writer, f"finishing {home.path!r}"):
        sink.finish(provenance)
    read = SinkTraits.of(sink).read
    return Table(
        path=Path(home.path),
        columns=measurement.measuring.columns,
        n_rows=measurement.n_rows,
        too_large=tuple(measurement.large),
        provenance=provenance,
        data=None if read is None else read(),
    )
