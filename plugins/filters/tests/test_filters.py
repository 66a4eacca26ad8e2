"""Each filter, tile by tile, is the library's function on the whole image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Grid, Image, InvalidOption, Needs, Pipeline
from tilewright.abc import TransformTraits
from tilewright.abc.traits import prepared
from tilewright_filters.background import Background
from tilewright_filters.combine import Combine
from tilewright_filters.gaussian import Gaussian
from tilewright_filters.median import Median
from tilewright_filters.rescale import Rescale

TILES = (4, 7, 16, 31, 50, 64, 200)
SHAPES = {"yx": (61, 75), "zyx": (9, 37, 44)}
SPACING = {"z": 2.0, "y": 0.5, "x": 0.4}
UNITS = dict.fromkeys("zyx", "micrometer")
Pixels = NDArray[Any]


def noise(axes: str, dtype: str) -> Pixels:
    random = np.random.default_rng(3)
    pixels = random.integers(0, 250, SHAPES[axes]) if dtype != "bool" else random.random(SHAPES[axes]) < 0.5
    return pixels.astype(dtype) / 7 if "float" in dtype else pixels.astype(dtype)


def image_of(pixels: Pixels, axes: str) -> Image:
    return Image(pixels, axes, spacing={axis: SPACING[axis] for axis in axes if axis in SPACING}, units=UNITS)


def transformed(transform: Any, image: Image) -> Image:
    made = prepared(transform, image, "transform")
    return TransformTraits.of(made, image).map(image)


def in_tiles(transform: Any, image: Image, tile: int) -> Pixels:
    """The transformed image, read in tiles."""
    found = transformed(transform, image)
    pixels = np.empty(found.shape, found.dtype)
    for each in Grid(tile=tile)(found.select(0) if "c" in found.axes else found, Needs()):
        region = tuple(
            dict(zip(found.axes.replace("c", ""), each.core, strict=True)).get(axis, slice(None)) for axis in found.axes
        )
        pixels[region] = found[region]
    return pixels


def smoothed(sigma: Any, truncate: float = 4.0) -> Callable[[Pixels], Pixels]:
    def function(pixels: Pixels) -> Pixels:
        output = np.result_type(pixels.dtype, np.float32)
        found: Pixels = ndimage.gaussian_filter(pixels, sigma, output=output, truncate=truncate)
        return found

    return function


WHOLE: dict[str, tuple[Any, str, Callable[[Pixels], Pixels]]] = {
    "gaussian": (Gaussian(sigma=1.3), "yx", smoothed(1.3)),
    "gaussian, wide": (Gaussian(sigma=20), "yx", smoothed(20)),
    "gaussian, cut": (Gaussian(sigma=3, truncate=1.5), "yx", smoothed(3, 1.5)),
    "gaussian, 3-D": (Gaussian(sigma=1), "zyx", smoothed(1)),
    "gaussian, by axis": (Gaussian(sigma=(0, 2, 3.5)), "zyx", smoothed((0, 2, 3.5))),
    "gaussian, by spacing": (Gaussian(sigma=1, unit="micrometer"), "zyx", smoothed((1 / 2.0, 1 / 0.5, 1 / 0.4))),
    "median": (Median(size=5), "yx", lambda pixels: ndimage.median_filter(pixels, 5)),
    "median, even": (Median(size=4), "yx", lambda pixels: ndimage.median_filter(pixels, 4)),
    "median, 3-D": (Median(size=3), "zyx", lambda pixels: ndimage.median_filter(pixels, 3)),
    "median, by axis": (Median(size=(1, 3, 6)), "zyx", lambda pixels: ndimage.median_filter(pixels, (1, 3, 6))),
    "top-hat": (Background(size=9), "yx", lambda pixels: ndimage.white_tophat(pixels, 9)),
    "top-hat, even": (Background(size=10), "yx", lambda pixels: ndimage.white_tophat(pixels, 10)),
    "top-hat, wide": (Background(size=51), "yx", lambda pixels: ndimage.white_tophat(pixels, 51)),
    "top-hat, 3-D": (Background(size=5), "zyx", lambda pixels: ndimage.white_tophat(pixels, 5)),
    "top-hat, by axis": (Background(size=(1, 7, 4)), "zyx", lambda pixels: ndimage.white_tophat(pixels, (1, 7, 4))),
}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bool", "uint16", "int32", "float32"])
@pytest.mark.parametrize("case", WHOLE)
def test_tiles_equal_the_function_on_the_whole_image(case: str, dtype: str) -> None:
    transform, axes, function = WHOLE[case]
    pixels = noise(axes, dtype)
    whole = function(pixels)
    for tile in TILES:
        found = in_tiles(transform, image_of(pixels, axes), tile)
        assert found.dtype == whole.dtype
        np.testing.assert_array_equal(found, whole)


@pytest.mark.parametrize("transform", [Gaussian(), Median(), Background(size=5)])
def test_floats_of_16_bits_are_filtered_as_32(transform: Any) -> None:
    pixels = noise("yx", "float16")
    np.testing.assert_array_equal(transform(pixels), transform(pixels.astype(np.float32)))


@pytest.mark.parametrize("tile", TILES)
def test_an_estimate_is_the_same_in_every_tile(tile: int) -> None:
    pixels = noise("yx", "uint16")
    estimate = Background(size=16, method="estimate", percentile=40)
    whole = transformed(estimate, image_of(pixels, "yx"))[...]
    np.testing.assert_array_equal(in_tiles(estimate, image_of(pixels, "yx"), tile), whole)
    np.testing.assert_array_equal(estimate(pixels), whole)


def test_an_estimate_takes_each_cells_percentile_and_interpolates_between_their_centres() -> None:
    pixels = noise("yx", "uint16")[:60].astype(float)
    flat = transformed(Background(size=(15, 25), method="estimate", percentile=30), Image(pixels, "yx"))
    found = pixels - flat[...]
    cells = np.percentile(pixels.reshape(4, 15, 3, 25), 30, axis=(1, 3))
    np.testing.assert_allclose(found[7::15, 12::25], cells, rtol=1e-6)
    np.testing.assert_allclose(found[:7], np.broadcast_to(found[7], (7, 75)))
    np.testing.assert_allclose(np.diff(found[7:23], 2, axis=0), 0, atol=1e-4)


@pytest.mark.parametrize("axes", ["cyx", "yxc", "tcyx", "tyx"])
def test_each_channel_has_an_estimate_over_all_time_points(axes: str) -> None:
    shape = {"t": 3, "c": 2, "y": 40, "x": 50}
    slope = np.linspace(0, 100, 40)[:, np.newaxis] + np.linspace(0, 50, 50)
    level = {"t": [0, 1, 2], "c": [0, 500]}
    pixels = np.zeros([shape[axis] for axis in axes])
    for axis, length in shape.items():
        if axis in level and axis in axes:
            pixels += np.reshape(level[axis], [length if each == axis else 1 for each in axes])
    pixels += slope.reshape([shape[axis] if axis in "yx" else 1 for axis in axes])
    flat = transformed(Background(size=5, method="estimate", percentile=50), Image(pixels, axes))
    inner = tuple(slice(3, -3) if axis in "yx" else slice(None) for axis in axes)
    expected = np.reshape([-1, 0, 1], [3 if axis == "t" else 1 for axis in axes]) if "t" in axes else np.zeros(())
    np.testing.assert_allclose(flat[...][inner] - expected, 0, atol=0.2)
    assert flat.axes == axes


def test_an_estimate_reads_chunks_few_times_and_leaves_out_what_is_not_finite() -> None:
    pixels = noise("yx", "float32")
    pixels[:16] = np.nan
    pixels[20, 20] = np.inf
    found = transformed(Background(size=16, method="estimate"), Image(pixels, "yx"))[...]
    assert np.isfinite(found[17:20]).all()
    assert np.isnan(found[:16]).all()


@pytest.mark.parametrize("tile", TILES)
def test_rescaled_tiles_share_the_limits_of_the_whole_image(tile: int) -> None:
    pixels = np.stack([noise("yx", "uint16"), noise("yx", "uint16")[::-1] * 9 + 100])
    image = Image(pixels, "cyx")
    limits = [np.percentile(each, (2, 98)) for each in pixels]
    whole = np.stack([((p - low) / (high - low)).clip(0, 1) for p, (low, high) in zip(pixels, limits, strict=True)])
    np.testing.assert_array_equal(in_tiles(Rescale(low=2, high=98), image, tile), whole.astype(np.float32))
    loose = in_tiles(Rescale(low=2, high=98, clip=False), image.select(1), tile)
    assert loose.min() < 0
    assert loose.max() > 1


def test_a_constant_image_is_rescaled_to_0() -> None:
    assert not transformed(Rescale(), Image(np.full((9, 9), 7), "yx"))[...].any()


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (Combine(), lambda p: p.max(0)),
        (Combine(method="sum"), lambda p: p.sum(0).astype(np.float32)),
        (Combine(weights=(1, 0, 2)), lambda p: np.maximum(p[0], 2.0 * p[2]).astype(np.float32)),
        (Combine(method="sum", weights=(0.5, 0, 2)), lambda p: (0.5 * p[0] + 2.0 * p[2]).astype(np.float32)),
    ],
)
@pytest.mark.parametrize("tile", TILES)
def test_channels_are_combined_as_numpy_combines_them(transform: Any, expected: Any, tile: int) -> None:
    pixels = np.stack([noise("yx", "uint16"), noise("yx", "uint16")[::-1], noise("yx", "uint16")[:, ::-1]])
    found = in_tiles(transform, Image(pixels, "cyx"), tile)
    assert found.dtype == expected(pixels).dtype
    np.testing.assert_array_equal(found, expected(pixels))


def test_several_go_together_in_a_run() -> None:
    pixels = np.stack([noise("yx", "uint16"), noise("yx", "uint16")[::-1]])
    pipeline = Pipeline(
        segmenter=lambda tile: ndimage.label(tile > 0.5)[0],
        tiler=Grid(tile=16),
        transforms=["combine", Background(size=9), Gaussian(sigma=1.5), Rescale(low=5, high=95), Median(size=3)],
    )
    result = pipeline.run(Image(pixels, "cyx"))
    smooth = smoothed(1.5)(ndimage.white_tophat(pixels.max(0), 9))
    low, high = np.percentile(smooth, (5, 95))
    scaled = ((smooth - low) / (high - low)).clip(0, 1).astype(np.float32)
    whole = ndimage.label(ndimage.median_filter(scaled, 3) > 0.5)[0]
    np.testing.assert_array_equal(result.labels.compute(), whole)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "negative sigma": (lambda: Gaussian(sigma=-1), "sigma must be at least 0, not -1"),
    "sigma that is none": (lambda: Gaussian(sigma=(1, float("nan"))), "sigma must be at least 0, not nan"),
    "no size": (lambda: Median(size=0), "size must be at least 1, not 0"),
    "no box": (lambda: Background(size=(3, 0)), "size must be at least 1, not 0"),
    "percentile": (lambda: Background(percentile=101), "percentile must be from 0 to 100, not 101"),
    "percentiles": (lambda: Rescale(low=60, high=40), "low and high must be percentiles .*, not 60, 40"),
    "limits": (lambda: Rescale(limits=((3, 3),)), r"limits must be pairs that rise, not \(3, 3\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_mean_nothing_are_refused(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(InvalidOption, match=message):
        make()


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (Gaussian(sigma=(1, 2)), r"sigma \[1, 2\] has 2 numbers, but the image has 3 spatial axes \(zyx\)"),
        (Median(size=(1, 2)), r"size \[1, 2\] has 2 numbers, but the image has 3"),
        (Background(size=(1, 2)), r"size \[1, 2\] has 2 numbers, but the image has 3"),
        (Gaussian(unit="nanometer"), "sigma is in nanometer, but the image's spacing along z is in micrometer"),
        (Combine(weights=(1, 2)), r"weights \[1, 2\] has 2 numbers, but the image has 3 channels"),
        (Rescale(limits=((0, 1), (0, 2))), "limits has 2 pairs, but the image has 3 channels"),
    ],
)
def test_options_that_do_not_fit_the_image_are_refused_with_both(transform: Any, message: str) -> None:
    image = image_of(np.zeros((3, 2, 9, 9)), "czyx")
    with pytest.raises(InvalidOption, match=message):
        transformed(transform, image)


def test_a_unit_needs_an_image_that_has_one() -> None:
    with pytest.raises(InvalidOption, match="sigma is in micrometer, but the image's spacing along y is in no unit"):
        transformed(Gaussian(unit="micrometer"), Image(np.zeros((9, 9)), "yx"))
