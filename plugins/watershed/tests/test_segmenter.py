"""The segmenter: what it labels, what it refuses, and that a tile sees what the whole image sees."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from functions.nuclei import NUCLEI
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from tilewright import Grid, Image, Pipeline, compare
from tilewright.errors import InvalidOption, TilewrightError
from tilewright_watershed.segmenter import Watershed


def balls(shape: tuple[int, ...], centres: list[tuple[int, ...]], radius: float, z: float = 1) -> NDArray[np.uint8]:
    """Bright balls, of which a step along the first axis is `z` times as long as along the others."""
    steps = np.array([z, *[1] * (len(shape) - 1)])[(slice(None), *[np.newaxis] * len(shape))]
    away = [np.sum(((np.indices(shape).T - centre).T * steps) ** 2, axis=0) for centre in centres]
    return np.where(np.min(away, axis=0) < radius**2, np.uint8(200), np.uint8(10))


def identical(one: Any, other: Any) -> bool:
    """Whether two label images have the same objects, pixel for pixel, whatever their numbers."""
    score = compare(np.asarray(one), np.asarray(other), thresholds=(1.0,))[1.0]
    return score.matched > 0 and score.missed == score.extra == 0


# In tiles as in one piece


@pytest.mark.parametrize("tile", [90, 128, 200])
@pytest.mark.parametrize("options", [{}, {"threshold": 42, "sigma": 1.2, "min_distance": 3, "min_size": 25}], ids=str)
def test_the_nuclei_found_in_tiles_are_those_of_the_image_in_one_piece(options: dict[str, Any], tile: int) -> None:
    whole, tiled = (Pipeline(segmenter=Watershed(**options), tiler=Grid(tile=n)).run(NUCLEI) for n in (512, tile))
    assert whole.n_objects > 100
    assert identical(whole.labels, tiled.labels)


def test_a_stack_of_flat_voxels_gives_the_same_objects_in_tiles() -> None:
    random = np.random.default_rng(0)
    centres = [
        (z + random.integers(3), y, x + random.integers(9))
        for z in (4, 13)
        for y in (9, 28, 50)
        for x in range(9, 90, 16)
    ]
    image = Image(data=balls((18, 60, 96), centres, 9, z=3), axes="zyx", spacing={"z": 3, "y": 1, "x": 1})
    segmenter = Watershed(diameter=18)
    tilers = Grid(tile=(18, 60, 96)), Grid(tile=(9, 30, 32))
    whole, tiled = (Pipeline(segmenter=segmenter, tiler=tiler).run(image) for tiler in tilers)
    assert whole.n_objects == len(centres)
    assert identical(whole.labels, tiled.labels)


@pytest.mark.parametrize(
    ("options", "halo"),
    [
        ({}, {"z": 74, "y": 74, "x": 74}),
        ({"diameter": 12, "sigma": 0}, {"z": 28, "y": 28, "x": 28}),
        ({"diameter": 12, "sigma": 0, "min_distance": 5}, {"z": 34, "y": 34, "x": 34}),
        ({"diameter": 12, "sigma": 0, "anisotropy": 4}, {"z": 7, "y": 28, "x": 28}),
    ],
)
def test_the_halo_holds_an_object_its_neighbour_and_the_filters(options: dict[str, Any], halo: dict[str, int]) -> None:
    assert Watershed(**options).halo == halo


# What is found


@given(data=st.data(), shape=st.lists(st.integers(1, 24), min_size=1, max_size=3))
def test_every_pixel_above_the_threshold_has_a_label_and_no_other(data: st.DataObject, shape: list[int]) -> None:
    noise = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=shape)
    pixels = ndimage.gaussian_filter(noise, data.draw(st.sampled_from((0, 1, 2))))
    segmenter = Watershed(threshold=0, sigma=0, diameter=data.draw(st.sampled_from((2, 9, 30))))
    np.testing.assert_array_equal(segmenter(pixels) > 0, pixels > 0)


def test_discs_that_overlap_are_two_objects_and_an_ellipse_is_one() -> None:
    two = balls((40, 70), [(20, 20), (20, 45)], 15)
    one = balls((40, 70), [(20, x) for x in range(20, 46)], 15)
    assert Watershed(threshold=100)(two).max() == 2
    assert Watershed(threshold=100)(one).max() == 1


def test_balls_in_flat_voxels_are_parted_by_their_true_distance() -> None:
    pixels = balls((16, 40, 40), [(4, 20, 20), (11, 20, 20)], 14, z=4)
    image = Image(
        data=pixels, axes="zyx", spacing={"z": 2.0, "y": 0.5, "x": 0.5}, units=dict.fromkeys("zyx", "micrometer")
    )
    prepared = Watershed(threshold=100, sigma=0, diameter=28).prepare(image)
    assert prepared.anisotropy == 4
    labels = prepared(pixels)
    assert labels.max() == 2
    assert len({labels[4, 20, 20], labels[11, 20, 20]}) == 2


def test_steps_in_different_units_are_not_compared() -> None:
    units = {"z": "nanometer", "y": "micrometer", "x": "micrometer"}
    image = Image(data=np.zeros((2, 3, 3)), axes="zyx", spacing={"z": 500, "y": 0.5, "x": 0.5}, units=units)
    assert Watershed(threshold=1).prepare(image).anisotropy is None
    assert Watershed(threshold=1, anisotropy=2).prepare(image).anisotropy == 2


def test_nan_is_background() -> None:
    pixels = balls((30, 30), [(10, 10)], 6).astype(float)
    pixels[25:, 25:] = np.nan
    labels = Watershed()(pixels)
    assert labels[10, 10] == 1
    assert not labels[25:, 25:].any()


def test_nothing_is_above_the_threshold_of_a_constant_image() -> None:
    for pixels in (np.full((5, 6), 7, np.uint16), np.full((5, 6), np.nan), np.zeros((0, 6))):
        assert not Watershed().prepare(Image(data=pixels, axes="yx"))(pixels).any()


def test_the_smallest_objects_are_left_to_the_join() -> None:
    assert Watershed(threshold=1, sigma=0, min_size=100)(np.array([[0, 2, 0]])).tolist() == [[0, 1, 0]]


# The threshold


def test_otsu_is_scikit_images_of_the_smoothed_image() -> None:
    smoothed = ndimage.gaussian_filter(NUCLEI, 1.5, output=np.float32)
    prepared = Watershed(sigma=1.5).prepare(Image(data=NUCLEI, axes="yx"))
    assert prepared == Watershed(sigma=1.5, threshold=float(threshold_otsu(smoothed)))
    np.testing.assert_array_equal(Watershed(sigma=1.5)(NUCLEI), prepared(NUCLEI))


def test_the_threshold_is_that_of_the_declared_channel_and_is_not_smoothed_across_time() -> None:
    pixels = np.stack([np.stack([frame, frame[::-1] * 100]) for frame in (NUCLEI, np.zeros_like(NUCLEI))])
    image = Image(data=pixels, axes="tcyx", channels=("dim", "bright"))
    smoothed = ndimage.gaussian_filter(pixels[:, 1], (0, 1, 1), output=np.float32)
    assert Watershed(channel="bright").prepare(image).threshold == pytest.approx(threshold_otsu(smoothed))


# What is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": "otus"}, "'otus'"),
        ({"threshold": float("nan")}, "nan"),
        ({"sigma": -1.5}, "-1.5"),
        ({"sigma": float("inf")}, "inf"),
        ({"diameter": 0}, "diameter must be a finite number of at least 1 pixel, not 0"),
        ({"diameter": float("nan")}, "nan"),
        ({"min_distance": 0}, "min_distance must be at least 1, not 0"),
        ({"min_size": -1}, "min_size must be at least 0, not -1"),
        ({"anisotropy": 0}, "anisotropy must be a finite number above 0, not 0"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_with_its_value(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption, match=message) as caught:
        Watershed(**options)
    assert isinstance(caught.value, TilewrightError)
    assert isinstance(caught.value, ValueError)


def test_a_segmenter_is_a_value_that_can_be_sent() -> None:
    segmenter = Watershed(threshold=3, diameter=20, channel="DAPI")
    assert pickle.loads(pickle.dumps(segmenter)) == segmenter


def test_memory_grows_with_the_tile_and_its_dtype() -> None:
    assert Watershed().memory((10, 20), np.dtype("u2")) == 58 * 200
