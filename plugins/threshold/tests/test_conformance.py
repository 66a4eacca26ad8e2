"""What tilewright asks of every plugin and segmenter."""

from __future__ import annotations

import pytest

from tilewright.testing import PluginTests, SegmenterTests
from tilewright_threshold.segmenter import Threshold


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright_threshold"


class TestThreshold(SegmenterTests):
    @pytest.fixture(params=[{}, {"sigma": 1.5, "fill_holes": 3}, {"threshold": 60, "connectivity": 2}], ids=str)
    def segmenter(self, request: pytest.FixtureRequest) -> Threshold:
        return Threshold(**request.param)


class TestThresholdInThreeDimensions(TestThreshold):
    spatial = "zyx"
