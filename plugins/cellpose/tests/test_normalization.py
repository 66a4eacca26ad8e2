"""One scale of brightness for the whole image, whatever the pixels are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tilewright import Image
from tilewright_cellpose.normalization import measured, normalized


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_the_percentiles_become_0_and_1_in_every_channel(dtype: str) -> None:
    pixels = np.random.default_rng(0).normal(120, 20, (2, 300, 200)).clip(0, 255).astype(dtype)
    pixels[1] //= 2
    scaled = normalized(pixels, measured(Image(data=pixels, axes="cyx"), (1, 99)))
    low, high = np.percentile(scaled, (1, 99), axis=(1, 2))
    np.testing.assert_allclose(low, 0, atol=1e-5)
    np.testing.assert_allclose(high, 1, atol=1e-5)
    assert scaled.dtype == np.float32


def test_what_is_not_finite_does_not_shift_the_scale_and_is_an_end_of_it() -> None:
    pixels = np.arange(10000.0).reshape(1, 100, 100)
    ranges = measured(Image(data=pixels, axes="cyx"), (1, 99))
    pixels[0, 0, :3] = np.nan, np.inf, -np.inf
    np.testing.assert_allclose(measured(Image(data=pixels, axes="cyx"), (1, 99)), ranges, atol=4)
    np.testing.assert_array_equal(normalized(pixels, ranges)[0, 0, :3], [0, 1, 0])


def test_a_channel_of_one_value_is_0_and_one_of_none_has_a_range() -> None:
    pixels = np.stack([np.full((9, 9), 7.0), np.full((9, 9), np.nan)])
    ranges = measured(Image(data=pixels, axes="cyx"), (1, 99))
    assert ranges == ((7.0, 7.0), (0.0, 1.0))
    assert not normalized(pixels, ranges).any()


def test_few_objects_on_an_empty_image_are_seen() -> None:
    pixels = np.zeros((400, 400), np.uint16)
    pixels[5:25, 5:25] = 300
    assert measured(Image(data=pixels, axes="yx"), (1, 99)) == ((0.0, 300.0),)


def test_pixels_are_not_written_to() -> None:
    pixels: NDArray[Any] = np.random.default_rng(0).random((1, 20, 20), np.float32)
    before = pixels.copy()
    assert not np.shares_memory(normalized(pixels, ((0.1, 0.9),)), pixels)
    np.testing.assert_array_equal(pixels, before)
