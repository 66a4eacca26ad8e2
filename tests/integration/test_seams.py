"""The seam check: it finds what tiling did, whatever it was, and is silent where tiling did nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed
from synth import make

from tilewright import Grid, InvalidOption, Pipeline, SeamCheck, check_seams
from tilewright.cli import main

pytestmark = pytest.mark.slow

Labels = NDArray[Any]

TILE, SIDE = 256, 1024


def components(pixels: Labels) -> Labels:
    return ndimage.label(pixels > 60)[0]


def basins(pixels: Labels) -> Labels:
    """Nuclei that touch, taken apart: a pixel's label depends on those around it."""
    mask = ndimage.gaussian_filter(pixels.astype(float), 1) > 60
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 2)
    peaks = (ndimage.maximum_filter(depth, 9) == depth) & mask
    return watershed(-depth, ndimage.label(peaks, np.ones((3,) * pixels.ndim))[0], mask=mask)


def own_threshold(pixels: Labels) -> Labels:
    """Brighter than most of what the segmenter sees, which is another threshold in each tile."""
    return ndimage.label(pixels > np.percentile(pixels, 60))[0]


def run(pixels: Labels, segmenter: Any, merger: str = "touch", halo: int = 0) -> tuple[Labels, Pipeline]:
    pipeline = Pipeline(segmenter=segmenter, tiler=Grid(tile=TILE, halo=halo), merger=merger)
    return pipeline.run(pixels).labels.compute(), pipeline


@pytest.fixture(scope="module")
def nuclei() -> Labels:
    return make((SIDE, SIDE), "tissue", seed=3)[0]


# What tiling did is found

TILES = [(slice(y, y + TILE), slice(x, x + TILE)) for y in range(0, SIDE, TILE) for x in range(0, SIDE, TILE)]


def with_tile(change: Callable[[Labels], Labels]) -> Callable[[Labels], Labels]:
    """Change the labels of one tile in the middle."""

    def changed(labels: Labels) -> Labels:
        labels = labels.copy()
        labels[TILES[5]] = change(labels[TILES[5]])
        return labels

    return changed


def with_each_tile(change: Callable[[Labels], Labels]) -> Callable[[Labels], Labels]:
    def changed(labels: Labels) -> Labels:
        labels = labels.copy()
        for tile in TILES:
            labels[tile] = change(labels[tile])
        return labels

    return changed


def cleared(labels: Labels) -> Labels:
    """Without the objects that touch the tile's border."""
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.where(np.isin(labels, border), 0, labels)


def framed(labels: Labels) -> Labels:
    """With two pixels of background along the tile's border."""
    inside = np.zeros(labels.shape, bool)
    inside[2:-2, 2:-2] = True
    return np.where(inside, labels, 0)


def apart(labels: Labels) -> Labels:
    """With ids of its own in each tile."""
    row, column = (np.arange(n) // TILE for n in labels.shape)
    return np.where(labels, labels + (row[:, None] * 4 + column) * (labels.max() + 1), 0)


def swapped(labels: Labels) -> Labels:
    """With two tiles in each other's place."""
    labels = labels.copy()
    labels[TILES[5]], labels[TILES[10]] = labels[TILES[10]].copy(), labels[TILES[5]].copy()
    return labels


RUNS: dict[str, dict[str, Any]] = {
    "joined by touch where cells touch": {"segmenter": basins, "merger": "touch", "halo": 48},
    "a halo too small": {"segmenter": basins, "merger": "overlap", "halo": 2},
    "a threshold of each tile's own": {"segmenter": own_threshold},
}
CHANGES = {
    "a shifted tile": with_tile(lambda labels: np.roll(labels, 5, 1)),
    "an empty tile": with_tile(np.zeros_like),
    "a mirrored tile": with_tile(np.fliplr),
    "a transposed tile": with_tile(np.transpose),
    "two tiles in each other's place": swapped,
    "objects lost at tile borders": with_each_tile(cleared),
    "gaps between tiles": with_each_tile(framed),
    "tiles that were not joined": apart,
}


@pytest.mark.parametrize("fault", RUNS)
def test_what_a_wrong_run_did_is_found(nuclei: Labels, fault: str) -> None:
    labels, pipeline = run(nuclei, **RUNS[fault])
    checked = check_seams(labels, nuclei, pipeline=pipeline)
    assert checked.changed, checked
    assert checked.verdict.startswith("Tiling changed these labels")


@pytest.mark.parametrize("segmenter", [(components, "touch", 0), (basins, "overlap", 48)], ids=["components", "basins"])
@pytest.mark.parametrize("fault", CHANGES)
def test_labels_that_are_wrong_at_tiles_are_found(nuclei: Labels, fault: str, segmenter: tuple[Any, str, int]) -> None:
    labels, pipeline = run(nuclei, *segmenter)
    checked = check_seams(CHANGES[fault](labels), nuclei, pipeline=pipeline)
    assert checked.changed, checked


# It is silent where tiling did nothing


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("segmenter", [(components, "touch", 0), (basins, "overlap", 48)], ids=["components", "basins"])
def test_right_labels_raise_no_alarm(seed: int, segmenter: tuple[Any, str, int]) -> None:
    preset = ("sparse", "medium", "dense", "tissue")[seed % 4]
    pixels = make((768, SIDE), preset, seed=100 + seed)[0]
    labels, pipeline = run(pixels, *segmenter)
    checked = check_seams(labels, pixels, pipeline=pipeline, seed=seed)
    assert not checked.changed, checked
    assert checked.verdict.startswith("No effect of tiling was found")
    assert checked.differing == 0
