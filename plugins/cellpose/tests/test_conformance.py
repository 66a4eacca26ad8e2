"""What tilewright asks of every plugin and segmenter, of a real network."""

from __future__ import annotations

import dataclasses

import pytest

from tilewright import Image
from tilewright.testing import NetworkTests, PluginTests
from tilewright.testing.pictures import crop
from tilewright_cellpose.segmenter import Cellpose

pytestmark = pytest.mark.slow


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright_cellpose"


class TestCellpose(NetworkTests):
    @pytest.fixture
    def segmenter(self, model: str) -> Cellpose:
        return Cellpose(model=model)

    def image(self, axes: str) -> Image:
        """A part of the picture, so that a tile is few patches, of the one channel that the small models know."""
        whole = super().image(axes)
        whole = whole.take([0]) if "c" in whole.axes else whole
        return dataclasses.replace(whole, data=crop(whole, {"y": 60, "x": 90}))
