"""The hooks: what is offered, and that looking at it imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tilewright_ome_zarr as plugin
from tilewright.abc import Location
from tilewright.components.options import options_of
from tilewright.io.formats import choose_reader
from tilewright_ome_zarr.reader import OmeZarrReader
from tilewright_ome_zarr.writer import OmeZarrLabels


def test_the_hooks_import_neither_numpy_nor_zarr() -> None:
    code = "import sys, tilewright_ome_zarr; print([m for m in ('numpy', 'zarr', 'pydantic') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_targets_of_the_hooks_are_the_reader_and_the_writer() -> None:
    assert [spec.load() for spec in plugin.tilewright_readers()] == [OmeZarrReader]
    assert [spec.load() for spec in plugin.tilewright_writers()] == [OmeZarrLabels]


@pytest.mark.parametrize("component", [OmeZarrReader, OmeZarrLabels])
def test_every_option_says_what_it_is_for(component: type) -> None:
    assert options_of(component)
    assert all(option.help for option in options_of(component))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_store_is_recognised_whatever_its_name(make, version: str) -> None:
    assert isinstance(choose_reader(Location.of(make.image("no-suffix", version=version))), OmeZarrReader)
    assert plugin.is_zarr(make.image("other", version=version) + "/0", b"")


def test_a_url_is_recognised_by_its_name_alone() -> None:
    assert plugin.is_zarr("s3://bucket/image.ome.zarr/0", b"")
    assert not plugin.is_zarr("https://example.org/image.tif", b"")


def test_a_folder_without_zarr_metadata_is_not_recognised(tmp_path: Path) -> None:
    assert not plugin.is_zarr(str(tmp_path), b"")
