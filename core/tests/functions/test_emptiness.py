"""Skipping empty tiles never loses an object that a threshold was not given for."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Image, estimate_empty_tiles, tile_process
from tilewright.functions.emptiness import background_level

RANDOM = np.random.default_rng(0)


def bright(tile: NDArray[Any]) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(tile > 150)[0]
    return labels


def spots(background: NDArray[Any], level: float) -> NDArray[Any]:
    image = background.astype(np.float64)
    for y, x in [(10, 10), (10, 180), (90, 30), (180, 180), (31, 31)]:
        image[y : y + 6, x : x + 6] = level
    return image


@pytest.mark.parametrize("level", [200, 1000, 65535])
@pytest.mark.parametrize("noisy", [False, True])
def test_a_saturated_centre_hides_nothing(level: int, noisy: bool) -> None:  # F15
    background = RANDOM.normal(100, 5, (256, 256)) if noisy else np.zeros((256, 256))
    image = spots(background, level)
    image[96:160, 96:160] = 65535
    image = image.astype(np.uint16)
    labels = tile_process(image, bright, tile_shape=(32, 32), skip_empty=True, compute=True)
    np.testing.assert_array_equal(labels, bright(image))
    assert labels.max() == 6


def test_tiles_are_skipped_where_the_background_is_clear(caplog: pytest.LogCaptureFixture) -> None:
    image, seen = spots(RANDOM.normal(100, 5, (256, 256)), 1000), []

    def noting(tile: NDArray[Any]) -> NDArray[Any]:
        seen.append(tile.max())
        return bright(tile)

    with caplog.at_level(logging.INFO, "tilewright"):
        labels = tile_process(image, noting, tile_shape=(32, 32), skip_empty=True, compute=True)
    np.testing.assert_array_equal(labels, bright(image))
    occupied = int(
        np.sum([image[y : y + 32, x : x + 32].max() == 1000 for y in range(0, 256, 32) for x in range(0, 256, 32)])
    )
    assert len(seen) == occupied
    assert f"{occupied} of 64 tiles ran, {64 - occupied} skipped (no pixel above 1" in caplog.text


@pytest.mark.parametrize(
    "image",
    [
        RANDOM.normal(100, 5, (64, 64)),
        np.full((64, 64), 65535, np.uint16),
        RANDOM.random((64, 64)) < 0.5,
        np.arange(4096, dtype=np.uint16).reshape(64, 64),
        np.full((64, 64), np.nan),
        RANDOM.normal(0, 3, (64, 64)),
    ],
    ids=["one population", "saturated", "mask", "ramp", "NaN", "around zero"],
)
def test_where_nothing_lies_apart_no_tile_with_a_signal_is_skipped(image: NDArray[Any]) -> None:
    level = background_level(Image(data=image, axes="yx"))
    tiles = [image[y : y + 16, x : x + 16] for y in range(0, 64, 16) for x in range(0, 64, 16)]
    assert level == min(0.0, np.nan_to_num(image.astype(float)).min())
    assert all((tile > level).any() for tile in tiles if np.isfinite(tile).any())


def test_the_background_s_level_is_between_the_noise_and_the_faint() -> None:
    for faint, share in ((160, 0.01), (400, 0.3), (200, 0.001)):
        image = RANDOM.normal(100, 5, (512, 512))
        image[RANDOM.random(image.shape) < share] = faint
        image[:20, :20] = 30000
        assert 120 < background_level(Image(data=image, axes="yx")) < 150 or share == 0.01


def test_nan_hides_no_signal() -> None:  # F16
    image = np.zeros((32, 32))
    image[4:8, 4:8], image[5, 20], image[20, 20] = 200, np.nan, np.nan
    image[0, 0] = np.nan
    labels = tile_process(image, bright, tile_shape=(16, 16), skip_empty=True, empty_threshold=10, compute=True)
    np.testing.assert_array_equal(labels, bright(image))
    info = estimate_empty_tiles(image, (16, 16), threshold=10)
    assert info["occupancy"].tolist() == [[True, False], [False, False]]


def test_a_tile_counts_as_a_whole_with_its_context() -> None:
    image, seen = np.zeros((16, 32)), []
    image[0, 16] = 200

    def noting(tile: NDArray[Any]) -> NDArray[Any]:
        seen.append(tile.shape)
        return bright(tile)

    tile_process(image, noting, tile_shape=(16, 16), skip_empty=True, empty_threshold=199)
    assert seen == [(16, 16)], "one pixel in a corner is enough"
    tile_process(image, noting, tile_shape=(16, 16), skip_empty=True, empty_threshold=200)
    assert len(seen) == 1, "a pixel at the threshold is empty"
    tile_process(image, noting, tile_shape=(16, 16), overlap=1, skip_empty=True, empty_threshold=199)
    assert len(seen) == 3, "both tiles see the pixel"


@pytest.mark.parametrize("loud", [{"verbose": True}, {"progress": True}])
def test_the_run_says_on_stderr_how_many_tiles_ran(capsys: pytest.CaptureFixture[str], loud: dict[str, bool]) -> None:
    image = np.zeros((4, 4))
    image[0, 0] = 200
    logger = logging.getLogger("tilewright")
    logger.propagate = False  # as where nobody has set up logging; under pytest somebody has
    try:
        tile_process(image, bright, tile_shape=(2, 2), skip_empty=True, empty_threshold=9, **loud)
    finally:
        logger.propagate = True
    assert "1 of 4 tiles ran, 3 skipped (no pixel above 9); 1 objects" in capsys.readouterr().err


def test_an_estimate_looks_into_the_middle_of_every_tile() -> None:
    image = np.zeros((3, 100, 130))
    image[1, 20, 20] = image[:, 95, 60] = 7
    info = estimate_empty_tiles(image, (3, 40, 50), threshold=1, sample_window=(1, 10, 10))
    assert info["occupancy"].shape == (1, 3, 3)
    assert np.argwhere(info["occupancy"]).tolist() == [[0, 0, 0]]
    assert (info["n_tiles"], info["n_occupied"], info["threshold"]) == (9, 1, 1.0)
    assert info["empty_fraction"] == pytest.approx(8 / 9)
    whole = estimate_empty_tiles(image, (3, 40, 50), threshold=1, sample_window=None)
    assert np.argwhere(whole["occupancy"]).tolist() == [[0, 0, 0], [0, 2, 1]]


def test_an_estimate_of_two_dimensions_takes_the_window_s_last_numbers() -> None:
    image = np.zeros((40, 40))
    image[20, 1] = 9
    assert estimate_empty_tiles(image, (40, 40), threshold=1, sample_window=(1, 40, 40))["n_occupied"] == 1
    assert estimate_empty_tiles(image, (40, 40), threshold=1, sample_window=(40, 40, 3))["n_occupied"] == 0


def test_an_estimate_s_threshold_is_the_one_that_a_run_finds() -> None:
    image = spots(RANDOM.normal(100, 5, (256, 256)), 1000)
    info = estimate_empty_tiles(image, (32, 32))
    assert info["threshold"] == background_level(Image(data=image, axes="yx"))
    labels = tile_process(
        image, bright, tile_shape=(32, 32), skip_empty=True, empty_threshold=info["threshold"], compute=True
    )
    np.testing.assert_array_equal(labels, bright(image))
