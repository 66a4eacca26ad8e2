"""What tilewright asks of every plugin and segmenter."""

from __future__ import annotations

import pytest

from tilewright.testing import PluginTests, SegmenterTests
from tilewright_watershed.segmenter import Watershed

pytestmark = pytest.mark.slow


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright_watershed"


class TestWatershed(SegmenterTests):
    @pytest.fixture(params=[{}, {"threshold": 60, "sigma": 2.0}, {"diameter": 20, "min_distance": 6}], ids=str)
    def segmenter(self, request: pytest.FixtureRequest) -> Watershed:
        return Watershed(**request.param)


class TestWatershedInThreeDimensions(TestWatershed):
    spatial = "zyx"
