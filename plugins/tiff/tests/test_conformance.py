"""What tilewright asks of every plugin, reader and writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tilewright.testing import PluginTests, ReaderTests, Sample, WriterTests

PIXELS = np.arange(2 * 5 * 61 * 87, dtype="u2").reshape(2, 5, 61, 87)
SPACING = {"z": 2.0, "y": 0.5, "x": 0.25}


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright_tiff"


class TestOmeTiff(ReaderTests):
    @pytest.fixture(params=[None, (32, 32)], ids=["strips", "tiles"])
    def sample(self, request: pytest.FixtureRequest, tmp_path: Path) -> Sample:
        path = tmp_path / "cells.ome.tif"
        sizes = {f"PhysicalSize{axis.upper()}": step for axis, step in SPACING.items()}
        sizes |= {f"PhysicalSize{axis.upper()}Unit": "µm" for axis in SPACING}
        described = {"axes": "CZYX", "Channel": {"Name": ["DAPI", "GFP"]}, **sizes}
        tifffile.imwrite(path, PIXELS, tile=request.param, metadata=described)
        return Sample(
            reader="tiff",
            path=path,
            axes="czyx",
            pixels=PIXELS,
            spacing=SPACING,
            units=dict.fromkeys("zyx", "micrometer"),
            channels=("DAPI", "GFP"),
        )


class TestBareTiff(ReaderTests):
    @pytest.fixture
    def sample(self, tmp_path: Path) -> Sample:
        tifffile.imwrite(tmp_path / "plane.tif", PIXELS[0, 0], photometric="minisblack")
        with tifffile.TiffWriter(tmp_path / "two.ome.tif") as file:
            file.write(PIXELS[0, 0])
            file.write(PIXELS[0, 1, :40])
        return Sample(
            reader="tiff",
            path=tmp_path / "plane.tif",
            axes="yx",
            pixels=PIXELS[0, 0],
            collection=tmp_path / "two.ome.tif",
        )


class TestOmeTiffLabels(WriterTests):
    dtypes = ("uint32",)

    @pytest.fixture
    def writer(self) -> str:
        return "ome-tiff"


class TestOmeTiffLabelsInThreeDimensions(TestOmeTiffLabels):
    axes, shape = "zyx", (9, 40, 41)
