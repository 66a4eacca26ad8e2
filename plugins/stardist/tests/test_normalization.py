"""Brightness as the networks were trained to see it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from csbdeep.utils import normalize
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tilewright import Image
from tilewright_stardist.normalization import normalized


@given(
    pixels=arrays(np.uint16, (9, 7), elements=st.integers(0, 60_000)),
    percentiles=st.sampled_from([(0.0, 100.0), (1.0, 99.8), (3.0, 90.0)]),
)
@pytest.mark.slow
def test_the_limits_give_what_csbdeep_gives_for_the_whole_image(
    pixels: NDArray[Any], percentiles: tuple[float, float]
) -> None:
    low, high = np.percentile(pixels, percentiles)
    found = normalized(pixels, [Image(data=pixels, axes="yx").percentiles(*percentiles)])
    if low < high:
        np.testing.assert_allclose(found, normalize(pixels, *percentiles), rtol=1e-5, atol=1e-5)
    assert np.isfinite(found).all()


def test_a_pair_of_one_value_makes_all_of_it_0() -> None:
    assert (normalized(np.array([7, 7]), [(7.0, 7.0)]) == 0).all()


def test_what_is_not_finite_does_not_spread() -> None:
    pixels = np.array([0, 1, np.nan, np.inf, -np.inf, 2.0, 3.0])
    np.testing.assert_allclose(normalized(pixels, [(0.0, 2.0)]), [0, 0.5, 0, 1, 0, 1, 1.5])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint64", "float16", "float64"])
def test_any_real_dtype_becomes_float32_and_the_pixels_stay(dtype: str) -> None:
    pixels = np.array([0, 1, 1, 0]).astype(dtype)
    found = normalized(pixels, [(0.0, 2.0)])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [0, 0.5, 0.5, 0])
    np.testing.assert_array_equal(pixels, np.array([0, 1, 1, 0]).astype(dtype))


def test_each_channel_has_its_own_limits_if_there_are_several() -> None:
    pixels = np.array([[0, 10], [0, 100]], np.uint8)
    np.testing.assert_array_equal(normalized(pixels, [(0.0, 10.0), (0.0, 100.0)]), [[0, 1], [0, 1]])
