"""Images that are functions of others: any region of one is that region of the function of the whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from fakes import Recording
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Image, InvalidOption, InvalidPixels, Level, TransformFailed
from tilewright.storage.arrays import footprint


def noise(*shape: int, dtype: str = "uint16") -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, 60_000, shape).astype(dtype)


def widest(size: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """A maximum and then a minimum, which look `size` pixels far and whose results are exact."""
    return lambda pixels: ndimage.minimum_filter(ndimage.maximum_filter(pixels, size), size)


@settings(max_examples=60)
@given(st.data())
def test_transformed_regions_equal_the_transformed_whole_cut(data: st.DataObject) -> None:
    axes = data.draw(st.sampled_from(["x", "yx", "zyx", "cyx", "tczyx", "xyz", "yxc"]))
    works = data.draw(st.sampled_from([None, *[each for each in ("yx", "zyx", "xy") if set(each) <= set(axes)]]))
    shape = tuple(data.draw(st.lists(st.integers(1, 12), min_size=len(axes), max_size=len(axes))))
    size = data.draw(st.sampled_from([1, 3, 5, 9]))
    pixels = noise(*shape)
    image = Image(pixels, axes).map(widest(size), axes=works, context=size - 1)
    spans = [sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2))) for n in shape]
    region = tuple(
        slice(start, max(start + 1, stop) if start < n else stop) for (start, stop), n in zip(spans, shape, strict=True)
    )
    along = tuple(size if axis in (works or image.spatial_axes) else 1 for axis in axes)
    whole = ndimage.minimum_filter(ndimage.maximum_filter(pixels, along), along)
    np.testing.assert_array_equal(image.read(region), whole[region])
    assert image.read(region).dtype == image.dtype


def test_three_of_them_read_the_image_below_once_for_a_region() -> None:
    below = Recording(noise(40, 50))
    image = Image(below, "yx")
    for _ in range(3):
        image = image.map(widest(3), context=2)
    assert below.regions == []
    found = image.read((slice(10, 20), slice(0, 25)))
    assert below.regions == [(slice(4, 26), slice(0, 31))]
    whole = widest(3)(widest(3)(widest(3)(below.array)))
    np.testing.assert_array_equal(found, whole[10:20, :25])


def test_it_is_an_image_like_any_other() -> None:
    level = Level(path="0", shape=(2, 30, 40), scale=(1.0, 0.5, 0.5))
    below = Image(
        noise(2, 30, 40), "cyx", spacing={"y": 0.5}, units={"y": "micrometer"}, channels=("a", "b"), levels=(level,)
    )
    image = below.map(lambda pixels: pixels / 2)
    assert (image.dtype, image.shape, image.channels) == (np.dtype(float), (2, 30, 40), ("a", "b"))
    assert (image.spacing, image.units, image.levels, image.chunks) == (
        below.spacing,
        below.units,
        below.levels,
        below.chunks,
    )
    assert image.percentiles(10, 90) == tuple(value / 2 for value in below.percentiles(10, 90))
    np.testing.assert_array_equal(
        np.concatenate([block.ravel() for block in image.blocks(600)]).sum(), below[...].sum() / 2
    )
    np.testing.assert_array_equal(image.select("b")[3:5, ::7], below[1, 3:5, ::7] / 2)
    np.testing.assert_array_equal(image.take([1, 0])[...], np.asarray(below)[::-1] / 2)


def test_channels_are_combined_added_and_left_out() -> None:
    pixels = noise(3, 2, 30, 40)
    level = Level(path="0", shape=pixels.shape, scale=(1.0,) * 4)
    below = Image(pixels, "czyx", channels=("a", "b", "c"), levels=(level,))
    combined = below.map(lambda each: each.max(0), axes="czyx", channels=0)
    assert (combined.axes, combined.channels, combined.levels[0].shape) == ("zyx", (), (2, 30, 40))
    np.testing.assert_array_equal(combined[...], pixels.max(0))
    two = below.map(lambda each: each[1:], axes="cyx", channels=2)
    assert (two.axes, two.shape, two.channels) == ("czyx", (2, 2, 30, 40), ())
    np.testing.assert_array_equal(two.read((slice(1, 2), slice(0, 2), slice(4, 9), slice(0, 40))), pixels[2:, :, 4:9])
    np.testing.assert_array_equal(two.select(0)[1], pixels[1, 1])
    plane = Image(pixels[0], "zyx").map(lambda each: each.max(0), axes="cyx", channels=0)
    np.testing.assert_array_equal(plane[...], pixels[0])


def test_pixels_are_handed_in_the_axes_that_the_function_asks_for() -> None:
    shapes = []

    def seen(pixels: NDArray[Any]) -> NDArray[Any]:
        shapes.append(pixels.shape)
        assert pixels.flags.c_contiguous
        return pixels

    pixels = noise(2, 3, 5, 4)
    image = Image(pixels, "tyxc").map(seen, axes="zcxy", dtype="uint16")
    np.testing.assert_array_equal(image[...], pixels)
    assert shapes == [(1, 4, 5, 3)] * 2


def test_a_function_that_is_told_the_place_sees_where_its_pixels_lie() -> None:
    places = []

    def located(pixels: NDArray[Any], place: Any) -> NDArray[Any]:
        places.append(place)
        return pixels

    image = Image(noise(3, 20, 30), "zyx").map(located, axes="yx", context=4, located=True, dtype="uint16")
    image.read((slice(1, 2), slice(10, 14), slice(0, 6)))
    (place,) = places
    assert place.region == (slice(6, 18), slice(0, 10))
    assert place.core == (slice(10, 14), slice(0, 6))
    assert (place.axes, place.shape) == ("yx", (20, 30))


def test_a_function_that_changes_what_it_is_handed_leaves_the_image_below_as_it_is() -> None:
    pixels = noise(6, 7)
    before = pixels.copy()

    def zeroed(each: NDArray[Any]) -> NDArray[Any]:
        each[...] = 0
        return each

    below = Image(pixels, "yx")
    assert not below.map(zeroed)[...].any()
    np.testing.assert_array_equal(pixels, before)
    mapped = below.map(lambda each: each)
    mapped[...][:] = 0
    np.testing.assert_array_equal(pixels, before)


WRONG: dict[str, tuple[Callable[..., Any], str]] = {
    "shape": (
        lambda pixels: pixels[1:],
        r"returned pixels of shape \(15, 16\) for \(16, 16\) along 'yx', not \(16, 16\)",
    ),
    "objects": (lambda pixels: pixels.astype(object), "returned dtype object; return real numbers"),
    "complex": (lambda pixels: pixels * 1j, "returned dtype complex128; return real numbers"),
    "nothing": (lambda _: None, r"returned pixels of shape \(\) for"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_not_pixels_of_the_region_is_refused_before_anything_is_read(kind: str) -> None:
    function, message = WRONG[kind]
    below = Recording(noise(20, 20))
    with pytest.raises(InvalidPixels, match=f"test_mapped.<lambda>' {message}"):
        Image(below, "yx").map(function)
    with pytest.raises(InvalidPixels, match=r"test_mapped.<lambda>' returned"):
        Image(below, "yx").map(function, dtype="uint16").read((slice(0, 16), slice(0, 16)))


def test_a_dtype_that_changes_from_region_to_region_is_refused_with_both() -> None:
    image = Image(noise(20, 20), "yx").map(lambda pixels: pixels / 2 if pixels.any() else pixels)
    with pytest.raises(InvalidPixels, match="returned float64, but its dtype is uint16"):
        image[...]


@pytest.mark.parametrize("error", [ZeroDivisionError("no luck"), SystemExit(3), StopIteration()])
def test_what_a_function_raises_says_whose_it_is(error: BaseException) -> None:
    def fails(_: Any) -> Any:
        raise error

    image = Image(noise(20, 20), "yx").map(fails, dtype="uint16")
    with pytest.raises(
        TransformFailed, match=rf"fails' raised {type(error).__name__}.*working on uint16 pixels of \(20, 20\)"
    ) as raised:
        image.percentiles(1, 99)
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("axes", ["t", "c", "tyx", "q"])
def test_axes_along_which_no_function_works_are_refused(axes: str) -> None:
    with pytest.raises(InvalidOption, match=f"axes '{axes}' must be c and any of z, y, x"):
        Image(noise(2, 3, 4), "tyx").map(lambda pixels: pixels, axes=axes)


def test_the_footprint_of_a_region_is_what_its_pixels_are_read_from(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", data=noise(4, 30, 40), chunks=(1, 8, 8))
    image = Image(array, "cyx").take([3, 1]).map(widest(3), context=2)
    region = (slice(0, 2), slice(10, 12), slice(0, 5))
    assert footprint(image.data, region) == (slice(1, 4), slice(8, 14), slice(0, 7))
    assert footprint(image.select(0).data, region[1:]) == (slice(3, 4), slice(8, 14), slice(0, 7))
    combined = Image(array, "cyx").map(lambda pixels: pixels.max(0), axes="cyx", channels=0, context={"x": 3})
    assert footprint(combined.data, region[1:]) == (slice(0, 4), slice(10, 12), slice(0, 8))
