"""Networks: every window is predicted once, and labels are those of the whole image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Local
from scipy import ndimage

from tilewright import Grid, Image, Pipeline


def noise(shape: tuple[int, ...], seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 1000, shape)


def whole(pixels: Any, level: float = 0) -> Any:
    closed = ndimage.minimum_filter(ndimage.maximum_filter(pixels, 3), 3)
    return ndimage.label(closed > level)[0]


@settings(max_examples=40)
@given(st.data())
def test_labels_are_those_of_the_whole_image(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 60), min_size=2, max_size=2)))
    pixels = noise(shape, data.draw(st.integers(0, 99)))
    level = data.draw(st.sampled_from([300, 500, 700]))
    network = Local(level=level, size=data.draw(st.integers(6, 30)), batch=data.draw(st.integers(1, 9)))
    tile, halo = data.draw(st.integers(5, 40)), data.draw(st.integers(0, 5))
    result = Pipeline(segmenter=network, tiler=Grid(tile=tile, halo=halo)).run(
        pixels, workers=data.draw(st.integers(1, 3))
    )
    np.testing.assert_array_equal(result.labels.compute(), whole(pixels, level))
    np.testing.assert_array_equal(network(pixels), whole(pixels, level))


@pytest.mark.parametrize("tile", [16, 40, 200])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_window_is_predicted_once(tile: int, workers: int, tmp_path: Path) -> None:
    log, pixels = tmp_path / "log", noise((150, 130))
    network = Local(log=log, level=500)
    Pipeline(segmenter=network, tiler=Grid(tile=tile, halo=4)).run(pixels, tmp_path / "labels.zarr", workers=workers)
    (windows,) = network.windows(Image(pixels, axes="yx"), 0)
    assert log.stat().st_size == len(windows.starts[0]) * len(windows.starts[1])
