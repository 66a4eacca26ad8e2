"""What tilewright asks of every plugin and segmenter, of real networks."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import small_model

from tilewright import Image
from tilewright.testing import NetworkTests, PluginTests
from tilewright.testing.pictures import crop
from tilewright_bioimageio.segmenter import BioImageModel

# bioimageio.spec leaves the files that it reads to the garbage collector.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")]


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright_bioimageio"


class TestForeground(NetworkTests):
    @pytest.fixture(params=["onnx", "torchscript", "pytorch_state_dict"])
    def segmenter(self, model: str, request: pytest.FixtureRequest) -> BioImageModel:
        return BioImageModel(model=model, weights=request.param, window=(1, 64, 64))


class TestBoundaries(NetworkTests):
    @pytest.fixture
    def segmenter(self, model: str) -> BioImageModel:
        return BioImageModel(model=model, boundaries="seam", weights="onnx", window=(1, 64, 64))


class TestSeveralChannels(NetworkTests):
    @pytest.fixture
    def segmenter(self, folder: Path) -> BioImageModel:
        return BioImageModel(model=str(small_model.write(folder, channels=3)))


class TestCoarserOutput(NetworkTests):
    @pytest.fixture
    def segmenter(self, folder: Path) -> BioImageModel:
        package = small_model.write(folder, stride=2, padding=0, halo=1, sizes={"y": 80, "x": 64})
        return BioImageModel(model=str(package), boundaries=1)


class TestVolumes(NetworkTests):
    @pytest.fixture
    def segmenter(self, folder: Path) -> BioImageModel:
        axes: Any = ["z", "y", "x"]
        steps = [{"id": "zero_mean_unit_variance", "kwargs": {"axes": axes}}]
        sizes = {"z": {"min": 8, "step": 4}}
        package = small_model.write(folder, space="zyx", preprocessing=steps, sizes=sizes, halo=2)
        return BioImageModel(model=str(package), window=(16, 64, 64))

    def image(self, axes: str) -> Image:
        """A part of the picture, so that a tile is few windows."""
        whole = super().image(axes)
        return dataclasses.replace(whole, data=crop(whole, {"y": 60, "x": 90}))
