"""What tilewright asks of every table's format."""

from __future__ import annotations

from typing import ClassVar

import pytest

from tilewright.testing import TableTests


class TestSpatialData(TableTests):
    leave_out: ClassVar = {"test_times_are_a_part_of_the_key": "SpatialData has no axis of time"}

    @pytest.fixture
    def table(self) -> str:
        return "spatialdata"
