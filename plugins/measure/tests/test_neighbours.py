"""`neighbours` counts what touches in the whole image, and finds the nearest object within its distance."""

from __future__ import annotations

import numpy as np
import pytest
from in_blocks import measured
from scipy.spatial.distance import cdist

from tilewright.errors import InvalidOption
from tilewright_measure.neighbours import Neighbours


def by_hand(labels, distance, spacing):
    ids = np.unique(labels[labels > 0])
    touching = {each: set() for each in ids}
    border = dict.fromkeys(ids, 0.0)
    for axis, step in enumerate(spacing):
        planes = np.moveaxis(labels, axis, 0)
        for one, other in zip(planes[:-1].ravel(), planes[1:].ravel(), strict=True):
            if one and other and one != other:
                for a, b in ((one, other), (other, one)):
                    touching[a].add(b)
                    border[a] += np.prod(spacing) / step
    nearest = []
    for each in ids:
        mine = np.argwhere(labels == each) * spacing
        others = np.argwhere((labels > 0) & (labels != each)) * spacing
        least = cdist(mine, others).min() if len(others) else np.inf
        nearest.append(least if least <= distance * min(spacing) else np.nan)
    return [len(touching[each]) for each in ids], [border[each] for each in ids], nearest


@pytest.mark.parametrize(
    ("shape", "spacing"), [((30, 41), (1.0, 1.0)), ((30, 41), (0.5, 0.2)), ((9, 12, 14), (2.0, 1.0, 1.0))], ids=str
)
def test_every_tiling_has_the_contacts_borders_and_distances_of_the_whole_image(shape, spacing):
    rng = np.random.default_rng(4)
    labels = np.zeros(shape, np.uint64)
    for number in range(25):
        corner = [int(rng.integers(0, n)) for n in shape]
        labels[tuple(slice(c, c + int(rng.integers(1, 6))) for c in corner)] = 2**40 + 3 * number
    contacts, border, nearest = by_hand(labels, 5, spacing)
    assert np.isfinite(nearest).any()
    for tile in (3, 8, 100):
        columns = measured(Neighbours(distance=5), labels, tile=tile, spacing=spacing)
        np.testing.assert_array_equal(columns["contacts"], contacts)
        np.testing.assert_allclose(columns["border_shared"], border, rtol=1e-12)
        np.testing.assert_allclose(columns["nearest_distance"], nearest, rtol=1e-12)


def test_what_is_farther_than_the_distance_is_not_found():
    labels = np.array([[1, 0, 0, 0, 2]])
    for distance, expected in ((3, [np.nan, np.nan]), (4, [4.0, 4.0])):
        columns = measured(Neighbours(distance=distance), labels, tile=1)
        np.testing.assert_array_equal(columns["nearest_distance"], expected)


def test_without_a_distance_only_contacts_are_counted():
    columns = measured(Neighbours(distance=0), np.array([[1, 2, 2], [0, 3, 0]]), tile=2)
    assert list(columns) == ["label", "contacts", "border_shared"]
    assert columns["contacts"].tolist() == [1, 2, 1]


def test_no_objects_have_typed_empty_columns():
    assert len(measured(Neighbours(), np.zeros((4, 4), int), tile=3)["nearest_distance"]) == 0


def test_a_distance_below_zero_is_refused():
    with pytest.raises(InvalidOption, match="at least 0 pixels, not -1"):
        Neighbours(distance=-1)
