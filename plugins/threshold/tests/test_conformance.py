"""What tilewright asks of every plugin and segmenter."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import pytest

from tilewright import Image
from tilewright.testing import PluginTests, SegmenterTests
from tilewright_threshold.segmenter import Threshold
from tilewright_threshold.tissue import Tissue


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright_threshold"


class TestThreshold(SegmenterTests):
    @pytest.fixture(
        params=[
            {},
            {"threshold": "otsu"},
            {"threshold": "li", "sigma": 1.5, "fill_holes": 3},
            {"threshold": 60, "connectivity": 2},
        ],
        ids=str,
    )
    def segmenter(self, request: pytest.FixtureRequest) -> Threshold:
        return Threshold(**request.param)


class TestThresholdInThreeDimensions(TestThreshold):
    spatial = "zyx"


class TestThresholdOfDarkObjects(TestThreshold):
    leave_out: ClassVar[Mapping[str, str]] = {
        "test_an_empty_tile_has_no_objects": "pixels that are all 0 are as dark as an object's",
    }

    @pytest.fixture(params=["background", "otsu", 150.0], ids=str)
    def segmenter(self, request: pytest.FixtureRequest) -> Threshold:
        return Threshold(threshold=request.param, dark=True)

    def image(self, axes: str) -> Image:
        picture = super().image(axes)
        return dataclasses.replace(picture, data=255 - picture[...])


class TestTissue(SegmenterTests):
    @pytest.fixture(params=[{"by": "grey"}, {"by": "grey", "sigma": 0, "fill_holes": 0, "min_size": 0}], ids=str)
    def segmenter(self, request: pytest.FixtureRequest) -> Tissue:
        return Tissue(**request.param)
