"""What tilewright asks of every plugin and writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from tilewright.abc import Sink
from tilewright.testing import PluginTests, WriterTests

from .conftest import collection_of, rasterised


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright_geojson"


class TestGeoJson(WriterTests):
    @pytest.fixture
    def writer(self) -> str:
        return "geojson"

    def read(self, path: Path, sink: Sink) -> NDArray[Any]:
        return rasterised(collection_of(path)["features"], self.shape)
