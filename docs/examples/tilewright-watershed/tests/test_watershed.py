import pytest
from tilewright_watershed.segmenter import Watershed

from tilewright.testing import PluginTests, SegmenterTests


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self):
        return "tilewright_watershed"


class TestWatershed(SegmenterTests):
    @pytest.fixture
    def segmenter(self):
        return Watershed(threshold=40)
