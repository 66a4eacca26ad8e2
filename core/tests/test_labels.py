"""What a segmenter may return, and the small ids that each tile's objects get."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from truth import raster_order

from tilewright import InvalidLabels
from tilewright.labels.objects import dtype_for
from tilewright.labels.runs import Runs, _looked_up, _objects, _sorted, checked, smallest_dtype, spread

HUGE = 2**64 - 1
INTEGERS = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", ">u2", ">u4", ">u8", ">i4", ">i8"]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_any_integer_dtype_is_taken_up_to_its_largest_value(dtype: str) -> None:
    largest = np.iinfo(dtype).max
    labels = np.array([[0, 1, largest], [largest - 1, 0, 1]], dtype)
    assert np.array_equal(checked(labels, (2, 3)), labels)
    runs = Runs.of(checked(labels, (2, 3)))
    assert runs.labels.tolist() == [[0, 1, 2], [3, 0, 1]]
    assert runs.values.dtype == np.uint8


@pytest.mark.parametrize(
    ("labels", "taken"),
    [
        (np.array([[True, False]]), [[1, 0]]),
        (np.array([[2.0, -0.0]]), [[2, 0]]),
        (np.array([[2.0, 3.0]], "f2"), [[2, 3]]),
        (np.array([[2.0, 16777216.0]], ">f4"), [[2, 2**24]]),
        (np.array([[2.0**53, 2.0**63]]), [[2**53, 2**63]]),
        (np.array([[0, 1]], np.longdouble), [[0, 1]]),
        ([[3, 0]], [[3, 0]]),
        (((3, 0),), [[3, 0]]),
        ([[3.0, 0.0]], [[3, 0]]),
        (np.asfortranarray([[3, 4]]), [[3, 4]]),
    ],
)
def test_whole_numbers_in_any_form_are_taken(labels: Any, taken: list[list[int]]) -> None:
    found = checked(labels, (1, 2))
    assert found.dtype.kind in "iu"
    assert found.tolist() == taken


class Untransferable:
    """As a tensor on a GPU or one that still has gradients: it has a shape, and cannot be turned into an array."""

    shape = (1, 2)

    def __array__(self, *_: Any, **__: Any) -> NDArray[Any]:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.array([[0.7, 1.7]]), "returned 0.7; labels are whole numbers"),
        (np.array([[1.0, np.nan]]), "returned nan; labels are finite whole numbers"),
        (np.array([[1.0, np.inf]]), "returned inf; labels are finite"),
        (np.array([[1.0, -np.inf]]), "returned -inf; labels are finite"),
        (np.array([[np.nan, 0.5]], "f2"), "returned nan; labels are finite"),
        (np.array([[0.5, 0.0]], "f2"), "returned 0.5"),
        (np.array([[1.0, -1.0]]), "returned -1.0; labels are whole numbers from 0 to 2^64-1"),
        (np.array([[2.0**64, 0.0]]), "returned 1.8446744073709552e+19; labels are whole numbers from 0 to 2^64-1"),
        (np.array([[1, -3]]), "returned the negative label -3; 0 is background"),
        (np.array([[1, -128]], "i1"), "returned the negative label -128"),
        (np.array([[1, 2]], complex), "returned dtype complex128; labels are integers"),
        (np.array([["a", "b"]]), "returned dtype <U1; labels are integers"),
        (np.array([[1, None]], object), "returned dtype object; labels are integers"),
        (np.array([[1, 2]], "m8[s]"), "labels are integers"),
        ([[2**64, 0]], "labels are integers"),
        (np.array([[1], [2]]), "returned shape (2, 1) for pixels whose spatial shape is (1, 2)"),
        (np.array([1, 2]), "returned shape (2,) for"),
        (np.array([[[1, 2]]]), "returned shape (1, 1, 2) for"),
        (np.zeros((0, 2), int), "returned shape (0, 2) for"),
        (5, "returned shape () for"),
        (None, "returned None"),
        ([[1, 2], [3]], "returned list, which is not an array"),
        ((np.array([[1, 2]]), 2), "returned tuple, which is not an array"),
        (Untransferable(), "returned Untransferable, which is not an array (can't convert cuda:0"),
    ],
)
def test_what_is_no_label_image_is_refused_by_what_is_wrong(labels: Any, said: str) -> None:
    with pytest.raises(InvalidLabels) as raised:
        checked(labels, (1, 2))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_labels_without_pixels_are_labels() -> None:
    for dtype in ("i8", "u1", "f8", "?"):
        assert Runs.of(checked(np.zeros((0, 3), dtype), (0, 3))).labels.shape == (0, 3)


@pytest.mark.parametrize(
    ("largest", "dtype"),
    [(0, "u1"), (255, "u1"), (256, "u2"), (65535, "u2"), (65536, "u4"), (2**32 - 1, "u4"), (2**32, "u8")],
)
def test_ids_are_kept_in_the_smallest_dtype(largest: int, dtype: str) -> None:
    assert smallest_dtype(largest) == np.dtype(dtype)


@pytest.mark.parametrize("count", [255, 256, 65535, 65536])
def test_as_many_objects_as_a_dtype_holds_or_one_more_keep_their_ids(count: int) -> None:
    runs = Runs.of(np.arange(1, count + 1, dtype=np.uint64) * 3)
    assert runs.values.dtype == smallest_dtype(count)
    assert runs.labels[-1] == count == len(runs.first)


@st.composite
def blocks(draw: st.DrawFn) -> NDArray[Any]:
    shape = tuple(draw(st.lists(st.integers(0, 6), min_size=1, max_size=3)))
    dtype = np.dtype(draw(st.sampled_from(INTEGERS)))
    ids = draw(st.lists(st.integers(0, int(np.iinfo(dtype).max)), min_size=1, max_size=8))
    chosen = draw(st.lists(st.sampled_from([0, *ids]), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    block = np.array(chosen, dtype).reshape(shape)
    return draw(st.sampled_from([block, np.asfortranarray(block), block[::-1]]))


@given(blocks())
def test_runs_equal_what_numpy_says_pixel_by_pixel(block: NDArray[Any]) -> None:
    runs = Runs.of(block)
    numbered = raster_order(block) if block.any() else np.zeros(block.shape, int)
    np.testing.assert_array_equal(runs.labels, numbered)
    count = int(numbered.max(initial=0))
    np.testing.assert_array_equal(runs.area, np.bincount(numbered.ravel(), minlength=count + 1)[1:])
    first = [int(np.flatnonzero(numbered.ravel() == k)[0]) for k in range(1, count + 1)]
    np.testing.assert_array_equal(runs.first, first)
    assert first == sorted(first)
    assert runs.values.dtype == smallest_dtype(count)
    assert runs.labels.flags.c_contiguous
    assert np.can_cast(runs.labels.dtype, np.int64)
    np.testing.assert_array_equal(spread(runs.values, runs.lengths, block.shape), numbered)
    assert (runs.values[1:] != runs.values[:-1]).all()


@given(st.lists(st.integers(0, 1100), min_size=1, max_size=40).filter(any))
def test_ids_looked_up_in_a_table_are_numbered_as_ids_that_are_sorted(ids: list[int]) -> None:
    for looked_up, by_sorting in zip(_looked_up(np.array(ids)), _sorted(np.array(ids)), strict=True):
        np.testing.assert_array_equal(looked_up, by_sorting)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_ids_that_are_in_order_already_are_taken_as_they_are(ids: list[int]) -> None:
    values = np.array(ids, np.uint8)
    *found, same = _objects(values)
    numbered = raster_order(values) if values.any() else values
    assert same == np.array_equal(numbered, values)
    if values.any():
        for taken, by_sorting in zip(found, _sorted(values), strict=True):
            np.testing.assert_array_equal(taken, by_sorting)


@given(blocks())
def test_runs_leave_the_block_as_it_was(block: NDArray[Any]) -> None:
    before = block.copy()
    with pytest.raises(ValueError, match="read-only"):
        Runs.of(block).labels[...] = 0
    np.testing.assert_array_equal(block, before)
    block[...] = 0  # is the caller's own as before


@pytest.mark.parametrize("largest", [20_000_000, 2**62, HUGE])
def test_nothing_is_as_long_as_the_largest_id(largest: int) -> None:
    block = np.zeros((8, 8), np.uint64)
    block[2, 3], block[5, 5] = largest, largest - 1
    tracemalloc.start()
    try:
        runs = Runs.of(checked(block, (8, 8)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert runs.labels.max() == 2
    assert peak < 64_000


@pytest.mark.parametrize(("count", "dtype"), [(0, "uint32"), (2**32 - 1, "uint32"), (2**32, "uint64")])
def test_numbers_take_64_bits_from_the_first_that_32_do_not_hold(count: int, dtype: str) -> None:
    assert dtype_for(count) == dtype
    assert np.iinfo(dtype_for(count)).max >= count
