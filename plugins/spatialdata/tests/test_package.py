"""The distribution as tilewright meets it."""

from __future__ import annotations

import pytest

from tilewright.io.formats import choose_table
from tilewright.testing import PluginTests
from tilewright_spatialdata.table import SpatialDataTable


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright_spatialdata"


@pytest.mark.parametrize("path", ["a.sdata.zarr", "A.SpatialData.zarr"])
def test_the_table_is_chosen_by_the_suffix(path: str) -> None:
    assert choose_table(path) == SpatialDataTable()
