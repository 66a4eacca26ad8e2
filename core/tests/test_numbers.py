"""Blocks of labels with numbers in place of ids, whatever the ids are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tilewright.labels.numbers import Numbered, ids_of

SPREAD = {
    "dense": np.arange(9, dtype=np.uint8),
    "far": np.array([0, 1, 5, 10**6, 10**9, 2**32 - 2, 2**32 - 1, 7, 3], np.uint32),
    "above 2^63": np.array([0, 1, 2**63, 2**63 + 1, 2**64 - 1, 5, 2**53 + 1, 6, 7], np.uint64),
    "dense above 2^63": np.array([0, *range(2**63 + 5, 2**63 + 13)], np.uint64),
    "signed": np.array([0, *range(2**62, 2**62 + 8)], np.int64),
}


@pytest.mark.parametrize("ids", SPREAD.values(), ids=SPREAD)
@given(arrays(np.int64, st.tuples(st.integers(0, 6), st.integers(0, 7)), elements=st.integers(0, 8)), st.data())
def test_numbers_lead_back_to_the_ids_and_those_of_the_core_come_first(ids, block, data):
    labels = ids[block]
    core = tuple(slice(start := data.draw(st.integers(0, n)), data.draw(st.integers(start, n))) for n in labels.shape)
    block = Numbered.of(labels, core)
    numbers, names, n = block.labels, block.ids, block.n
    np.testing.assert_array_equal(np.concatenate([[np.uint64(0)], names])[numbers], labels.astype(np.uint64))
    own = np.unique(labels[core][labels[core] > 0]).astype(np.uint64)
    assert names.dtype == np.uint64
    assert numbers.dtype == np.intp
    np.testing.assert_array_equal(names[:n], own)
    assert (np.diff(names[n:].astype(object)) > 0).all()
    start, length, number = block.within(core)
    lines = np.repeat(number, length).reshape(labels[core].shape)
    np.testing.assert_array_equal(lines, numbers[core])
    np.testing.assert_array_equal(start, np.cumsum(length) - length)
    np.testing.assert_array_equal(ids_of(labels), np.unique(labels[labels > 0]).astype(np.uint64))


def test_objects_that_are_named_come_first_and_those_that_are_not_there_do_not_count():
    labels = np.array([[3, 3, 0, 9], [4, 0, 9, 9]])
    block = Numbered.of(labels, np.array([4, 7, 9], np.uint64))
    numbers, names, n = block.labels, block.ids, block.n
    assert (names.tolist(), n) == ([4, 9, 3], 2)
    assert numbers.tolist() == [[3, 3, 0, 2], [1, 0, 2, 2]]
