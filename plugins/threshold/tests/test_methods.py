"""Thresholds by name: scikit-image's own, of the whole image, for every dtype and block by block."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import skimage.io
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from skimage import data, exposure, filters

from tilewright import Image, NotReadable
from tilewright.testing.tilers import Unread
from tilewright_threshold.methods import METHODS, Method, threshold_of
from tilewright_threshold.segmenter import Threshold
from tilewright_threshold.statistics import BINS, Statistics

pytestmark = pytest.mark.slow

Pixels = NDArray[Any]

LIBRARY: tuple[Method, ...] = tuple(method for method in METHODS if method != "background")
WHOLE: tuple[Method, ...] = tuple(method for method in LIBRARY if method != "li")
EXACT, FROM_A_SAMPLE = 0.005, 0.02  # of the image's range
FOLDER = Path(data.__file__).parent


def grey_images() -> dict[str, Pixels]:
    """All grey images of scikit-image's wheel, and its images of floats."""
    images = {path.stem: skimage.io.imread(path) for path in FOLDER.glob("*.png")}
    images = {name: pixels for name, pixels in images.items() if pixels.ndim == 2}
    images |= {"multipage": skimage.io.imread(FOLDER / "multipage.tif"), "horse": data.horse().astype(np.uint8)}
    images |= {"phantom": data.shepp_logan_phantom(), "faces": data.lfw_subset()}
    with np.load(FOLDER / "motorcycle_disp.npz") as disparity:  # some are not finite
        return images | {"disparity": disparity["arr_0"]}


