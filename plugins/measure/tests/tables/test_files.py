"""The formats of one file, read back by the libraries that people open them with."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pyarrow import parquet

from tilewright.abc import Column
from tilewright.errors import InvalidMeasures, InvalidOption
from tilewright_measure.tables.csv import CsvTable
from tilewright_measure.tables.h5ad import H5adTable
from tilewright_measure.tables.parquet import ParquetTable

from .conftest import COLUMNS, PROVENANCE, TIMED, assert_same, filled, rows_of, spec_of

FORMATS = {".csv": CsvTable(), ".tsv": CsvTable(), ".parquet": ParquetTable(), ".h5ad": H5adTable()}

every_format = pytest.mark.parametrize("suffix", FORMATS)
every_table = pytest.mark.parametrize("columns", [COLUMNS, TIMED], ids=["plain", "timed"])
any_length = pytest.mark.parametrize("n", [0, 1, 16, 100])


def read_csv(path: Path, columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    """By pandas, whose own guesses of dtypes would do but for a column without any value."""
    separator = "\t" if path.suffix == ".tsv" else ","
    frame = pd.read_csv(path, sep=separator, float_precision="round_trip")
    return {name: values.to_numpy().astype(columns[name].dtype) for name, values in frame.items()}


def read_parquet(path: Path, columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    return {name: values.to_numpy() for name, values in pd.read_parquet(path).items()}


def read_h5ad(path: Path, columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    table = anndata.read_h5ad(path)
    frame = {name: table.obs[name] if name in table.obs else table[:, name].X[:, 0] for name in columns}
    return {name: np.asarray(values).astype(columns[name].dtype, casting="unsafe") for name, values in frame.items()}


READ: dict[str, Callable[[Path, Mapping[str, Column]], dict[str, NDArray[Any]]]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
    ".h5ad": read_h5ad,
}


@every_format
@every_table
@any_length
def test_names_values_and_their_order_come_back(
    tmp_path: Path, suffix: str, columns: dict[str, Column], n: int
) -> None:
    path = tmp_path / f"cells{suffix}"
    filled(FORMATS[suffix](str(path), spec_of(tmp_path / "run", n, columns)), rows_of(n, columns))
    assert_same(READ[suffix](path, columns), rows_of(n, columns))


@every_format
@every_table
@any_length
def test_a_finished_table_is_read_by_rows(tmp_path: Path, suffix: str, columns: dict[str, Column], n: int) -> None:
    rows = rows_of(n, columns)
    sink: Any = filled(FORMATS[suffix](str(tmp_path / f"cells{suffix}"), spec_of(tmp_path / "run", n, columns)), rows)
    found = sink.read()
    assert_same(found, rows)
    for name, values in rows.items():
        column = found[name]
        assert (column.shape, column.dtype, len(column)) == (values.shape, values.dtype, n)
        for key in (slice(3, 20), slice(15, 17), slice(None, None, -3), slice(-5, None), slice(90, 5), slice(5, 5)):
            np.testing.assert_array_equal(column[key], values[key])
        if n:
            np.testing.assert_array_equal(column[-1], values[-1])
            np.testing.assert_array_equal(column[np.array([0, n - 1])], values[[0, n - 1]])


@every_format
def test_a_file_does_not_depend_on_how_many_rows_come_at_a_time(tmp_path: Path, suffix: str) -> None:
    found = []
    for step in (1, 7, 16, 100):
        path = tmp_path / f"cells{suffix}"
        filled(FORMATS[suffix](str(path), spec_of(tmp_path / str(step), 100)), rows_of(100), step)
        found.append(path.read_bytes())
    assert len(set(found)) == 1


@every_format
def test_an_earlier_table_stays_until_the_new_one_is_whole(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cells{suffix}"
    filled(FORMATS[suffix](str(path), spec_of(tmp_path / "first", 30)), rows_of(30))
    before = path.read_bytes()
    sink = FORMATS[suffix](str(path), spec_of(tmp_path / "second", 40))
    sink.write(rows_of(40))
    assert path.read_bytes() == before
    sink.finish(PROVENANCE)
    assert_same(READ[suffix](path, COLUMNS), rows_of(40))


@every_format
def test_nothing_is_at_the_path_before_the_end_and_a_second_try_begins_anew(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cells{suffix}"
    first = FORMATS[suffix](str(path), spec_of(tmp_path / "run", 40))
    first.write({name: values[:33] for name, values in rows_of(40).items()})
    assert not path.exists()
    del first  # as a kill leaves its file in the folder of the run
    filled(FORMATS[suffix](str(path), spec_of(tmp_path / "run", 40)), rows_of(40))
    assert_same(READ[suffix](path, COLUMNS), rows_of(40))


@every_format
@pytest.mark.parametrize("written", [39, 41])
def test_another_number_of_rows_than_announced_is_an_error(tmp_path: Path, suffix: str, written: int) -> None:
    sink = FORMATS[suffix](str(tmp_path / f"cells{suffix}"), spec_of(tmp_path / "run", 40))
    with pytest.raises(InvalidMeasures, match=rf"{written} rows were written .* opened for 40"):
        filled(sink, rows_of(written))
    assert not (tmp_path / f"cells{suffix}").exists()


@every_format
def test_a_folder_is_not_a_place_for_a_file(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InvalidOption, match="is a folder, but this table is one file"):
        FORMATS[suffix](str(tmp_path), spec_of(tmp_path / "run", 1))


@every_format
@pytest.mark.parametrize("dtype", ["complex64", "U5", "datetime64[s]", "longdouble"])
def test_a_column_that_is_not_of_numbers_is_refused(tmp_path: Path, suffix: str, dtype: str) -> None:
    columns = {**COLUMNS, "odd": Column(dtype=dtype)}
    with pytest.raises(InvalidOption, match=r"column 'odd' has dtype .*; declare another dtype"):
        FORMATS[suffix](str(tmp_path / f"cells{suffix}"), spec_of(tmp_path / "run", 1, columns))


def test_parquet_keeps_units_dtypes_and_provenance_in_its_schema(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    filled(ParquetTable()(str(path), spec_of(tmp_path / "run", 100)), rows_of(100))
    schema = parquet.read_schema(path)
    assert json.loads(parquet.read_metadata(path).metadata[b"tilewright"]) == PROVENANCE
    assert schema.field("area").metadata[b"unit"] == b"micrometer^2"
    assert b"unit" not in (schema.field("num_pixels").metadata or {})
    assert schema.field("label").type == pa.uint64()
    with parquet.ParquetFile(path) as file:
        assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [16] * 6 + [4]
        assert file.metadata.row_group(0).sorting_columns[0].column_index == 0


def test_a_row_of_many_columns_makes_shorter_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tilewright_measure.tables import rows

    monkeypatch.setattr(rows, "BLOCK", 1000)
    columns = {"label": Column(dtype="uint64"), **{f"mean-{channel}": Column() for channel in range(24)}}
    path = tmp_path / "cells.parquet"
    filled(ParquetTable()(str(path), spec_of(tmp_path / "run", 12, columns)), rows_of(12, columns))
    with parquet.ParquetFile(path) as file:
        assert file.metadata.row_group(0).num_rows == 5  # 25 columns of 8 bytes


def test_csv_has_nothing_where_an_object_has_no_value_and_quotes_only_what_needs_it(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    columns = {"label": Column(dtype="uint64"), "area, µm": Column(), "inside": Column(dtype="bool")}
    sink = CsvTable()(str(path), spec_of(tmp_path / "run", 2, columns))
    sink.write(
        {
            "label": np.array([7, 2**64 - 1], "u8"),
            "area, µm": np.array([np.nan, 0.1]),
            "inside": np.array([True, False]),
        }
    )
    sink.finish({})
    assert path.read_bytes() == 'label,"area, µm",inside\n7,,true\n18446744073709551615,0.1,false\n'.encode()
    with path.open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file)) == {"label": "7", "area, µm": "", "inside": "true"}
    frame = pd.read_csv(path)
    assert frame["label"].tolist() == [7, 2**64 - 1]
    assert frame["inside"].tolist() == [True, False]


@every_table
def test_h5ad_is_what_scverse_expects(tmp_path: Path, columns: dict[str, Column]) -> None:
    path = tmp_path / "cells.h5ad"
    filled(H5adTable()(str(path), spec_of(tmp_path / "run", 50, columns, name="nuclei")), rows_of(50, columns))
    table, rows = anndata.read_h5ad(path), rows_of(50, columns)
    timed = ["t"] if "t" in columns else []
    assert table.obs.columns.tolist() == ["region", *timed, "label", "num_pixels", "parent", "touches_border"]
    assert table.var_names.tolist() == [name for name in columns if name not in table.obs]
    assert table.var["unit"]["area"] == "micrometer^2"
    assert table.obs["region"].cat.categories.tolist() == ["nuclei"]
    assert not table.obs["region"].isna().any()
    assert table.obs_names.is_unique
    assert table.obs_names[-1] == f"{2**64 - 1}" + ("-t7" if timed else "")
    np.testing.assert_array_equal(table.obsm["spatial"], np.column_stack([rows["centroid-1"], rows["centroid-0"]]))
    assert table.uns["spatialdata_attrs"] == {"region": "nuclei", "region_key": "region", "instance_key": "label"}
    assert json.loads(table.uns["tilewright"]) == PROVENANCE
    kept = json.loads(table.uns["tilewright_columns"])
    assert {name: Column(**column) for name, column in kept.items()} == columns
    assert list(kept) == list(columns)


def test_h5ad_without_measures_or_centroids_is_read_too(tmp_path: Path) -> None:
    columns = {"label": Column(dtype="uint64"), "num_pixels": Column(dtype="int64")}
    path = tmp_path / "cells.h5ad"
    filled(H5adTable()(str(path), spec_of(tmp_path / "run", 20, columns)), rows_of(20, columns))
    table = anndata.read_h5ad(path)
    assert table.shape == (20, 0)
    assert not table.obsm


@pytest.mark.parametrize("name", ["region", "_index", "count-DAPI/405"])
def test_h5ad_refuses_names_that_obs_cannot_have(tmp_path: Path, name: str) -> None:
    columns = {"label": Column(dtype="uint64"), name: Column(dtype="int64")}
    with pytest.raises(InvalidOption, match="cannot be a column of AnnData's obs"):
        H5adTable()(str(tmp_path / "cells.h5ad"), spec_of(tmp_path / "run", 1, columns))
