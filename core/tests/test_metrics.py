"""Matching two label images: against the definitions written out in numpy, and case by case."""

from __future__ import annotations

import itertools
import re
import tracemalloc
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import zarr
from fakes import Recording
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from tilewright import Image, InvalidImage, InvalidLabels, InvalidOption, NotReadable, compare
from tilewright.metrics.comparison import Comparison

Labels = NDArray[Any]


def matched(reference: Labels, predicted: Labels, threshold: float) -> int:
    """As StarDist's and Cellpose's: the assignment with most pairs at the threshold, by the Hungarian method."""
    ids, others = (np.unique(labels[labels > 0]) for labels in (reference, predicted))
    iou = np.zeros((len(ids), len(others)))
    for (i, one), (j, other) in itertools.product(enumerate(ids), enumerate(others)):
        iou[i, j] = ((reference == one) & (predicted == other)).sum() / (
            (reference == one) | (predicted == other)
        ).sum()
    rows, columns = linear_sum_assignment(-(iou >= threshold).astype(float) - iou / (2 * max(1, *iou.shape)))
    return int((iou[rows, columns] >= threshold).sum())


def faults(reference: Labels, predicted: Labels) -> dict[str, list[int]]:
    """The four kinds of fault, object by object, as their definitions read."""
    objects = {int(i): reference == i for i in np.unique(reference[reference > 0])}
    found = {int(i): predicted == i for i in np.unique(predicted[predicted > 0])}
    both = {(i, j): int((objects[i] & found[j]).sum()) for i in objects for j in found}
    in_half = {(i, j) for i, j in both if both[i, j] and both[i, j] >= 0.5 * found[j].sum()}
    most = {i: max((both[i, j] for j in found), default=0) for i in objects}
    return {
        "fused": [j for j in found if sum(both[i, j] >= 0.5 * objects[i].sum() for i in objects) > 1],
        "split": [
            i for i in objects if sum((i, j) in in_half and both[i, j] >= 0.15 * objects[i].sum() for j in found) > 1
        ],
        "lost": [i for i in objects if not any(both[i, j] >= 0.25 * objects[i].sum() for j in found)],
        "doubled": [j for j in found if any((i, j) in in_half and both[i, j] < most[i] for i in objects)],
    }


def found_faults(comparison: Comparison) -> dict[str, list[int]]:
    return {name: getattr(comparison, name).tolist() for name in ("fused", "split", "lost", "doubled")}


def of_each(comparison: Comparison) -> dict[str, Any]:
    return comparison.plain() | found_faults(comparison)


@settings(max_examples=150)
@given(st.data())
def test_scores_and_faults_are_those_of_the_definitions_for_any_blocks(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    size = int(np.prod(shape))
    ids = st.sampled_from([0, 0, 1, 2, 3, 9, 250])
    reference, predicted = (
        np.array(data.draw(st.lists(ids, min_size=size, max_size=size)), dtype).reshape(shape) for dtype in ("i8", "u1")
    )
    threshold = data.draw(st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 0.7, 1.0]))
    block = [data.draw(st.integers(1, n)) for n in shape]
    found = compare(reference, predicted, thresholds=[threshold], block=block)
    objects, others = len(np.unique(reference[reference > 0])), len(np.unique(predicted[predicted > 0]))
    expected = matched(reference, predicted, threshold)
    assert (found.n_reference, found.n_predicted) == (objects, others)
    assert found[threshold].matched == expected
    assert (found[threshold].missed, found[threshold].extra) == (objects - expected, others - expected)
    assert found_faults(found) == faults(reference, predicted)


def image(*rows: str) -> Labels:
    return np.array([[int(letter) for letter in row] for row in rows])


