import pytest
from tilewright_basins.segmenter import Basins

from tilewright.testing import PluginTests, SegmenterTests


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self):
        return "tilewright_basins"


class TestBasins(SegmenterTests):
    @pytest.fixture
    def segmenter(self):
        return Basins(threshold=40)
