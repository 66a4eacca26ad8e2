"""What tilewright asks of every plugin, transform and segmenter."""

from __future__ import annotations

from typing import Any

import pytest

from tilewright.testing import PluginTests, SegmenterTests, TransformTests
from tilewright_filters.background import Background
from tilewright_filters.combine import Combine
from tilewright_filters.combine_labels import CombineLabels
from tilewright_filters.expand import Expand
from tilewright_filters.fill_holes import FillHoles
from tilewright_filters.gaussian import Gaussian
from tilewright_filters.keep import Keep
from tilewright_filters.median import Median
from tilewright_filters.rescale import Rescale
from tilewright_filters.ring import Ring
from tilewright_filters.seeded_watershed import SeededWatershed

pytestmark = pytest.mark.slow


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright_filters"


class TestFilters(TransformTests):
    @pytest.fixture(
        params=[
            "gaussian",
            "median",
            "background",
            "rescale",
            "combine",
            Gaussian(sigma=3, truncate=2),
            Median(size=4),
            Background(size=20, method="estimate"),
            Rescale(low=5, high=80, clip=False),
            Combine(method="sum", weights=(1, 2, 3)),
        ],
        ids=str,
    )
    def transform(self, request: pytest.FixtureRequest) -> Any:
        return request.param


class TestFiltersInThreeDimensions(TransformTests):
    axes = "zyx"

    @pytest.fixture(
        params=[Gaussian(sigma=(0.5, 2, 2)), Background(size=(1, 9, 9)), Background(method="estimate")], ids=str
    )
    def transform(self, request: pytest.FixtureRequest) -> Any:
        return request.param


class TestFiltersOfSeveralChannels(TestFiltersInThreeDimensions):
    axes = "cyx"

    @pytest.fixture(params=[Gaussian(), Background(size=20, method="estimate")], ids=str)
    def transform(self, request: pytest.FixtureRequest) -> Any:
        return request.param


class TestSegmentersOfGivenLabels(SegmenterTests):
    @pytest.fixture(
        params=[
            "expand",
            "combine-labels",
            "seeded-watershed",
            Expand(distance=6.5),
            Ring(distance=4, gap=1),
            FillHoles(),
            Keep(min_size=3, border="y"),
            CombineLabels(method="difference", given=("cells", "nuclei")),
            SeededWatershed(threshold=30, sigma=1, reach=30),
        ],
        ids=str,
    )
    def segmenter(self, request: pytest.FixtureRequest) -> Any:
        return request.param


class TestSegmentersOfGivenLabelsInThreeDimensions(SegmenterTests):
    spatial = "zyx"

    @pytest.fixture(params=["ring", "fill-holes", "keep", Expand(distance=3)], ids=str)
    def segmenter(self, request: pytest.FixtureRequest) -> Any:
        return request.param
