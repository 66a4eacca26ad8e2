"""`overlaps` relates objects to those of another label image, as counting all pixels of the whole image does."""

from __future__ import annotations

import numpy as np
import pytest
from in_blocks import measured

from tilewright.errors import InvalidOption
from tilewright_measure.overlaps import Overlaps


def by_hand(labels, others):
    ids = np.unique(labels[labels > 0])
    parent_of = {}
    for other in np.unique(others[others > 0]):
        on, count = np.unique(labels[(others == other) & (labels > 0)], return_counts=True)
        parent_of[int(other)] = int(on[np.argmax(count)]) if len(on) else 0
    rows = []
    for each in ids:
        under, count = np.unique(others[(labels == each) & (others > 0)], return_counts=True)
        children = sum(parent == each for parent in parent_of.values())
        if not len(under):
            rows.append((0, children, 0, 0.0))
            continue
        parent, shared = under[np.argmax(count)], count.max()
        union = (labels == each).sum() + (others == parent).sum() - shared
        rows.append((int(parent), children, int(shared), shared / union))
    return [list(column) for column in zip(*rows, strict=True)]


def boxes(shape, n, largest, seed, first):
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint64)
    for number in range(n):
        corner = [int(rng.integers(0, n)) for n in shape]
        labels[tuple(slice(c, c + int(rng.integers(1, largest))) for c in corner)] = first + 2 * number
    return labels


@pytest.mark.parametrize("shape", [(60, 70), (20, 22, 24)], ids=str)
def test_every_tiling_has_the_relations_of_the_whole_image(shape):
    cells, nuclei = boxes(shape, 40, 14, seed=1, first=2**33), boxes(shape, 60, 7, seed=2, first=5)
    expected = by_hand(cells, nuclei)
    assert max(expected[1]) > 1
    for tile in (5, 16, 100):
        columns = measured(Overlaps(given=("nuclei",), reach=8), cells, given={"nuclei": nuclei}, tile=tile)
        for name, values in zip(("parent", "children", "shared_pixels", "iou"), expected, strict=True):
            np.testing.assert_allclose(columns[f"{name}-nuclei"], values, rtol=1e-12, err_msg=name)


def test_an_object_that_no_block_sees_whole_has_no_iou_and_is_no_child():
    labels, others = np.array([[1, 1, 0, 0, 0, 0, 0, 0]]), np.array([[0, 9, 9, 9, 9, 9, 9, 9]])
    near = measured(Overlaps(given=("o",), reach=2), labels, given={"o": others}, tile=2)
    far = measured(Overlaps(given=("o",), reach=7), labels, given={"o": others}, tile=2)
    assert (near["parent-o"].tolist(), near["shared_pixels-o"].tolist(), near["children-o"].tolist()) == ([9], [1], [0])
    assert np.isnan(near["iou-o"]).all()
    assert (far["children-o"].tolist(), far["iou-o"].tolist()) == ([1], [1 / 8])


def test_of_equals_the_smallest_id_is_the_parent():
    labels, others = np.array([[1, 1, 1, 1]]), np.array([[8, 8, 3, 3]])
    for tile in (1, 2, 4):
        assert measured(Overlaps(given=("o",)), labels, given={"o": others}, tile=tile)["parent-o"].tolist() == [3]


def test_several_label_images_have_columns_each():
    labels = np.array([[1, 1, 2]])
    columns = measured(Overlaps(given=("a", "b")), labels, given={"a": labels, "b": 0 * labels}, tile=2)
    assert columns["iou-a"].tolist() == [1.0, 1.0]
    assert columns["parent-b"].tolist() == [0, 0]


def test_no_objects_have_typed_empty_columns():
    empty = np.zeros((4, 4), int)
    assert len(measured(Overlaps(given=("a",)), empty, given={"a": empty}, tile=3)["iou-a"]) == 0


def test_wrong_options_are_refused():
    with pytest.raises(InvalidOption, match="at least one other label image"):
        Overlaps(given=())
    with pytest.raises(InvalidOption, match="at least 0 pixels, not -1"):
        Overlaps(given=("a",), reach=-1)
