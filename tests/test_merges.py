"""Measures of parts of objects go together to those of whole objects, whatever the parts are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright.abc import Quantity, Rows, merged

EXPONENTS = tuple((p, q) for p in range(4) for q in range(4 - p))


def parts_of(owner, part, value):
    """By part: the indices of the objects that it has points of, and what `value` says of them."""
    for number in range(part.max() + 1):
        here = part == number
        index = np.unique(owner[here])
        yield index, value(here, index)


points = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 5), min_size=n, max_size=n),
        st.lists(st.integers(0, 4), min_size=n, max_size=n),
        st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=n, max_size=n),
    )
)


@given(points)
def test_powers_of_parts_are_powers_of_the_whole_about_its_smallest_coordinates(drawn):
    owner, part, at = (np.array(each) for each in drawn)
    at = at % 50 + 10**6 * (owner[:, None] % 2)  # objects of some 50 pixels, far from each other

    def powers(here, index):
        rows = []
        for i in index:
            mine = at[here & (owner == i)]
            point = mine.min(axis=0)
            rows.append([*point, *(np.prod((mine - point) ** np.array(e), axis=1).sum() for e in EXPONENTS)])
        return np.array(rows)

    everything, n = np.ones(len(owner), bool), 6
    whole = powers(everything, np.unique(owner))
    together = merged(Quantity(merge="powers", dtype="int64", exponents=EXPONENTS), parts_of(owner, part, powers), n)
    np.testing.assert_array_equal(together[np.unique(owner)], whole)


def test_powers_with_weights_that_cancel_keep_their_point():
    quantity = Quantity(merge="powers", dtype="int64", exponents=((0,), (1,)))
    first, second = np.array([[5, 0, 0]]), np.array([[7, 1, 2]])
    index = np.array([0])
    np.testing.assert_array_equal(merged(quantity, [(index, first), (index, second)], 1), [[5, 1, 4]])


@pytest.mark.parametrize(
    ("merge", "expected"), [("sum", [3, 5]), ("min", [1, 5]), ("max", [2, 5])], ids=["sum", "min", "max"]
)
def test_numbers_go_together_one_by_one_and_indices_below_0_are_left_out(merge, expected):
    parts = [(np.array([0, -1]), np.array([1, 9])), (np.array([1, 0]), np.array([5, 2]))]
    np.testing.assert_array_equal(merged(Quantity(merge=merge, dtype="int32"), parts, 2), expected)


def test_the_first_row_is_that_of_the_smallest_place():
    parts = [(np.array([0, 1]), np.array([[7, 70], [3, 30]])), (np.array([0, 1]), np.array([[2, 20], [4, 40]]))]
    quantity = Quantity(merge="first", dtype="int64", width=2)
    np.testing.assert_array_equal(merged(quantity, parts, 2), [[2, 20], [3, 30]])


def test_counts_of_equal_keys_add_up_and_ascend_by_object_and_key():
    one = Rows(np.array([1, 0, 1]), np.array([[4, 1], [9, 2], [2, 3]]))
    two = Rows(np.array([0, 0]), np.array([[4, 5], [2, 1]]))
    together = merged(
        Quantity(merge="counts", dtype="uint64", width=2), [(np.array([0, 1]), one), (np.array([1]), two)], 2
    )
    assert together.of.tolist() == [0, 1, 1]
    assert together.values.tolist() == [[9, 2], [2, 4], [4, 6]]


def test_rows_stay_as_they_are_by_object():
    one, two = Rows(np.array([1, 0]), np.array([[4.0], [9.0]])), Rows(np.array([0, 1]), np.array([[1.0], [2.0]]))
    together = merged(Quantity(merge="rows"), [(np.array([0, 1]), one), (np.array([0, 1]), two)], 2)
    assert together.of.tolist() == [0, 0, 1, 1]
    assert together.values.ravel().tolist() == [9, 1, 4, 2]


def test_no_parts_are_no_objects():
    for quantity in (Quantity(), Quantity(merge="powers", exponents=EXPONENTS)):
        assert len(merged(quantity, [], 0)) == 0
    assert len(merged(Quantity(merge="counts", width=2), [], 0).of) == 0
