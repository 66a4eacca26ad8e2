"""What tilewright asks of every plugin, reader and writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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
        )


class TestWriter(WriterTests):
    @pytest.fixture
    def writer(self) -> str:
        return "ome-zarr"


class TestWriterInThreeDimensions(TestWriter):
    axes, shape = "zyx", (9, 40, 41)
