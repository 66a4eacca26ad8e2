"""Which format a path has."""

from __future__ import annotations

import pytest

import tilewright_measure
from tilewright.components.resolve import component, configuration
from tilewright.io.formats import choose_table
from tilewright_measure.tables.csv import CsvTable
from tilewright_measure.tables.h5ad import H5adTable
from tilewright_measure.tables.ngio import NgioTable
from tilewright_measure.tables.parquet import ParquetTable


@pytest.mark.parametrize(
    ("path", "format"),
    [
        ("cells.csv", CsvTable()),
        ("cells.TSV", CsvTable()),
        ("cells.parquet", ParquetTable()),
        ("cells.h5ad", H5adTable()),
        ("image.ome.zarr/tables/cells", NgioTable()),
        ("image.zarr/tables/cells", NgioTable()),
    ],
)
def test_the_format_is_chosen_by_the_path(path: str, format: object) -> None:
    assert choose_table(path) == format


def test_a_record_leads_back_to_each_format() -> None:
    for spec in tilewright_measure.tilewright_tables():
        record = configuration("table", spec.load()())
        assert record["name"] == spec.name
        assert component("table", record) == spec.load()()
