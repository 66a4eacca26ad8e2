"""Segmenters that see more than they label, and those that know where their pixels lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from truth import Components

from tilewright import Auto, Grid, Image, Needs, Pipeline, Placement


class Smooth:
    """Connected components of a mean over the neighbourhood, which is not what is seen from less context."""

    def __init__(self, radius: int) -> None:
        self.context = radius
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        self.shapes.append(pixels.shape)
        mean = ndimage.uniform_filter(pixels.astype(np.int64) * 1000, 2 * self.context + 1, mode="constant")
        labels: NDArray[Any] = ndimage.label(mean > 480)[0]
        return labels


@pytest.mark.slow
@settings(max_examples=40)
@given(data=st.data())
def test_with_the_context_that_a_pixel_depends_on_tiles_equal_the_whole(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 14), min_size=1, max_size=3))
    pixels = np.random.default_rng(data.draw(st.integers(0, 2**32))).random(shape) < 0.5
    smooth = Smooth(data.draw(st.integers(0, 4)))
    tiler = Grid(tile=data.draw(st.integers(1, 6)), halo=data.draw(st.integers(0, 3)))
    tiled = Pipeline(segmenter=smooth, tiler=tiler).run(pixels, axes="zyx"[-len(shape) :]).labels.compute()
    np.testing.assert_array_equal(tiled, Smooth(smooth.context)(pixels))


def test_context_is_no_part_of_what_two_tiles_compare() -> None:
    """What lies beyond the halo is not staged: an object that goes on there is one that the tile cuts."""
    pixels = np.zeros((8, 64), np.uint8)
    pixels[2:5, 4:60] = 1
    seen = Pipeline(segmenter=lambda part: ndimage.label(part)[0], tiler=Grid(tile=(8, 16), halo=2), merger="overlap")
    expected = seen.run(pixels, axes="yx").labels.compute()

    def labelled(part: NDArray[Any]) -> NDArray[Any]:
        labels: NDArray[Any] = ndimage.label(part)[0]
        return labels

    labelled.context = {"x": 20}  # type: ignore[attr-defined]
    result = Pipeline(segmenter=labelled, tiler=Grid(tile=(8, 16), halo=2), merger="overlap").run(pixels, axes="yx")
    np.testing.assert_array_equal(result.labels.compute(), expected)
    assert result.n_objects == 1


class Told:
    """Checks what it is told, and labels each pixel by its place in the image."""

    located = True

    def __init__(self, image: NDArray[Any], axes: str, of_image: str, context: int = 0) -> None:
        self.image, self.axes, self.of_image, self.context = image, axes, of_image, context

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None) -> NDArray[Any]:
        assert place is not None
        assert place.axes == self.axes
        expected = self.image if "z" in self.of_image else self.image[np.newaxis]
        order = self.of_image if "z" in self.of_image else "z" + self.of_image
        expected = expected.transpose([order.index(axis) for axis in self.axes])
        assert place.shape == expected.shape
        np.testing.assert_array_equal(pixels, expected[place.region])
        for axis, part, length in zip(place.axes, place.region, place.shape, strict=True):
            assert place.at_border(axis) == (part.start == 0, part.stop == length)
        numbers = np.arange(1, expected.size + 1).reshape(expected.shape)
        return numbers[place.region]


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("of_image", ["zyx", "xzy", "yx", "xy"])
def test_a_located_segmenter_is_told_where_its_pixels_lie(of_image: str, context: int) -> None:
    shape = (5, 7, 6)[-len(of_image) :]
    pixels = np.random.default_rng(0).integers(0, 255, shape)
    told = Told(pixels, "zyx", of_image, context)
    result = Pipeline(segmenter=told, tiler=Grid(tile=3, halo=1), merger="overlap").run(pixels, axes=of_image)
    np.testing.assert_array_equal(result.labels.compute(), np.arange(1, pixels.size + 1).reshape(shape))


def test_planes_of_a_stack_have_their_place_in_the_plane() -> None:
    places: list[Placement] = []

    def plane(pixels: NDArray[Any], place: Placement) -> NDArray[Any]:
        places.append(place)
        return np.zeros(pixels.shape, np.uint8)

    plane.axes, plane.located, plane.context = "yx", True, 4  # type: ignore[attr-defined]
    Pipeline(segmenter=plane, tiler=Grid(tile=8)).run(np.zeros((3, 2, 16, 8)), axes="tzyx", workers=1)
    assert [place.region for place in places] == [(slice(0, 12), slice(0, 8)), (slice(4, 16), slice(0, 8))] * 6
    assert [place.core for place in places] == [(slice(0, 8), slice(0, 8)), (slice(8, 16), slice(0, 8))] * 6
    assert {place.shape for place in places} == {(16, 8)}


def test_tiles_are_chosen_for_what_is_read_of_them() -> None:
    image = Image(data=np.broadcast_to(np.uint16(0), (4096, 4096)), axes="yx")
    plain, needy = (Auto(memory=2**22)(image, Needs(context={"x": more, "y": more})) for more in (0, 60))
    assert max(plain.lengths_read((0, 0))[0]) ** 2 * 20 <= 2**22
    assert max(needy.lengths_read((60, 60))[0]) ** 2 * 20 <= 2**22
    assert needy.largest < plain.largest


def test_a_tile_whose_context_has_changed_is_segmented_again(tmp_path: Path) -> None:
    image = zarr.create_array(tmp_path / "a.zarr", shape=(8, 64), chunks=(8, 8), dtype="u1", dimension_names="yx")
    image[:] = 1

    def count(context: int) -> int:
        counted = Components(calls=tmp_path / f"calls{context}")
        object.__setattr__(counted, "context", {"x": context})
        pipeline = Pipeline(segmenter=counted, tiler=Grid(tile=(8, 16)), writer="zarr-array")
        pipeline.run(tmp_path / "a.zarr", tmp_path / f"{context}.zarr", keep_checkpoint=True)
        image[:, 40:48] = np.random.default_rng(context).integers(0, 2, (8, 8))  # of the third of four tiles
        before = counted.count()
        pipeline.run(tmp_path / "a.zarr", tmp_path / f"{context}.zarr", overwrite=True)
        return counted.count() - before

    assert count(0) == 1
    assert count(8) == 2, "it meets the last tile, and is 8 pixels from the second"
    assert count(9) == 3
