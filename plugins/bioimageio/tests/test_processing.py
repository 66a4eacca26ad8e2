"""Preprocessing takes its statistics once from the whole image; what cannot be so is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_model
from numpy.typing import NDArray

from tilewright import Image
from tilewright.errors import InvalidOption
from tilewright_bioimageio.segmenter import BioImageModel

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


def step(name: str, **kwargs: Any) -> dict[str, Any]:
    return {"id": name, "kwargs": kwargs}


def prepared(folder: Path, image: Image, *steps: dict[str, Any], **options: Any) -> BioImageModel:
    return BioImageModel(model=str(small_model.write(folder, preprocessing=steps, **options))).prepare(image)


@pytest.fixture
def colours() -> Image:
    """Two times of two channels of different brightness."""
    noise = np.random.default_rng(0).random((2, 2, 30, 40)) * np.array([1, 100]).reshape(2, 1, 1, 1)
    return Image(data=(noise * np.array([3, 500]).reshape(2, 1, 1)).astype(np.uint16), axes="tcyx")


@pytest.mark.parametrize("axes", [["y", "x"], ["batch", "y", "x"]])
def test_each_channel_has_its_own_statistics_of_all_times(folder: Path, colours: Image, axes: list[str]) -> None:
    made = prepared(folder, colours, step("zero_mean_unit_variance", axes=axes), channels=2)
    values = np.asarray(colours.data)
    means, deviations = (tuple(function(values, axis=(0, 2, 3)).tolist()) for function in (np.mean, np.std))
    np.testing.assert_allclose(made.statistics, (means, deviations), rtol=1e-12)


@pytest.mark.parametrize("axes", [["channel", "y", "x"], ["batch", "channel", "y", "x"], None])
def test_channels_have_common_statistics_if_the_package_says_so(
    folder: Path, colours: Image, axes: list[str] | None
) -> None:
    made = prepared(folder, colours, step("scale_range", axes=axes, min_percentile=2, max_percentile=99), channels=2)
    wanted = np.percentile(np.asarray(colours.data), [2, 99])
    np.testing.assert_allclose(made.statistics, wanted[:, np.newaxis], rtol=1e-12)


def test_statistics_of_an_image_of_nothing_are_harmless(folder: Path) -> None:
    made = prepared(folder, Image(data=np.full((40, 40), np.nan), axes="yx"), small_model.NORMALIZED[0])
    assert made.statistics == ((0.0,), (1.0,))
    assert not made(np.full((40, 40), np.nan)).all()


def test_statistics_that_are_given_are_taken(folder: Path, colours: Image) -> None:
    image = colours.select(0)
    model = BioImageModel(model=str(small_model.write(folder)), statistics=((5.0,), (2.0,)))
    assert model.prepare(image).statistics == ((5.0,), (2.0,))
    with pytest.raises(
        InvalidOption, match=r"asks for the statistics mean \(1\), std \(1\), .* statistics is \(\(5.0,\),\)"
    ):
        BioImageModel(model=str(folder), statistics=((5.0,),)).prepare(image)


def test_fixed_values_ask_for_no_statistics(folder: Path, colours: Image) -> None:
    each = step("fixed_zero_mean_unit_variance", mean=[1.0, 2.0], std=[3.0, 4.0], axis="channel")
    assert prepared(folder, colours, each, step("clip", min=-5, max=5), channels=2).statistics == ()


def test_an_image_of_many_pixels_is_sampled(folder: Path) -> None:
    class Counted:
        """An image (y, x) of a gradient, which counts the pixels that are read."""

        shape, dtype, read = (30_000, 20_000), np.dtype(np.float32), 0

        def __getitem__(self, region: tuple[slice, slice]) -> NDArray[Any]:
            rows, columns = (np.arange(n)[part] for n, part in zip(self.shape, region, strict=True))
            self.read += len(rows) * len(columns)
            return (rows[:, np.newaxis] + columns * 0).astype(np.float32)

    pixels = Counted()
    made = prepared(folder, Image(data=pixels, axes="yx"), small_model.NORMALIZED[0])
    assert pixels.read <= 2**22
    assert made.statistics is not None
    np.testing.assert_allclose(made.statistics, ((14_999.5,), (30_000 / 12**0.5,)), rtol=0.05)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"preprocessing": [step("zero_mean_unit_variance", axes=["x"])]},
            "'zero_mean_unit_variance' of 'raw'.*each y",
        ),
        ({"preprocessing": [step("scale_range", axes=["channel"])]}, "'scale_range' of 'raw'.*for each x and y"),
        ({"postprocessing": [step("zero_mean_unit_variance", axes=["y", "x"])]}, "'zero_mean_unit_variance' of 'map'"),
        ({"postprocessing": [step("scale_range", axes=["y", "x"], reference_tensor="raw")]}, "'scale_range' of 'map'"),
        ({"postprocessing": [step("scale_mean_variance", reference_tensor="raw")]}, "'scale_mean_variance' of 'map'"),
        ({"postprocessing": [step("softmax", axis="y")]}, "'softmax' of 'map'.* goes along y"),
    ],
)
def test_processing_that_cannot_be_fixed_is_refused_by_name(folder: Path, options: dict[str, Any], reason: str) -> None:
    model = BioImageModel(model=str(small_model.write(folder, sizes={"y": 64, "x": 64}, **options)))
    with pytest.raises(InvalidOption, match=reason + ".*choose another"):
        model.prepare(Image(data=np.zeros((50, 60)), axes="yx"))


def test_pixels_that_the_model_cannot_hold_are_refused(folder: Path) -> None:
    def of_bytes(record: dict[str, Any]) -> None:
        record["inputs"][0]["data"]["type"] = "uint8"

    small_model.change(small_model.write(folder, preprocessing=[]), of_bytes)
    model = BioImageModel(model=str(folder))
    assert model.prepare(Image(data=np.zeros((40, 40), np.uint8), axes="yx")).digest
    with pytest.raises(InvalidOption, match=r"takes pixels of uint8, and the image has uint16"):
        model.prepare(Image(data=np.zeros((40, 40), np.uint16), axes="yx"))
