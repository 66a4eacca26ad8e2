"""The segmenter: what it labels, what it refuses, and that a tile sees what the whole image sees."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Image
from tilewright.errors import InvalidOption, TilewrightError
from tilewright_threshold.filters import radius, smoothed
from tilewright_threshold.segmenter import Threshold

DTYPES = ("bool", "uint8", "uint16", "int32", "int64", "float16", "float32", "float64")


@st.composite
def images(draw: st.DrawFn) -> NDArray[Any]:
    """Noise of 1 to 3 dimensions with blobs in it, of any dtype; floats have a few pixels that are not finite."""
    shape = draw(st.lists(st.integers(1, 28), min_size=1, max_size=2).map(tuple) | st.just((7, 12, 13)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    pixels = ndimage.gaussian_filter(rng.normal(0, 1, shape), draw(st.sampled_from((0.0, 1.0)))) * 60 + 60
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    if dtype.kind == "f" and draw(st.booleans()):
        pixels[rng.random(shape) < 0.05] = draw(st.sampled_from((np.nan, np.inf, -np.inf)))
    elif dtype.kind != "f":
        pixels = pixels.clip(0, 255)
    result: NDArray[Any] = (pixels > 60 if dtype.kind == "b" else pixels).astype(dtype)
    return result


@st.composite
def crops(draw: st.DrawFn, shape: tuple[int, ...], halo: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """A core, and its outer region with that halo clipped at the image's border."""
    starts = [draw(st.integers(0, n - 1)) for n in shape]
    stops = [draw(st.integers(s + 1, n)) for s, n in zip(starts, shape, strict=True)]
    outer = [slice(max(0, a - halo), min(n, b + halo)) for a, b, n in zip(starts, stops, shape, strict=True)]
    return tuple(map(slice, starts, stops)), tuple(outer)


def inside(core: tuple[slice, ...], outer: tuple[slice, ...]) -> tuple[slice, ...]:
    return tuple(slice(c.start - o.start, c.stop - o.start) for c, o in zip(core, outer, strict=True))


@given(data=st.data(), pixels=images(), sigma=st.sampled_from((0.0, 0.1, 0.4, 1.0, 1.7)), fill=st.integers(0, 4))
@settings(max_examples=250)
def test_a_tile_with_its_halo_finds_the_foreground_of_the_whole(
    data: st.DataObject, pixels: NDArray[Any], sigma: float, fill: int
) -> None:
    connectivity = data.draw(st.integers(1, pixels.ndim))
    segmenter = Threshold(threshold=60.5, sigma=sigma, fill_holes=fill, connectivity=connectivity)
    core, outer = data.draw(crops(pixels.shape, segmenter.halo))
    tiled = segmenter(pixels[outer])[inside(core, outer)] > 0
    np.testing.assert_array_equal(tiled, segmenter(pixels)[core] > 0)


@given(data=st.data(), pixels=images(), sigma=st.sampled_from((0.2, 1.0, 2.3)))
@settings(max_examples=150)
def test_a_smoothed_pixel_is_the_same_bit_for_bit_in_every_crop_that_holds_its_neighbourhood(
    data: st.DataObject, pixels: NDArray[Any], sigma: float
) -> None:
    core, outer = data.draw(crops(pixels.shape, radius(sigma)))
    np.testing.assert_array_equal(smoothed(pixels[outer], sigma)[inside(core, outer)], smoothed(pixels, sigma)[core])


@given(data=st.data(), pixels=images())
@settings(max_examples=80)
def test_the_labels_are_the_connected_components(data: st.DataObject, pixels: NDArray[Any]) -> None:
    connectivity = data.draw(st.integers(1, pixels.ndim))
    structure = ndimage.generate_binary_structure(pixels.ndim, connectivity)
    labels = Threshold(threshold=60, connectivity=connectivity)(pixels)
    np.testing.assert_array_equal(labels, ndimage.label(pixels > 60, structure)[0])
    assert labels.dtype == np.int32


def test_the_pixels_are_never_written_to() -> None:
    pixels = np.random.default_rng(0).normal(size=(20, 20))
    pixels[3, 3] = np.nan
    before = pixels.copy()
    pixels.flags.writeable = False
    Threshold(sigma=1, fill_holes=2)(pixels)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("shape", [(0,), (0, 4), (1,), (1, 1), (1, 9), (9, 1), (1, 5, 1)])
