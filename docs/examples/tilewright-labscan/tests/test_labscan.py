import numpy as np
import pytest

from tilewright.testing import PluginTests, ReaderTests, Sample

HEADER = b"LABSCAN 1\naxes: zyx\nshape: 3 4 5\ndtype: uint16\nspacing: 1.5 0.25 0.25\nunit: micrometer\n\n"


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self):
        return "tilewright_labscan"


class TestLabscan(ReaderTests):
    @pytest.fixture
    def sample(self, tmp_path):
        pixels = np.arange(60, dtype="<u2").reshape(3, 4, 5)
        path = tmp_path / "sample.labscan"
        path.write_bytes(HEADER + pixels.tobytes())
        spacing, units = {"z": 1.5, "y": 0.25, "x": 0.25}, dict.fromkeys("zyx", "micrometer")
        return Sample(reader="labscan", path=path, pixels=pixels, axes="zyx", spacing=spacing, units=units)
