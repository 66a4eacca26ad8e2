"""Tables that tilewright wrote, read again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tilewright import InvalidOption, NotReadable
from tilewright.abc import Columns

__all__ = ["read_columns"]

Provenance = Mapping[str, Any]


def read_columns(path: str, names: Sequence[str]) -> tuple[Columns, Provenance]:
    """Some columns of a table, and its provenance; empty for CSV, which has no place for one.

    InvalidOption for a name that the table does not have, and for another format; NotReadable for what cannot be read.
    """
    read = _group if Path(path).is_dir() else FORMATS.get(Path(path).suffix.lower())
    if read is None:
        raise InvalidOption(
            f"the table {path} must be a folder or end in {', '.join(FORMATS)}; write it in such a format"
        )
    try:
        return read(path, names)
    except KeyError as error:
        raise InvalidOption(
            f"the table {path} lacks one of the columns {', '.join(names)}; give one that it has"
        ) from error
    except ImportError as error:
        raise InvalidOption(
            f'pyarrow is not installed, which reads {path}; install it (pip install "tilewright-filters[tables]"), or '
            "give a table in the format zarr-table"
        ) from error
    except Exception as error:  # each library raises its own
        raise NotReadable(f"the table {path} cannot be read: {error}; measure the labels again") from error


def _text(path: str, names: Sequence[str]) -> tuple[Columns, Provenance]:
    from pyarrow import csv

    form = csv.ParseOptions(delimiter="\t" if path.lower().endswith(".tsv") else ",")
    table = csv.read_csv(path, parse_options=form, convert_options=csv.ConvertOptions(column_types={"label": "uint64"}))
    return {name: table[name].to_numpy() for name in names}, {}


def _parquet(path: str, names: Sequence[str]) -> tuple[Columns, Provenance]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        table = file.read(columns=list(names))
        noted = (file.metadata.metadata or {}).get(b"tilewright", b"{}")
    return {name: table[name].to_numpy() for name in names}, json.loads(noted)


def _group(path: str, names: Sequence[str]) -> tuple[Columns, Provenance]:
    """A zarr group with an array for each column, or with a Parquet file, as in an OME-Zarr image."""
    inside = Path(path) / "table.parquet"
    if inside.exists():
        return _parquet(str(inside), names)
    import zarr

    group: Any = zarr.open_group(path, mode="r")
    return {name: group[name][:] for name in names}, group.attrs.get("tilewright", {})


FORMATS: Mapping[str, Callable[[str, Sequence[str]], tuple[Columns, Provenance]]] = {
    ".csv": _text,
    ".tsv": _text,
    ".parquet": _parquet,
}
