"""What tilewright asks of every plugin and segmenter, of a real network each."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import pytest

from tilewright import Image
from tilewright.testing import NetworkTests, PluginTests
from tilewright.testing.pictures import crop
from tilewright_stardist.segmenter import StarDist

pytestmark = pytest.mark.slow


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright_stardist"


class Thresholds(NetworkTests):
    values: ClassVar = {"prob_threshold": 0.7, "nms_threshold": 0.2}


class TestStarDist(Thresholds):
    @pytest.fixture
    def segmenter(self, small2d: str) -> StarDist:
        return StarDist(model=small2d)


class TestStarDistOfColours(Thresholds):
    @pytest.fixture
    def segmenter(self, small_rgb: str) -> StarDist:
        return StarDist(model=small_rgb)


class TestStarDistInThreeDimensions(Thresholds):
    @pytest.fixture
    def segmenter(self, small3d: str) -> StarDist:
        return StarDist(model=small3d)

    def image(self, axes: str) -> Image:
        """A part of the picture: StarDist's suppression in 3-D takes seconds for the whole."""
        whole = super().image(axes)
        return dataclasses.replace(whole, data=crop(whole, {"y": 60, "x": 90}))