def test_the_figures_of_a_case_worked_out_by_hand() -> None:
    """Object 1 is matched at 3/4, 2 and 3 are fused, 4 is split, 5 is lost, and 9 is on background."""
    reference = image("1111022330444405500", "0000000000000000000")
    predicted = image("1110022220667700000", "0000000000000000009")
    found = compare(reference, predicted, thresholds=(0.5, 0.75, 0.76))
    assert (found.n_reference, found.n_predicted) == (5, 5)
    at = found[0.5]
    # IoU: 1 with 1 is 3/4; 2 and 3 have half of the fused 2; both halves of 4 are half of it
    assert (at.matched, at.missed, at.extra) == (3, 2, 2)
    assert (at.precision, at.recall, at.f1, at.ap) == (3 / 5, 3 / 5, 3 / 5, 3 / 7)
    assert (found[0.75].matched, found[0.76].matched) == (1, 0)
    assert found_faults(found) == {"fused": [2], "split": [4], "lost": [5], "doubled": []}


def test_a_sliver_beside_an_object_is_doubled_and_splits_nothing() -> None:
    found = compare(image("111111111100"), image("222222222300"))
    assert found_faults(found) == {"fused": [], "split": [], "lost": [], "doubled": [3]}


@pytest.mark.parametrize(
    ("reference", "predicted", "expected"),
    [
        ("1111", "2233", {"split": [1]}),  # equal halves: neither holds less than the other
        ("11111", "22333", {"split": [1], "doubled": [2]}),
        ("111111", "223344", {"split": [1]}),  # three thirds
        ("11112222", "33334444", {}),
        ("11112222", "55666677", {"fused": [6], "split": [1, 2]}),  # half of both, and by half in both
        ("1111", "2000", {}),  # exactly a quarter is not lost
        ("11111", "20000", {"lost": [1]}),
        ("1" * 20, "2" * 17 + "333", {"split": [1], "doubled": [3]}),  # exactly 15 % is a part
        ("1" * 21, "2" * 18 + "333", {"doubled": [3]}),
        ("111100222", "333334422", {"split": [2], "doubled": [4]}),  # half of 4 is on background
    ],
)
def test_shares_that_are_equal_are_counted_as_the_documentation_says(
    reference: str, predicted: str, expected: dict[str, list[int]]
) -> None:
    nothing: dict[str, list[int]] = {"fused": [], "split": [], "lost": [], "doubled": []}
    assert found_faults(compare(image(reference), image(predicted))) == nothing | expected


def test_an_object_in_a_fused_one_is_not_lost() -> None:
    found = compare(image("111222"), image("333333"))
    assert found_faults(found) == {"fused": [3], "split": [], "lost": [], "doubled": []}


def test_images_without_objects_agree_and_with_others_they_do_not() -> None:
    empty, full = np.zeros((4, 4), int), np.ones((4, 4), int)
    assert [getattr(compare(empty, empty)[0.5], name) for name in ("ap", "precision", "recall", "f1")] == [1.0] * 4
    assert compare(full, empty)[0.5].ap == compare(empty, full)[0.5].ap == 0
    assert compare(np.zeros((0, 4), int), np.zeros((0, 4), int)).n_reference == 0


def test_ids_of_any_size_and_dtype_are_told_apart() -> None:
    reference = np.array([[2**63 + 5, 2**63 + 6, 0]], np.uint64)
    found = compare(reference, np.array([[True, False, False]]), thresholds=(1,))
    assert (found[1].matched, found.lost.tolist()) == (1, [2**63 + 6])


def stored(folder: Path, labels: Labels, chunks: tuple[int, ...]) -> zarr.Array[Any]:
    array = zarr.create_array(folder, shape=labels.shape, dtype=labels.dtype, chunks=chunks)
    array[...] = labels
    return array


