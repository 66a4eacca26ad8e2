"""What tilewright asks of every plugin, reader and writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from tilewright.testing import PluginTests, ReaderTests, Sample, WriterTests

from .conftest import SPACING, UNITS, Maker


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright_ome_zarr"


class TestReader(ReaderTests):
    @pytest.fixture(params=["0.4", "0.5"])
    def sample(self, request: pytest.FixtureRequest, make: Maker) -> Sample:
        path = make.image(version=request.param, axes="czyx", channels=("DAPI", "GFP"))
        return Sample(
            reader="ome-zarr",
            path=Path(path),
            axes="czyx",
            pixels=np.arange(2 * 5 * 61 * 87, dtype="u2").reshape(2, 5, 61, 87),
            spacing={axis: SPACING[axis] for axis in "zyx"},
            units={axis: UNITS[axis] for axis in "zyx"},
            channels=("DAPI", "GFP"),
            collection=plate_of(make, request.param),
        )


def plate_of(make: Maker, version: str) -> Path:
    """A plate of one well with two fields."""
    path = make.folder / "plate.ome.zarr"
    attributes: list[dict[str, Any]] = [
        {"plate": {"wells": [{"path": "A/1"}], "version": version}},
        {"well": {"images": [{"path": "0"}, {"path": "1"}]}},
    ]
    if version != "0.4":
        attributes = [{"ome": {"version": version, **each}} for each in attributes]
    plate = zarr.create_group(path, attributes=attributes[0], zarr_format=2 if version == "0.4" else 3)
    plate.create_group("A/1", attributes=attributes[1])
    for field in range(2):
        make.image(f"plate.ome.zarr/A/1/{field}", version=version)
    return path


class TestWriter(WriterTests):
    @pytest.fixture
    def writer(self) -> str:
        return "ome-zarr"


class TestWriterInThreeDimensions(TestWriter):
    axes, shape = "zyx", (9, 40, 41)
