"""`regionprops` has any property of scikit-image, of objects in a crop as in the whole image."""

from __future__ import annotations

import numpy as np
import pytest
from in_blocks import facts_of
from skimage.measure import regionprops_table

from tilewright.abc import Block, Placement
from tilewright.errors import InvalidOption
from tilewright_measure.regionprops import RegionProps

NUMBERS = ("area_filled", "bbox", "centroid", "moments_hu", "intensity_mean", "centroid_weighted", "moments_weighted")


def crop_of(labels, pixels, own, region, facts):
    """A block that has some objects whole, and perhaps parts of others."""
    part = labels[region]
    return Block.of(
        part,
        own=np.asarray(own, np.uint64),
        core=tuple(slice(0, n) for n in part.shape),
        place=Placement(axes=facts.axes, region=region, shape=labels.shape),
        facts=facts,
        pixels=None if pixels is None else pixels[:, *region],
    )


def rings():
    labels = np.zeros((40, 50), int)
    labels[10:20, 12:30] = 3
    labels[13:16, 15:20] = 0
    labels[15:35, 31:45] = 7
    labels[20:22, 10:35] = 5
    return labels


def test_objects_in_a_crop_have_the_properties_that_they_have_in_the_image():
    labels = rings()
    pixels = np.random.default_rng(0).integers(0, 900, (2, 40, 50)).astype(np.uint16)
    facts = facts_of(labels, pixels, channels=("a", "b"))
    measurer = RegionProps(properties=NUMBERS)
    block = crop_of(labels, pixels, np.array([3, 5]), (slice(8, 36), slice(9, 40)), facts)
    columns = measurer(block)
    assert list(columns) == list(measurer.columns(facts))
    for channel, image in zip("ab", pixels, strict=True):
        expected = regionprops_table(labels, image, properties=NUMBERS)
        for name, values in expected.items():
            mine = columns.get(name, columns.get(f"{name}-{channel}"))
            np.testing.assert_allclose(mine, values[:2], rtol=1e-12, atol=1e-9, err_msg=name)
    for name, column in measurer.columns(facts).items():
        assert columns[name].dtype == column.dtype


def test_places_are_in_units_of_the_spacing():
    labels, spacing = rings(), (0.5, 2.0)
    facts = facts_of(labels, spacing=spacing)
    columns = RegionProps(properties=("centroid",))(
        crop_of(labels, None, np.array([5]), (slice(5, 40), slice(8, 50)), facts)
    )
    expected = regionprops_table(labels, properties=("centroid",), spacing=spacing)
    assert np.isclose(columns["centroid-0"][0], expected["centroid-0"][1])
    assert np.isclose(columns["centroid-1"][0], expected["centroid-1"][1])


def test_pixels_are_asked_for_only_by_properties_that_look_at_them():
    assert not RegionProps(properties=("area_filled",)).pixels
    assert RegionProps(properties=("intensity_median",)).pixels


def test_what_is_not_a_number_or_not_defined_is_refused_by_name():
    facts = facts_of(np.zeros((4, 4, 4), int))
    with pytest.raises(InvalidOption, match="'coords' is not a number"):
        RegionProps(properties=("coords",)).columns(facts)
    with pytest.raises(InvalidOption, match="no 'perimeter' of labels with axes 'zyx'"):
        RegionProps(properties=("perimeter",)).columns(facts)
    with pytest.raises(InvalidOption, match="did you mean 'area_filled'"):
        RegionProps(properties=("area_fill",))
