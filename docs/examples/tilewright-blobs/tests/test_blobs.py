import pytest
from tilewright_blobs.segmenter import Blobs

from tilewright.testing import NetworkTests, PluginTests


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self):
        return "tilewright_blobs"


class TestBlobs(NetworkTests):
    @pytest.fixture
    def segmenter(self):
        return Blobs()
