"""The core's own tilers, mergers, writer and table pass the kit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Auto, Grid, Overlap, Touch
from tilewright.testing import MergerTests, OwnerTests, PluginTests, SegmenterTests, TableTests, TilerTests, WriterTests

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Both:
    """Components above two levels."""

    outputs: ClassVar[tuple[str, ...]] = ("nuclei", "cells")

    def __call__(self, pixels: NDArray[Any]) -> dict[str, Any]:
        return {"nuclei": ndimage.label(pixels > 120)[0], "cells": ndimage.label(pixels > 60)[0]}


class TestASegmenterOfSeveralOutputs(SegmenterTests):
    @pytest.fixture
    def segmenter(self) -> Both:
        return Both()


class TestGrid(TilerTests):
    @pytest.fixture(params=[None, 1, 7, 100])
    def tiler(self, request: pytest.FixtureRequest) -> Grid:
        return Grid(tile=request.param)


class TestAuto(TilerTests):
    @pytest.fixture(params=[Auto(), Auto(memory=30_000)], ids=["default", "little"])
    def tiler(self, request: pytest.FixtureRequest) -> Any:
        return request.param


class TestTouch(MergerTests):
    leave_out: ClassVar = {"test_law_3_objects_that_touch_stay_apart": "what touches is one object"}
    halos = (0, 2)

    @pytest.fixture
    def merger(self) -> Touch:
        return Touch()


class TestTouchByEdges(TestTouch):
    connectivity = 2

    @pytest.fixture
    def merger(self) -> Touch:
        return Touch(connectivity=2)


class TestOverlap(OwnerTests):
    @pytest.fixture
    def merger(self) -> Overlap:
        return Overlap()


class TestZarrArray(WriterTests):
    @pytest.fixture
    def writer(self) -> str:
        return "zarr-array"


class TestZarrArrayInThreeDimensions(TestZarrArray):
    axes, shape = "zyx", (9, 40, 41)


class TestZarrTable(TableTests):
    @pytest.fixture
    def table(self) -> str:
        return "zarr-table"


class TestCore(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright.builtin"
