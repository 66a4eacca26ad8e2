"""`intensity` has scikit-image's values of the whole image in float64, whatever the tiles and the dtype are."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from agreement import check
from in_blocks import facts_of, measured
from skimage.measure import regionprops_table

from tilewright.abc import Block, Placement
from tilewright.errors import InvalidOption
from tilewright_measure.intensity import BASIC, WEIGHTED, Intensity

EVERYTHING = Intensity(properties=(*BASIC, "intensity_median", *WEIGHTED), percentiles=(0, 12.5, 90, 100))
KINDS = ["bool", "uint8", "int16", "uint16", "near 1e9", "int32", "int64", "float16", "float32", "float64", "signed"]


def picture(kind, shape):
    rng = np.random.default_rng(5)
    if kind == "bool":
        return rng.random(shape) > 0.5
    if kind == "near 1e9":
        return (10**9 + rng.integers(-2, 3, shape)).astype(np.uint32)
    if kind == "signed":
        return rng.normal(0, 1, shape)
    if kind.startswith("float"):
        return rng.normal(1000, 20, shape).astype(kind)
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    return rng.integers(low if low > -(2**40) else -(2**40), min(high, 2**40), shape, kind)


def reference(labels, pixels, spacing):
    names = [name for name in (*BASIC[:4], "intensity_median", *WEIGHTED) if not (labels.ndim == 3 and "hu" in name)]
    names = [name for name in names if set(spacing) == {1.0} or "hu" not in name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of objects whose pixels add up to 0
        return regionprops_table(labels, pixels.astype(np.float64), properties=("label", *names), spacing=spacing)


def agree(labels, pixels, columns, expected):
    if pixels.dtype.kind in "if":  # weights that nearly cancel leave no digit of what is divided by their sum
        lost = np.abs(expected["moments_weighted-" + "-".join("0" * labels.ndim)]) < 1e-2 * np.abs(
            regionprops_table(labels, np.abs(pixels.astype(np.float64)), properties=("intensity_mean", "num_pixels"))[
                "intensity_mean"
            ]
            * regionprops_table(labels, properties=("num_pixels",))["num_pixels"]
        )
        expected = {name: values[~lost] for name, values in expected.items()}
        columns = {name: values[~lost] for name, values in columns.items()}
    hu = [name for name in expected if "hu" in name]
    check(columns, {name: values for name, values in expected.items() if name not in hu})
    for name in hu:
        np.testing.assert_allclose(
            columns[name], expected[name], rtol=1e-6, atol=1e-9 * np.nanmax(np.abs(expected[name]))
        )


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_in_two_dimensions_every_property_is_that_of_scikit_image_for_every_tile(plane, kind):
    pixels = picture(kind, plane.shape)
    expected = reference(plane, pixels, (1.0, 1.0))
    for tile in (16, (61, 200), 1000):
        agree(plane, pixels, measured(EVERYTHING, plane, pixels[None], tile=tile), expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["uint16", "near 1e9", "float32"])
def test_in_three_dimensions_too(volume, kind):
    pixels, spacing = picture(kind, volume.shape), (2.0, 0.5, 0.4)
    expected = reference(volume, pixels, spacing)
    for tile in (16, (13, 40, 70), 1000):
        agree(volume, pixels, measured(EVERYTHING, volume, pixels[None], tile=tile, spacing=spacing), expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_quantiles_are_exact_and_sums_of_whole_numbers_too(plane, kind):
    pixels = picture(kind, plane.shape)
    columns = measured(EVERYTHING, plane, pixels[None], tile=100)
    for row, label in enumerate(columns["label"][:400]):
        values = pixels[plane == label]
        for each in EVERYTHING.percentiles:
            exact = np.percentile(values.astype(np.float64), each)
            assert np.isclose(columns[f"intensity_percentile-{each:g}"][row], exact, rtol=1e-14, atol=0)
        if pixels.dtype.kind in "bui":
            assert columns["intensity_sum"][row] == sum(values.tolist())


@pytest.mark.parametrize("dtype", [np.uint32, np.float64, np.int64])
def test_the_deviation_of_a_million_pixels_near_a_thousand_million_is_right(dtype):
    pixels = (10**9 + np.random.default_rng(0).integers(-1, 2, (1000, 1000))).astype(dtype)
    exact = np.std((pixels - dtype(10**9 - 2)).astype(np.float64))
    columns = measured(Intensity(), np.ones((1000, 1000), int), pixels[None], tile=300)
    assert abs(columns["intensity_std"][0] / exact - 1) < 1e-9


def test_an_object_with_a_nan_has_nan_and_its_neighbour_has_not():
    labels = np.repeat([[1, 2, 3]], 4, axis=0)
    for dtype in (np.float16, np.float32, np.float64):
        pixels = np.arange(12, dtype=dtype).reshape(4, 3)
        pixels[2, 1] = np.nan
        expected = reference(labels, pixels, (1.0, 1.0))
        for tile in (1, 2, 4):
            columns = measured(EVERYTHING, labels, pixels[None], tile=tile)
            for name in (*BASIC[:4], "intensity_median", "centroid_weighted-0"):
                np.testing.assert_allclose(columns[name], expected[name], rtol=1e-12, err_msg=name)


def test_a_nan_beside_an_object_in_its_box_is_none_of_its_pixels():
    labels, pixels = np.tri(4, dtype=int), np.arange(16.0).reshape(4, 4)
    expected = reference(labels, pixels, (1.0, 1.0))
    pixels[0, 3] = np.nan
    for tile in (1, 3, 4):
        columns = measured(EVERYTHING, labels, pixels[None], tile=tile)
        for name in ("intensity_mean", "intensity_median", "centroid_weighted-0", "moments_weighted-3-3"):
            np.testing.assert_allclose(columns[name], expected[name], rtol=1e-12, err_msg=name)


def test_infinite_pixels_have_infinite_means_and_extremes():
    labels, pixels = np.array([[1, 1, 2, 2]]), np.array([[1.0, np.inf, 3.0, 4.0]])
    for tile in (1, 4):
        columns = measured(Intensity(properties=(*BASIC, "intensity_median")), labels, pixels[None], tile=tile)
        assert columns["intensity_mean"].tolist() == [np.inf, 3.5]
        assert columns["intensity_max"].tolist() == [np.inf, 4.0]
        assert columns["intensity_median"].tolist() == [np.inf, 3.5]
        assert np.isnan(columns["intensity_std"]).tolist() == [True, False]


def test_several_channels_have_columns_each_and_correlations():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 6, (40, 50))
    pixels = rng.integers(0, 4000, (3, 40, 50)).astype(np.uint16)
    pixels[1] = pixels[0] // 2 + rng.integers(0, 100, (40, 50))
    channels = ("DAPI", "GFP", "RFP")
    measurer = Intensity(properties=("intensity_mean", "intensity_median", "correlation"))
    for tile in (7, 100):
        columns = measured(measurer, labels, pixels, tile=tile, channels=channels)
        for row, label in enumerate(columns["label"]):
            inside = pixels[:, labels == label].astype(float)
            exact = np.corrcoef(inside)
            assert np.isclose(columns["intensity_median-GFP"][row], np.median(inside[1]))
            assert np.isclose(columns["correlation-DAPI-GFP"][row], exact[0, 1], rtol=1e-9)
            assert np.isclose(columns["correlation-GFP-RFP"][row], exact[1, 2], rtol=1e-9)
    assert list(columns)[1:4] == ["intensity_mean-DAPI", "intensity_median-DAPI", "intensity_mean-GFP"]


def test_a_constant_channel_correlates_with_nothing():
    pixels = np.stack([np.full((3, 3), 7), np.arange(9).reshape(3, 3)]).astype(np.uint8)
    columns = measured(Intensity(properties=("correlation",)), np.ones((3, 3), int), pixels, tile=2)
    assert np.isnan(columns["correlation-0-1"]).all()


def test_passes_before_the_last_one_measure_only_what_is_wider_than_a_digit():
    depths = {}
    for dtype in ("bool", "uint16", "float32", "int64"):
        facts = facts_of(np.zeros((2, 2), int), np.zeros((1, 2, 2), dtype))
        before, depths[dtype] = Intensity(percentiles=(50,)).after, 0
        while before is not None:
            depths[dtype] += bool(before.quantities(facts))
            before = before.after
    assert depths == {"bool": 0, "uint16": 1, "float32": 1, "int64": 3}
    assert Intensity().after is None


def test_whole_objects_in_one_block_have_the_quantiles_of_all_passes():
    rng = np.random.default_rng(1)
    labels, pixels = rng.integers(0, 5, (20, 30)), rng.normal(0, 1, (1, 20, 30))
    core = (slice(0, 20), slice(0, 30))
    block = Block.of(
        labels, core=core, place=Placement.whole("yx", (20, 30)), facts=facts_of(labels, pixels), pixels=pixels
    )
    measurer = Intensity(properties=("intensity_median",))
    columns = measurer(dataclasses.replace(block, known=measurer.after(block)))
    exact = [np.median(pixels[0][labels == number]) for number in range(1, 5)]
    np.testing.assert_array_equal(columns["intensity_median"], exact)


def test_labels_without_objects_have_typed_empty_columns():
    for dtype in ("uint8", "float32", "uint64"):
        columns = measured(EVERYTHING, np.zeros((5, 6), int), np.zeros((1, 5, 6), dtype), tile=4)
        assert all(len(values) == 0 for values in columns.values())


def test_wrong_options_are_refused():
    with pytest.raises(InvalidOption, match="did you mean 'intensity_mean'"):
        Intensity(properties=("intensity_meen",))
    with pytest.raises(InvalidOption, match="from 0 to 100, not 101"):
        Intensity(percentiles=(101,))
