"""`size` has scikit-image's values of the whole image, whatever the tiles are."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from agreement import check
from in_blocks import facts_of, measured
from skimage.measure import marching_cubes, mesh_surface_area, regionprops, regionprops_table

from tilewright.abc import Block, Placement
from tilewright.errors import InvalidOption
from tilewright_measure.shapes import PROPERTIES
from tilewright_measure.size import GROUPS, Size

OWN = ("holes", "surface_area", "feret_diameter_min", "touches_border")  # which scikit-image does not have
EVERYTHING = Size(properties=(*GROUPS, "centroid_local", "area_bbox"))


def reference(labels, spacing, leave_out=()):
    facts = facts_of(labels, spacing=spacing)
    wanted = [name for name, each in PROPERTIES.items() if each.defined(facts) and name not in (*OWN, *leave_out)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of flat objects, which have no hull in three dimensions
        return regionprops_table(labels, properties=("label", *wanted), spacing=spacing)


@pytest.mark.slow
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 0.5), (0.5, 0.3)], ids=str)
def test_in_two_dimensions_every_property_is_that_of_scikit_image_for_every_tile(plane, spacing):
    expected = reference(plane, spacing)
    assert len(expected["label"]) > 1900
    for tile in (16, (61, 200), 1000):
        check(measured(EVERYTHING, plane, tile=tile, spacing=spacing), expected)


@pytest.mark.slow
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.5, 0.4)], ids=str)
def test_in_three_dimensions_too(volume, spacing):
    expected = reference(volume, spacing, leave_out=["feret_diameter_max"])
    for tile in (16, (13, 40, 70), 1000):
        check(measured(EVERYTHING, volume, tile=tile, spacing=spacing), expected)


@pytest.mark.slow
def test_surface_and_extent_in_three_dimensions_are_those_of_each_object_alone(volume):
    spacing = (2.0, 0.5, 0.4)
    columns = measured(EVERYTHING, volume, tile=23, spacing=spacing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for row, region in enumerate(regionprops(volume, spacing=spacing)):
            vertices, faces, _, _ = marching_cubes(np.pad(region.image, 1).astype(float), 0.5, spacing=spacing)
            assert math.isclose(columns["surface_area"][row], mesh_surface_area(vertices, faces), rel_tol=1e-6)
            if region.area_convex == 0:  # flat: scikit-image fails
                assert math.isnan(columns["feret_diameter_max"][row])
            else:
                assert math.isclose(columns["feret_diameter_max"][row], region.feret_diameter_max, rel_tol=1e-9)


@pytest.mark.slow
def test_no_tiling_changes_a_bit_of_what_is_made_of_whole_numbers(plane):
    whole = measured(EVERYTHING, plane, tile=1000, spacing=(0.3, 0.3))
    for tile in (16, 50):
        parts = measured(EVERYTHING, plane, tile=tile, spacing=(0.3, 0.3))
        for name in ("perimeter", "perimeter_crofton", "euler_number", "area_convex", "feret_diameter_min", "bbox-3"):
            np.testing.assert_array_equal(parts[name], whole[name], err_msg=name)


def test_what_scikit_image_does_not_have():
    labels = np.zeros((12, 20), int)
    labels[2:7, 2:7] = 1
    labels[4, 4] = 0
    labels[8:12, 10:16] = 2
    columns = measured(EVERYTHING, labels, tile=5, spacing=(2.0, 2.0), units=("micrometer", "micrometer"))
    assert columns["holes"].tolist() == [1, 0]
    assert columns["touches_border"].tolist() == [False, True]
    # As the greatest extent, of the hull of the middles of the pixels' sides: here between opposite sides.
    assert columns["feret_diameter_min"].tolist() == [10.0, 8.0]


def test_a_property_that_such_labels_do_not_have_is_left_out():
    flat, deep = facts_of(np.zeros((4, 4), int), spacing=(1.0, 2.0)), facts_of(np.zeros((4, 4, 4), int))
    assert {"perimeter", "moments_hu", "surface_area"}.isdisjoint(
        name.split("-")[0] for name in EVERYTHING.columns(flat)
    )
    assert {"perimeter", "orientation", "holes"}.isdisjoint(EVERYTHING.columns(deep))
    assert "surface_area" in EVERYTHING.columns(deep)


def test_only_what_is_chosen_is_computed_and_looked_around_for():
    facts = facts_of(np.zeros((4, 4), int))
    assert list(Size(properties=("area",)).columns(facts)) == ["area"]
    assert list(Size(properties=("area",)).quantities(facts)) == ["powers"]
    assert [Size(properties=(name,)).halo for name in ("area", "euler_number", "perimeter")] == [0, 1, 2]


def test_units_are_powers_of_the_unit_of_the_axes():
    facts = facts_of(np.zeros((4, 4), int), spacing=(0.5, 0.5), units=("micrometer", "micrometer"))
    columns = EVERYTHING.columns(facts)
    assert columns["area"].unit == "micrometer^2"
    assert columns["centroid-0"].unit == columns["perimeter"].unit == "micrometer"
    assert columns["bbox-0"].unit == columns["eccentricity"].unit == ""


def test_labels_without_objects_have_typed_empty_columns():
    for shape in ((5, 6), (5, 6, 7), (9,)):
        columns = measured(EVERYTHING, np.zeros(shape, np.uint16), tile=4)
        assert all(len(values) == 0 for values in columns.values())


def test_one_axis_has_sizes_and_places():
    columns = measured(EVERYTHING, np.array([0, 4, 4, 0, 7, 7, 7]), tile=2, spacing=(2.0,))
    assert columns["area"].tolist() == [4.0, 6.0]
    assert columns["centroid-0"].tolist() == [3.0, 10.0]


def test_objects_that_another_call_measures_leave_no_trace(plane):
    """A call with whole objects may have parts of others in its core."""
    whole = measured(EVERYTHING, plane, tile=1000)
    own = np.array([4, 30, 31, 900], np.uint64)
    ids = np.unique(plane)[1:].astype(np.uint64)
    everywhere = tuple(slice(0, n) for n in plane.shape)
    place = Placement.whole("yx", plane.shape)
    block = Block.of(plane, own=own, core=everywhere, place=place, facts=facts_of(plane))
    columns = EVERYTHING(block)
    for name, values in columns.items():
        np.testing.assert_array_equal(values, whole[name][np.searchsorted(ids, own)], err_msg=name)


def test_moments_of_a_large_object_stay_right_far_from_the_corner():
    labels = np.zeros((40, 9000), np.uint8)
    labels[3:37, 10:8990] = 1
    expected = regionprops_table(labels, properties=("label", "moments", "inertia_tensor"))
    check(measured(EVERYTHING, labels, tile=(40, 1000)), expected)


def test_a_name_that_is_no_property_is_refused_with_the_nearest_one():
    with pytest.raises(InvalidOption, match="size has no property 'perimetre'; did you mean 'perimeter'"):
        Size(properties=("perimetre",))