GREY = grey_images()
VARIANTS: dict[str, Callable[[Pixels], Pixels]] = {
    "bright": lambda pixels: 200 + pixels // 5,
    "mostly foreground": lambda pixels: np.where(pixels < np.percentile(pixels, 5), pixels // 4, pixels),
    "saturated": lambda pixels: (pixels.astype(np.uint16) * 3).clip(0, 255).astype(np.uint8),
    "two-valued": lambda pixels: np.where(pixels > 100, np.uint8(255), np.uint8(0)),
    "16 bits": lambda pixels: pixels.astype(np.uint16) * 257,
    "signed": lambda pixels: pixels.astype(np.int16) * 250 - 32_000,
    "signed, 32 bits": lambda pixels: pixels.astype(np.int32) - 100,
    "float32": lambda pixels: pixels.astype(np.float32) / 255,
    "float64 below 0": lambda pixels: pixels / 64 - 7,
    "half floats": lambda pixels: (pixels.astype(np.float32) * 16).astype(np.float16),
    "not finite": lambda pixels: np.where(pixels % 16 == 3, np.array([np.nan, np.inf, -np.inf])[pixels % 3], pixels),
}


def image_of(pixels: Pixels) -> Image:
    return Image(pixels, axes="zyx"[-pixels.ndim :])


def negative(pixels: Pixels) -> Pixels:
    return 255 - pixels if pixels.dtype == np.uint8 else -pixels


def library(pixels: Pixels, method: Method) -> float:
    """What scikit-image finds in the finite pixels, in a wider dtype where its own arithmetic overflows."""
    wider = {"i": np.int64, "f": np.promote_types(pixels.dtype, np.float32)}.get(pixels.dtype.kind, pixels.dtype)
    with warnings.catch_warnings(action="ignore"):
        return float(getattr(filters, f"threshold_{method}")(pixels[np.isfinite(pixels)].astype(wider)))


def difference(pixels: Pixels, method: Method, found: float) -> float:
    """Of a threshold to scikit-image's, as a share of the image's range."""
    return float(abs(found - library(pixels, method)) / np.ptp(pixels[np.isfinite(pixels)].astype(np.float64)))


@pytest.mark.parametrize("method", LIBRARY)
@pytest.mark.parametrize("name", GREY)
def test_the_threshold_of_an_image_and_of_its_negative_is_that_of_scikit_image(name: str, method: Method) -> None:
    for pixels in (GREY[name], negative(GREY[name])):
        assert difference(pixels, method, threshold_of(image_of(pixels), method)) < EXACT


@pytest.mark.parametrize("method", LIBRARY)
@pytest.mark.parametrize("variant", VARIANTS)
def test_so_it_is_for_images_of_every_kind(variant: str, method: Method) -> None:
    for name in ("coins", "cell"):
        pixels = VARIANTS[variant](GREY[name])
        assert difference(pixels, method, threshold_of(image_of(pixels), method)) < EXACT, name


def large(name: str, dtype: str) -> Pixels:
    """Five million pixels, no two parts of which are alike, so that there are two blocks and a true sample."""
    pixels = np.tile(GREY[name], [-(-2240 // n) for n in GREY[name].shape])[:2240, :2240].astype(np.float64)
    pixels *= np.linspace(0.5, 1, 2240) * np.linspace(0.7, 1, 2240)[:, np.newaxis]
    pixels += np.random.default_rng(0).normal(0, 2, pixels.shape)
    return (pixels.clip(0, 255) * (1 if dtype == "uint8" else 250)).astype(dtype)


@pytest.mark.parametrize(("name", "dtype"), [("coins", "uint8"), ("cell", "uint16"), ("moon", "int32")])
def test_large_images_are_read_whole_and_sampled_for_li_alone(
    name: str, dtype: str, caplog: pytest.LogCaptureFixture
) -> None:
    pixels = large(name, dtype)
    image = Image(dask.array.from_array(pixels, chunks=(512, 700)), axes="yx")
    with caplog.at_level(logging.INFO, "tilewright"):
        for method in WHOLE:
            assert difference(pixels, method, threshold_of(image, method)) < EXACT
        assert not caplog.records
        assert difference(pixels, "li", threshold_of(image, "li")) < FROM_A_SAMPLE
    assert "threshold 'li' is taken from a sample of" in caplog.text


def test_a_large_image_of_floats_is_read_whole_too() -> None:
    pixels = large("coins", "float32")
    for method in WHOLE:
        assert difference(pixels, method, threshold_of(image_of(pixels), method)) < EXACT


class Endless:
    """Pixels of 2**17 rows and columns, each made when it is read: coins beside coins."""

    shape, chunks, dtype = (2**17, 2**17), (1024, 1024), np.dtype("uint8")

    def __init__(self) -> None:
        self.read = 0

    def __getitem__(self, region: tuple[slice, slice]) -> Pixels:
        rows, columns = (
            np.arange(part.start, part.stop) % n for part, n in zip(region, GREY["coins"].shape, strict=True)
        )
        self.read += len(rows) * len(columns)
        return GREY["coins"][np.ix_(rows, columns)]


@pytest.mark.parametrize("method", LIBRARY)
def test_an_image_too_large_to_be_read_is_sampled_and_the_log_says_so(
    method: Method, caplog: pytest.LogCaptureFixture
) -> None:
    pixels = Endless()
    with caplog.at_level(logging.INFO, "tilewright"):
        threshold = threshold_of(Image(pixels, axes="yx"), method)
    assert difference(GREY["coins"], method, threshold) < FROM_A_SAMPLE
    assert pixels.read <= 2**22
    assert f"{method!r} is taken from a sample of {pixels.read} of the image's {2**34} pixels" in caplog.text


@given(
    pixels=hnp.arrays(
        st.sampled_from(["?", "u1", "i1", "u2", "i2", "i4", "u4", "i8", "u8"]), hnp.array_shapes(max_dims=3)
    )
)
def test_the_statistics_of_integers_are_exact_whatever_their_range(pixels: Pixels) -> None:
    statistics = Statistics(image_of(pixels))
    least, greatest = int(pixels.min()), int(pixels.max())
    assert statistics.range == (float(least), float(greatest))
    whole = [int(value) for value in pixels.flat]
    assert statistics.mean == pytest.approx(sum(whole) / len(whole), rel=1e-15, abs=2.0**-53 * max(map(abs, whole)))
    counts, centres = statistics.histogram
    assert counts.sum() == pixels.size
    assert len(counts) <= BINS
    if greatest - least < BINS:
        np.testing.assert_array_equal(counts, np.bincount([value - least for value in whole]))
        np.testing.assert_allclose(centres, [float(value) for value in range(least, greatest + 1)], rtol=1e-15)


@given(
    pixels=hnp.arrays(
        st.sampled_from(["f4", "f8"]), st.integers(2, 40), elements=st.floats(-1e6, 1e6, width=32) | st.just(np.nan)
    )
)
def test_the_histogram_of_floats_is_that_of_scikit_image(pixels: Pixels) -> None:
    statistics, values = Statistics(image_of(pixels)), pixels[np.isfinite(pixels)]
    low, high = statistics.range
    if low < high:
        try:
            expected, bins = exposure.histogram(values)
        except ValueError:  # too close together for its bins
            expected, bins = exposure.histogram(values.astype(np.float64))
        np.testing.assert_array_equal(statistics.histogram[0], expected)
        np.testing.assert_allclose(statistics.histogram[1], bins)


CONSTANT = [
    np.zeros((5, 5)),
    np.full((5, 5), 65535, np.uint16),
    np.full((5, 5), -3.5),
    np.full((5, 5), 0.1),
    np.full((5, 5), 2.0**60, np.int64),
    np.ones((5, 5), bool),
    np.full((5, 5), np.nan),
    np.where(np.eye(5) > 0, np.nan, 2.0),
    np.where(np.eye(5) > 0, 0.1, np.nextafter(0.1, 1)),
    np.zeros((0, 5)),
]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_foreground_in_a_constant_image(method: Method, dark: bool) -> None:
    for pixels in CONSTANT:
        assert math.isfinite(threshold_of(image_of(pixels), method, dark=dark))
        for sigma in (0.0, 0.5, 1.0, 2.3):
            assert not Threshold(threshold=method, dark=dark, sigma=sigma)(pixels).any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "float16", "float64"])
def test_a_mask_is_its_own_foreground_and_dark_objects_are_the_rest(method: Method, dtype: str) -> None:
    mask = GREY["horse"] > 0
    for truth in (mask, ~mask):
        np.testing.assert_array_equal(Threshold(threshold=method)(truth.astype(dtype)) > 0, truth)
        np.testing.assert_array_equal(Threshold(threshold=method, dark=True)(truth.astype(dtype)) > 0, ~truth)


@pytest.mark.parametrize("method", LIBRARY)
def test_dark_objects_are_what_scikit_image_finds_up_to_its_threshold(method: Method) -> None:
    pixels = GREY["page"]
    np.testing.assert_array_equal(Threshold(threshold=method, dark=True)(pixels) > 0, pixels <= library(pixels, method))


def test_pixels_that_are_not_finite_change_no_threshold() -> None:
    pixels = np.full((304, 384), np.nan)
    pixels[:303], pixels[303, ::2], pixels[303, 1::4] = GREY["coins"], np.inf, -np.inf
    for method in METHODS:
        whole = threshold_of(image_of(GREY["coins"].astype(np.float64)), method)
        assert threshold_of(image_of(pixels), method) == pytest.approx(whole), method


@pytest.mark.parametrize("method", METHODS)
def test_the_threshold_is_that_of_the_declared_channel(method: Method) -> None:
    pixels = np.stack([GREY["brick"], GREY["moon"]])
    image = Image(pixels, axes="cyx", channels=("bright", "dim"))
    prepared = Threshold(threshold=method, channel="dim").prepare(image)
    assert prepared.threshold == threshold_of(Image(pixels[1], axes="yx"), method)


def test_an_image_that_cannot_be_read_is_named() -> None:
    with pytest.raises(NotReadable, match="cannot be read at y 0:16"):
        threshold_of(Image(Unread((16, 16)), axes="yx"), "otsu")


@pytest.mark.parametrize(("threshold", "imported"), [("5", False), ("'background'", False), ("'otsu'", True)])
def test_only_a_method_of_scikit_image_imports_it(threshold: str, imported: bool) -> None:
    code = f"""import sys, numpy
from tilewright_threshold.segmenter import Threshold
Threshold(threshold={threshold})(numpy.arange(99).reshape(9, 11))
sys.exit('skimage' in sys.modules)"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == imported
