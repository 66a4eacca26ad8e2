"""What tilewright asks of every plugin and transform."""

from __future__ import annotations

from typing import Any

import pytest

from tilewright.testing import PluginTests, TransformTests
from tilewright_filters.background import Background
from tilewright_filters.combine import Combine
from tilewright_filters.gaussian import Gaussian
from tilewright_filters.median import Median
from tilewright_filters.rescale import Rescale


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
