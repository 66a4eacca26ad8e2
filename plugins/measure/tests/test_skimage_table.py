"""`regionprops_table` is scikit-image's, of arrays of any kind and size."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from agreement import check
from skimage.measure import regionprops_table as reference

from tilewright import Image
from tilewright.errors import InvalidOption
from tilewright_measure import regionprops_table

PROPERTIES = ("label", "area_filled", "bbox", "perimeter", "intensity_median", "moments_weighted", "solidity", "area")


@pytest.mark.slow
def test_columns_names_and_order_are_those_of_scikit_image(plane):
    labels = plane[:200, :210]
    pixels = np.random.default_rng(0).random((200, 210, 2)).astype(np.float32)
    columns = regionprops_table(labels, pixels, PROPERTIES)
    expected = reference(labels, pixels.astype(np.float64), PROPERTIES)
    assert list(columns) == list(expected)
    check(columns, expected)


def test_arrays_on_disk_and_spacing_are_taken(tmp_path):
    labels = np.repeat(np.repeat(np.array([[1, 2], [3, 0]]), 20, 0), 30, 1)
    stored = zarr.create_array(tmp_path / "labels.zarr", data=labels, chunks=(16, 16))
    names = ("label", "area", "centroid", "intensity_mean")
    columns = regionprops_table(stored, labels.astype(np.uint16), names, spacing=(0.5, 2.0))
    check(columns, reference(labels, labels, names, spacing=(0.5, 2.0)))
    assert "centroid_0" in regionprops_table(stored, properties=names[:3], separator="_")


def test_an_image_has_its_own_spacing():
    labels = Image(np.array([[1, 1, 0]]), axes="yx", spacing={"y": 3.0, "x": 0.5})
    assert regionprops_table(labels, properties=("area",))["area"].tolist() == [3.0]


def test_what_is_not_a_number_is_refused():
    with pytest.raises(InvalidOption, match="'coords' is not a number"):
        regionprops_table(np.array([[1, 1, 0]]), properties=("coords",))
    with pytest.raises(InvalidOption, match="did you mean 'centroid'"):
        regionprops_table(np.array([[1, 1, 0]]), properties=("centroyd",))


def fill(mask):
    return mask.mean()


def ends(mask, pixels):
    return np.array([pixels[mask].min(), pixels[mask].max()])


def corner(mask, pixels):
    return int(pixels[0, 0])


def test_extra_properties_are_functions_of_masks_and_pixels(tmp_path):
    labels = np.kron(np.array([[1, 0, 2], [3, 3, 0]]), np.tri(20, dtype=int))
    pixels = np.random.default_rng(0).integers(0, 900, (40, 60, 2)).astype(np.uint16)
    stored = zarr.create_array(tmp_path / "labels.zarr", data=labels, chunks=(16, 16))
    options = {"extra_properties": (ends, fill, corner), "separator": "."}
    columns = regionprops_table(label_image=stored, intensity_image=pixels, cache=False, measure_pixels=99, **options)
    expected = reference(label_image=labels, intensity_image=pixels, cache=False, **options)
    assert {name: values.dtype for name, values in columns.items()} == {
        name: values.dtype for name, values in expected.items()
    }
    assert list(columns) == list(expected)
    check(columns, expected)


def test_labels_are_int64_unless_they_are_larger():
    labels = np.array([[3, 0]], np.uint64)
    assert regionprops_table(labels)["label"].dtype == reference(labels)["label"].dtype == np.int64
    assert regionprops_table(labels * 0)["label"].dtype == np.int64
    assert regionprops_table(labels << np.uint64(62))["label"].tolist() == [3 << 62]


def test_an_image_without_objects_has_typed_empty_columns():
    columns = regionprops_table(np.zeros((5, 5), int), np.zeros((5, 5)), ("label", "area", "intensity_mean"))
    assert {name: len(values) for name, values in columns.items()} == {"label": 0, "area": 0, "intensity_mean": 0}