def test_empty_and_one_pixel_axes_are_images_too(shape: tuple[int, ...]) -> None:
    pixels = np.full(shape, 7, np.uint8)
    assert Threshold(threshold=3, sigma=1, fill_holes=2)(pixels).tolist() == np.ones(shape).tolist()
    assert not Threshold(sigma=1)(pixels).any()


def test_nan_is_background_and_dims_nothing_around_it() -> None:
    pixels = np.full((9, 9), 10.0)
    pixels[4, 4] = np.nan
    labels = Threshold(threshold=9.99, sigma=1)(pixels)
    assert labels[4, 4] == 0
    assert (labels > 0).sum() == 80


def test_infinity_is_foreground_and_lights_nothing_around_it() -> None:
    pixels = np.zeros(9)
    pixels[4] = np.inf
    assert Threshold(threshold=1, sigma=1)(pixels).tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_the_smallest_objects_are_left_to_the_join() -> None:
    assert Threshold(threshold=1, min_size=100)(np.array([0, 2, 0])).tolist() == [0, 1, 0]


def frame(size: int) -> NDArray[np.uint8]:
    """A hole of that size in a frame, with background around."""
    hole = np.zeros((size, size), np.uint8)
    return np.pad(np.pad(hole, 1, constant_values=1), 1)


@pytest.mark.parametrize(("fill", "filled"), [(0, False), (2, False), (3, True), (9, True)])
def test_a_hole_is_filled_from_its_length_on(fill: int, filled: bool) -> None:
    labels = Threshold(threshold=0, fill_holes=fill)(frame(3))
    assert (labels[2:5, 2:5].all()) == filled
    assert labels[0].tolist() == [0] * 7


def test_a_hole_at_the_border_stays_open_but_a_single_plane_has_no_border_in_depth() -> None:
    open_hole, plane = frame(1)[2:], frame(1)[np.newaxis]
    assert not Threshold(threshold=0, fill_holes=5)(open_hole)[0, 2]
    assert Threshold(threshold=0, fill_holes=5)(plane)[0, 2, 2]


@pytest.mark.parametrize(("connectivity", "filled"), [(1, 7), (2, 8)])
def test_background_connects_the_way_foreground_does_not(connectivity: int, filled: int) -> None:
    ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]])
    assert (Threshold(threshold=0, fill_holes=1, connectivity=connectivity)(ring) > 0).sum() == filled


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sigma": -1.5}, "-1.5"),
        ({"sigma": float("nan")}, "nan"),
        ({"sigma": float("inf")}, "inf"),
        ({"min_size": -1}, "-1"),
        ({"fill_holes": -2}, "-2"),
        ({"connectivity": 0}, "connectivity must be at least 1, not 0"),
        ({"threshold": float("nan")}, "nan"),
        ({"threshold": float("-inf")}, "-inf"),
        ({"threshold": "otus"}, "'otus'"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_with_its_value(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOption, match=said) as caught:
        Threshold(**options)
    assert isinstance(caught.value, TilewrightError)
    assert isinstance(caught.value, ValueError)


def test_more_connectivity_than_dimensions_is_refused_before_the_first_tile_and_on_pixels() -> None:
    segmenter = Threshold(connectivity=3)
    with pytest.raises(InvalidOption, match="connectivity 3 is more than the 2 dimensions"):
        segmenter(np.zeros((4, 4)))
    with pytest.raises(InvalidOption, match="connectivity 3 is more than the 2 dimensions"):
        segmenter.prepare(Image(data=np.zeros((4, 4)), axes="yx"))


@pytest.mark.parametrize(
    ("options", "halo"),
    [({}, 0), ({"sigma": 1.0}, 4), ({"fill_holes": 5}, 6), ({"sigma": 1.5, "fill_holes": 5}, 12), ({"sigma": 0.1}, 0)],
)
def test_the_halo_is_what_smoothing_and_filling_look_at(options: dict[str, Any], halo: int) -> None:
    assert Threshold(**options).halo == halo


def test_tiles_are_joined_with_the_connectivity_used_within_them() -> None:
    assert Threshold(connectivity=2).merger == {"name": "touch", "configuration": {"connectivity": 2}}


def test_a_segmenter_is_a_value_that_travels() -> None:
    segmenter = Threshold(threshold=3, sigma=0.5, channel="DAPI")
    assert pickle.loads(pickle.dumps(segmenter)) == segmenter