def test_arrays_of_every_kind_and_chunking_give_the_same(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    reference, predicted = random.integers(0, 40, (2, 30, 31, 32))
    expected = of_each(compare(reference, predicted))
    assert (
        of_each(compare(stored(tmp_path / "a", reference, (7, 32, 9)), dask.array.from_array(predicted, (8, 3, 32))))
        == expected
    )
    assert of_each(compare(Image(data=reference, axes="zyx"), predicted)) == expected
    assert of_each(compare(Image(data=reference[None], axes="tzyx"), Image(data=predicted, axes="zyx"))) == expected


def test_memory_grows_with_the_objects_and_not_with_the_pixels() -> None:
    """Nothing larger than a block is read, and of a million pixels more nothing is kept."""
    peaks = []
    for side in (1024, 4096):
        labels = Recording(np.broadcast_to(np.repeat(np.arange(64), side // 64), (side, side)), (256, 256))
        tracemalloc.start()
        assert compare(labels, labels, block=(256, 256))[0.9].matched == 63
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert labels.reads().max() == 2
        assert labels.largest_read() == 256 * 256
    assert peaks[1] < 1.2 * peaks[0]


def test_tables_are_added_up_before_they_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    reference, predicted = random.integers(0, 9, (2, 40, 40))
    expected = of_each(compare(reference, predicted))
    monkeypatch.setattr("tilewright.metrics.contingency.COMPACT", 1)
    assert of_each(compare(reference, predicted, block=(3, 3))) == expected


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i1", "u8"])
def test_labels_that_are_stored_as_whole_floats_are_those_of_the_whole_numbers(dtype: str) -> None:
    reference, predicted = np.random.default_rng(0).integers(0, 30, (2, 5, 9, 7))
    expected = of_each(compare(reference, predicted))
    assert of_each(compare(reference.astype(dtype), predicted)) == expected
    assert of_each(compare(reference, dask.array.from_array(predicted.astype(dtype), (2, 4, 7)))) == expected
    found = compare(np.array([[2.0**53, 2.0**63, -0.0]]), np.array([[1, 0, 0]]))
    assert found.lost.tolist() == [2**63]


@pytest.mark.parametrize(
    ("dtype", "value", "text"),
    [
        ("f8", 0.5, "0.5"),
        ("f4", 3.25, "3.25"),
        ("f2", np.inf, "inf"),
        ("f4", -np.inf, "-inf"),
        ("f8", np.nan, "nan"),
        ("f8", -2.0, "-2.0"),
        ("f8", 2.0**64, "1.8446744073709552e+19"),
        ("i2", -1, "-1"),
    ],
)
def test_a_value_that_is_not_a_label_is_refused_with_its_place(dtype: str, value: float, text: str) -> None:
    labels = np.ones((3, 4, 5), dtype)
    wrong = labels.copy()
    wrong[2, 1, 3] = value
    said = rf"predicted has the value {re.escape(text)} at z=2, y=1, x=3, which is not a label"
    for block in (None, (1, 1, 2)):
        with pytest.raises(InvalidLabels, match=said):
            compare(labels, wrong, block=block)
    with pytest.raises(InvalidLabels, match="at t=0, z=2, y=1, x=3"):
        compare(Image(data=wrong[None], axes="tzyx"), labels)


def test_what_cannot_be_compared_is_refused() -> None:
    labels = np.ones((4, 4), int)
    with pytest.raises(
        InvalidImage, match=r"reference has axes 'yx' of shape \(4, 4\), predicted has 'yx' of shape \(4, 5\)"
    ):
        compare(labels, np.ones((4, 5), int))
    with pytest.raises(InvalidImage, match="different extent"):
        compare(Image(data=labels, axes="yx"), Image(data=labels, axes="zx"))
    with pytest.raises(InvalidOption, match=r"above 0 and up to 1, not 1\.5"):
        compare(labels, labels, thresholds=(1.5,))
    with pytest.raises(InvalidOption, match="above 0 and up to 1, not 0"):
        compare(labels, labels, thresholds=(0,))
    with pytest.raises(InvalidOption, match="int is not a label image"):
        compare(labels, 3)
    with pytest.raises(NotReadable, match="does not exist"):
        compare(labels, "nowhere.zarr")
    with pytest.raises(KeyError, match=r"no score at 0.6; there are 0.5, 0.7, 0.9"):
        _ = compare(labels, labels)[0.6]
