"""A table with what formats lose: large ids, missing values, odd names, narrow dtypes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tilewright.abc import Column, Facts, TableSink, TableSpec

PROVENANCE = {"tilewright": "0.1.0", "source": '/dätä/<image> & "co".tif', "n_objects": 3}
COLUMNS = {
    "label": Column(dtype="uint64"),
    "area": Column(unit="micrometer^2"),
    "centroid-0": Column(unit="micrometer"),
    "centroid-1": Column(unit="micrometer"),
    "num_pixels": Column(dtype="int64"),
    "parent": Column(dtype="uint64"),
    "touches_border": Column(dtype="bool"),
    'intensity_mean-DAPI, "405" µ/ß': Column(dtype="float32"),
    "intensity_max-0": Column(dtype="uint16"),
    "intensity_min-0": Column(dtype="int32"),
    "half": Column(dtype="float16"),
}
TIMED = {"t": Column(dtype="int64"), **COLUMNS}


def spec_of(workdir: Path, n_rows: int, columns: Mapping[str, Column] = COLUMNS, **others: Any) -> TableSpec:
    workdir.mkdir(parents=True, exist_ok=True)
    facts = Facts(axes="yx", shape=(64, 64), spacing=(0.5, 0.5), units=("micrometer",) * 2)
    labels = np.zeros((64, 64), np.uint64)
    return TableSpec(**{"labels": labels, "facts": facts, **others}, columns=columns, n_rows=n_rows, workdir=workdir)


def rows_of(n: int, columns: Mapping[str, Column] = COLUMNS) -> dict[str, NDArray[Any]]:
    """Values over the whole range of each dtype; every fifth float is missing, and labels end at the largest."""
    rng = np.random.default_rng(n)
    rows = {name: _values(rng, np.dtype(column.dtype), n) for name, column in columns.items()}
    rows["label"] = np.uint64(2**64 - 1) - np.arange(n, dtype=np.uint64)[::-1]
    if "t" in rows:
        rows["t"] = np.arange(n) // 7
    return rows


def _values(rng: np.random.Generator, dtype: np.dtype[Any], n: int) -> NDArray[Any]:
    if dtype.kind == "f":
        values = (rng.standard_normal(n) * 10.0 ** rng.integers(-3, 4, n)).astype(dtype)
        values[::5] = np.nan
        return values
    if dtype.kind == "b":
        return rng.random(n) < 0.5
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, n, dtype, endpoint=True)


def filled(sink: TableSink, rows: Mapping[str, NDArray[Any]], step: int = 10) -> TableSink:
    """The sink with all rows, some at a time, finished."""
    n = len(rows["label"])
    for start in range(0, n, step):
        sink.write({name: values[start : start + step] for name, values in rows.items()})
    sink.finish(PROVENANCE)
    return sink


def assert_same(found: Mapping[str, Any], rows: Mapping[str, NDArray[Any]]) -> None:
    assert list(found) == list(rows)
    for name, values in rows.items():
        column = np.asarray(found[name])
        assert column.dtype == values.dtype, name
        np.testing.assert_array_equal(column, values, err_msg=name)


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 16 rows, so that small tables have several."""
    from tilewright_measure.tables import rows

    monkeypatch.setattr(rows, "LONGEST", 16)
