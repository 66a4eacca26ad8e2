"""The distribution as tilewright meets it: found by name and suffix, light to discover, its examples true."""

from __future__ import annotations

import doctest
import subprocess
import sys

import tilewright_geojson as plugin
from tilewright.components.resolve import component, configuration
from tilewright.io.formats import choose_table, choose_writer
from tilewright_geojson import polygons
from tilewright_geojson.table import GeoJsonTable
from tilewright_geojson.writer import GeoJsonObjects


def test_the_hooks_import_neither_numpy_nor_zarr() -> None:
    code = "import sys, tilewright_geojson as p; p.tilewright_writers(); p.tilewright_tables(); "
    code += "print({'numpy', 'zarr'} & {*sys.modules})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_the_writer_is_chosen_by_the_suffix() -> None:
    assert [spec.load() for spec in plugin.tilewright_writers()] == [GeoJsonObjects]
    assert choose_writer("a.GeoJSON") == GeoJsonObjects()


def test_the_table_is_chosen_by_the_suffix() -> None:
    assert [spec.load() for spec in plugin.tilewright_tables()] == [GeoJsonTable]
    assert choose_table("a.GeoJSON") == GeoJsonTable()


def test_a_record_leads_back_to_the_writer() -> None:
    record = configuration("writer", GeoJsonObjects())
    assert record["distribution"] == "tilewright-geojson"
    assert component("writer", record) == GeoJsonObjects()


def test_the_examples_in_the_docstrings_run() -> None:
    result = doctest.testmod(polygons)
    assert result.attempted
    assert not result.failed
