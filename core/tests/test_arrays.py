"""Arrays that state their own axes, that have masks, and that may be pictures."""

from __future__ import annotations

from typing import Any

import dask.array
import numpy as np
import pytest
from scipy import ndimage

from tilewright import Image, InvalidOption, Pipeline, merge_tile_labels, tile_process

xarray = pytest.importorskip("xarray")

SPOT = np.zeros((2, 30, 30), "u1")
SPOT[:, 5:9, 5:9] = 9


def components(pixels: Any) -> Any:
    return ndimage.label(pixels)[0]


def labelled(dimensions: str, *, lazy: bool, **options: Any) -> Any:
    data = np.moveaxis(SPOT, 0, -1) if dimensions.endswith("c") else SPOT
    return xarray.DataArray(dask.array.from_array(data) if lazy else data, dims=tuple(dimensions), **options)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("dimensions", "shape", "objects"), [("tyx", (2, 30, 30), 2), ("cyx", (30, 30), 1), ("yxc", (30, 30), 1)]
)
def test_an_xarrays_dimensions_are_its_axes(dimensions: str, shape: tuple[int, ...], objects: int, lazy: bool) -> None:
    array = labelled(dimensions, lazy=lazy)
    by_function = tile_process(array, components, compute=True)
    channel = 0 if "c" in dimensions else None
    by_pipeline = Pipeline(segmenter=components).run(array, channel=channel).labels.compute()
    for labels in (by_function, by_pipeline):
        assert labels.shape == shape
        assert labels.max() == objects


def test_an_xarrays_coordinates_are_its_channels_and_spacing() -> None:
    array = xarray.DataArray(
        SPOT,
        dims=("channel", "Y", "X"),
        coords={
            "channel": ["DAPI", "GFP"],
            "Y": ("Y", 0.25 * np.arange(30), {"units": "micrometer"}),
            "X": [0.0, 1.0, *np.geomspace(2, 90, 28)],
        },
        name="cells",
    )
    image = Pipeline(segmenter=components).open(array)
    assert (image.axes, image.channels, image.name) == ("cyx", ("DAPI", "GFP"), "cells")
    assert (image.spacing, image.units) == ({"y": 0.25}, {"y": "micrometer"})
    assert Pipeline(segmenter=components).run(array, channel="GFP").n_objects == 1


def test_dimensions_that_are_no_axes_are_refused_unless_axes_are_given() -> None:
    array = xarray.DataArray(SPOT, dims=("frame", "y", "x"))
    with pytest.raises(InvalidOption, match="a dimension 'frame', which is not one of t, c, z, y, x"):
        Pipeline(segmenter=components).run(array)
    assert Pipeline(segmenter=components).run(array, axes="tyx").n_objects == 2


@pytest.mark.parametrize("run", [lambda image: tile_process(image, components), Pipeline(segmenter=components).run])
def test_masked_pixels_are_refused_with_what_to_do(run: Any) -> None:
    image = np.ma.array(np.full((4, 6), 9, "u1"), mask=np.zeros((4, 6), bool))
    run(image)
    image.mask[:, 2:4] = True
    with pytest.raises(InvalidOption, match=r"8 pixels of the array are masked.*image.filled"):
        run(image)
    with pytest.raises(InvalidOption, match="masked; fill them"):
        run(dask.array.from_array(image, chunks=2))


def test_masked_labels_are_background() -> None:
    def masking(pixels: Any) -> Any:
        labels = components(pixels > 5)
        return np.ma.array(np.where(labels == 0, 9999, labels), mask=labels == 0)

    assert tile_process(np.eye(6, dtype="u1") * 9, masking, compute=True).max() == 6


@pytest.mark.parametrize("shape", [(50, 40, 3), (50, 40, 4), (2, 50, 40, 3)])
def test_what_may_be_a_colour_picture_is_not_taken_for_a_volume(shape: tuple[int, ...]) -> None:
    picture = np.zeros(shape, "u1")
    axes = "tyxc"[-len(shape) :] if len(shape) > 3 else "yxc"
    with pytest.raises(InvalidOption, match=rf"may be a colour picture or a volume .*axes='{axes}'"):
        tile_process(picture, components)
    if len(shape) == 3:
        with pytest.raises(InvalidOption, match="may be a colour picture"):
            Pipeline(segmenter=components).run(picture)
        with pytest.raises(InvalidOption, match="may be a colour picture"):
            merge_tile_labels(picture)
        assert tile_process(Image(picture, "zyx"), components, compute=True).shape == shape
    assert tile_process(Image(picture, axes), components, compute=True).shape == shape[:-1]


@pytest.mark.parametrize("pixels", [np.eye(9, dtype=bool), np.full((9, 9), np.nan), np.full((9, 9), -np.inf)])
def test_boolean_and_non_finite_images_run(pixels: Any) -> None:
    assert Pipeline(segmenter=lambda block: components(block > 0)).run(pixels).n_objects == (
        9 if pixels[0, 0] > 0 else 0
    )
