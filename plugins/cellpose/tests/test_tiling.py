"""A tile sees what the whole image sees: the same patches, and so the same cells."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import synth
from hypothesis import given
from hypothesis import strategies as st

from tilewright import Grid, Pipeline, compare
from tilewright_cellpose import patches, weights
from tilewright_cellpose.segmenter import Cellpose


@given(st.integers(1, 5000))
def test_patches_cover_an_axis_and_lie_on_one_lattice(length: int) -> None:
    starts = patches.starts(length)
    assert starts == sorted(starts)
    assert starts[-1] + patches.side() >= length
    assert all(start % patches.step() == 0 for start in starts[:-1])
    assert all(later - earlier <= patches.step() for earlier, later in itertools.pairwise(starts))
    assert starts[0] == 0


def test_the_network_says_of_a_tile_what_it_says_of_the_whole(model: str) -> None:
    step, shared = patches.step(), patches.SHARED
    channels = 1 if weights.newer() else 2
    whole = np.random.default_rng(0).random((channels, 200, 5 * step + 30), np.float32)
    tile = whole[:, :, step : 4 * step]
    network = weights.loaded(model, False)
    seen, part = patches.across(network, whole, 2), patches.across(network, tile, 3)
    np.testing.assert_allclose(part[..., shared : 2 * step], seen[..., step + shared : 3 * step], atol=2e-5)
    assert not np.allclose(part[..., 2 * step :], seen[..., 3 * step : 4 * step], atol=1e-2), "nothing told them apart"


@pytest.mark.parametrize("diameter", [None, 22.0, 27.5])
def test_tiles_begin_where_patches_of_whole_pixels_begin(diameter: float | None) -> None:
    segmenter = Cellpose(diameter=diameter)
    assert segmenter.scale * segmenter.pitch == pytest.approx(patches.step())
    assert segmenter.stride == {"y": segmenter.pitch, "x": segmenter.pitch}
    assert abs(segmenter.scale / (30 / (diameter or 30)) - 1) < 0.005
    assert segmenter.halo["x"] >= max(segmenter.pitch, 2 * (diameter or 0))


def test_tiled_nuclei_are_those_of_the_whole_image(model: str) -> None:
    pixels, truth = synth.make((560, 700), "dense", 11)
    segmenter = Cellpose(model=model)
    whole = Pipeline(segmenter=segmenter, tiler=Grid(tile=1000)).run(pixels).labels.compute()
    tiled = Pipeline(segmenter=segmenter, tiler=Grid(tile=350)).run(pixels).labels.compute()
    beside = compare(whole, tiled, thresholds=(0.9,))
    assert beside.scores[0].ap >= 0.993
    assert not len(beside.lost)
    assert not len(beside.doubled)
    quality = [compare(truth, labels, thresholds=(0.5,)).scores[0].ap for labels in (whole, tiled)]
    assert quality[1] >= quality[0] - 0.001
