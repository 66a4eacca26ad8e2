"""Tiles change nothing: real networks on nuclei that touch. The long form is benchmarks/tiling.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from synth import make

from tilewright import Grid, Image, Pipeline, compare
from tilewright_stardist.segmenter import StarDist

pytestmark = pytest.mark.slow


def tiled(segmenter: StarDist, image: Image, **grid: Any) -> NDArray[Any]:
    return np.asarray(Pipeline(segmenter=segmenter, tiler=Grid(**grid)).run(image).labels)


def assert_same(whole: NDArray[Any], labels: NDArray[Any]) -> None:
    """Every object of the piece is there once, with 90 % of it and more shared, and nothing else is."""
    found = compare(whole, labels, thresholds=[0.9])
    assert found.n_reference == found.n_predicted
    assert found[0.9].ap == 1.0
    assert not any(len(getattr(found, name)) for name in ("fused", "split", "lost", "doubled"))


@pytest.mark.parametrize("preset", ["medium", "dense", "tissue"])
def test_an_image_in_tiles_is_segmented_as_in_one_piece(preset: str, small2d: str) -> None:
    pixels, truth = make((560, 600), preset, seed=4)
    image = Image(data=pixels, axes="yx")
    segmenter = StarDist(model=small2d).prepare(image)
    whole = segmenter(pixels)
    against = compare(truth, whole, thresholds=[0.5])[0.5].ap
    assert against > 0.95, "the network is trained on nuclei like these"
    for tile, halo in (((256, 256), None), ((300, 277), 48)):
        labels = tiled(segmenter, image, tile=tile, halo=halo)
        assert_same(whole, labels)
        assert abs(compare(truth, labels, thresholds=[0.5])[0.5].ap - against) <= 0.001
        assert ((labels > 0) != (whole > 0)).sum() <= 5  # where float32 rounds a polygon's corner elsewhere


def test_a_volume_in_tiles_is_segmented_as_in_one_piece(small3d: str) -> None:
    pixels, truth = make((32, 72, 96), "dense", seed=4, radius=6.0)
    image = Image(data=pixels, axes="zyx")
    segmenter = StarDist(model=small3d).prepare(image)
    whole = segmenter(pixels)
    assert compare(truth, whole, thresholds=[0.5])[0.5].ap > 0.9
    assert_same(whole, tiled(segmenter, image, tile=(32, 72, 48)))


def test_percentiles_of_each_tile_would_change_what_is_found(small2d: str) -> None:
    """What `prepare` is for: the same tiles, each stretched by itself."""
    pixels = make((512, 512), "tissue", seed=4)[0]
    pixels[:, 256:] //= 3  # a dim half
    image = Image(data=pixels, axes="yx")
    prepared = StarDist(model=small2d).prepare(image)
    alone = StarDist(model=small2d)

    def unprepared(part: NDArray[Any]) -> NDArray[Any]:
        return alone(part)

    whole = prepared(pixels)
    agreed = tiled(prepared, image, tile=256)
    apart = Pipeline(segmenter=unprepared, tiler=Grid(tile=256, halo=72), merger="overlap").run(image).labels.compute()
    assert compare(whole, agreed, thresholds=[0.9])[0.9].ap == 1.0
    assert compare(whole, apart, thresholds=[0.9])[0.9].ap < 0.98
