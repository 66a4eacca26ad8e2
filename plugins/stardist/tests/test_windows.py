"""How windows lie: they cover the image, and hold the fewest pixels that memory allows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright.abc import Windows
from tilewright_stardist.windows import best_cut, least_pixels

AXES = {1: "x", 2: "yx", 3: "zyx"}


@given(st.data())
def test_windows_cover_the_image_at_multiples_of_the_stride_and_within_the_memory(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 3000), min_size=1, max_size=3)))
    stride = tuple(data.draw(st.sampled_from([1, 2, 4, 8])) for _ in shape)
    margin = tuple(data.draw(st.integers(0, 6)) * step for step in stride)
    most = least_pixels(shape, stride=stride, margin=margin) + data.draw(st.integers(0, 10**6))
    size, starts = best_cut(shape, stride=stride, margin=margin, most=most)
    assert math.prod(size) <= most
    for length, step, window, along in zip(shape, stride, size, starts, strict=True):
        assert window % step == 0
        assert all(start % step == 0 for start in along)
        assert along[0] == 0
        assert along[-1] + window == -(-length // step) * step
    Windows(axes=AXES[len(shape)], shape=shape, starts=starts, size=size, margin=margin)  # refuses a gap


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 20_000))
def test_no_other_numbers_of_windows_hold_fewer_pixels(height: int, width: int, more: int) -> None:
    stride, margin = (4, 8), (12, 16)
    most = least_pixels((height, width), stride=stride, margin=margin) + more
    size, starts = best_cut((height, width), stride=stride, margin=margin, most=most)
    pixels = math.prod(size) * len(starts[0]) * len(starts[1])
    for counts in np.ndindex(12, 12):
        lengths = [
            -(-(-(-length // step) * step + 2 * edge * n) // ((n + 1) * step)) * step
            for length, step, edge, n in zip((height, width), stride, margin, counts, strict=True)
        ]
        if math.prod(lengths) <= most and all(
            n > 2 * m or not c for n, m, c in zip(lengths, margin, counts, strict=True)
        ):
            assert pixels <= math.prod((n + 1) * length for n, length in zip(counts, lengths, strict=True))


@pytest.mark.parametrize("length", [2048, 8192, 100_000])
@pytest.mark.parametrize("most", [2_000_000, 8_000_000, 60_000_000])
def test_little_more_is_seen_than_of_windows_that_need_not_lie_at_multiples(length: int, most: int) -> None:
    """The best cut of a square: n windows along an axis see L + (n - 1) · 2 margins."""
    size, starts = best_cut((length, length), stride=(8, 8), margin=(48, 48), most=most)
    seen = math.prod(size) * len(starts[0]) * len(starts[1])
    counts = np.arange(1, 400)
    sums = np.multiply.outer(length + (counts - 1) * 96, length + (counts - 1) * 96)
    bound = sums[sums / np.multiply.outer(counts, counts) <= most].min()
    assert bound <= seen <= 1.02 * bound
