"""Limits of brightness that are taken once for the whole image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tilewright import Image


@given(
    pixels=arrays(np.uint16, (9, 7), elements=st.integers(0, 60_000)),
    ends=st.sampled_from([(0.0, 100.0), (1.0, 99.8), (3.0, 90.0)]),
)
def test_they_are_those_of_all_pixels_where_the_image_is_small(pixels: NDArray[Any], ends: tuple[float, float]) -> None:
    low, high = np.percentile(pixels, ends)
    expected = (low, high) if low < high else (pixels.min(), pixels.max())
    assert Image(data=pixels, axes="yx").percentiles(*ends) == expected


def test_where_both_are_one_value_the_extremes_are_taken() -> None:
    pixels = np.zeros((100, 100), np.uint8)
    pixels[3, 3] = 200
    assert Image(data=pixels, axes="yx").percentiles(1, 99.8) == (0.0, 200.0)
    assert Image(data=np.full((5, 5), 7), axes="yx").percentiles(1, 99.8) == (7.0, 7.0)


@pytest.mark.parametrize("empty", [np.nan, np.inf])
def test_what_is_not_finite_is_not_counted(empty: float) -> None:
    pixels = np.array([[0, 1, np.nan, np.inf, -np.inf, 2.0, 3.0]])
    assert Image(data=pixels, axes="yx").percentiles(0, 100) == (0.0, 3.0)
    assert Image(data=np.full((3, 3), empty), axes="yx").percentiles(1, 99) == (0.0, 1.0)
    assert Image(data=np.empty((0, 3)), axes="yx").percentiles(1, 99) == (0.0, 1.0)


def test_a_channel_has_its_own_and_all_have_those_of_all() -> None:
    image = Image(data=np.stack([np.zeros((9, 9)), np.full((9, 9), 8.0)]), axes="cyx")
    assert image.percentiles(0, 100) == (0.0, 8.0)
    assert image.select(1).percentiles(0, 100) == (8.0, 8.0)


def test_truth_values_are_zeros_and_ones() -> None:
    assert Image(data=np.eye(8, dtype=bool), axes="yx").percentiles(1, 99) == (0.0, 1.0)
