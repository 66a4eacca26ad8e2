"""Objects that no tile sees whole, by segmenters whose masks end short of the edge or that err: nothing is lost."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from test_deciding import shaky
from truth import voronoi

from tilewright import Grid, Overlap, Pipeline, Result, TileGrid

pytestmark = pytest.mark.slow


def run(image: NDArray[Any], segmenter: Any, tile: int, halo: int, merger: Any = "overlap") -> Result:
    return Pipeline(segmenter=segmenter, tiler=Grid(tile=tile, halo=halo), merger=merger).run(image, workers=1)


def eroding(iterations: int) -> Any:
    """Connected components whose masks shrink from every side, the edges of what is shown included."""

    def segmenter(pixels: NDArray[Any]) -> Any:
        return ndimage.label(ndimage.binary_erosion(pixels > 0, iterations=iterations))[0]

    return segmenter


def short(by: int) -> Any:
    """Connected components of all that is further from the edge of what is shown."""

    def segmenter(pixels: NDArray[Any]) -> Any:
        inner = np.zeros(pixels.shape, bool)
        inner[(slice(by, -by),) * pixels.ndim] = True
        return ndimage.label((pixels > 0) & inner)[0]

    return segmenter


@pytest.mark.parametrize("by", [1, 3, 5])
@pytest.mark.parametrize("halo", [8, 16, 31])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_bar_whose_views_end_short_of_the_edge_is_one_object(axis: int, halo: int, by: int) -> None:
    bar = np.zeros([24 if i != axis else 200 for i in range(3)], np.uint8)
    bar[tuple(slice(20, 180) if i == axis else slice(10, 15) for i in range(3))] = 1
    for image in (bar, bar[:, 12] if axis != 1 else bar[12]):
        np.testing.assert_array_equal(run(image, short(by), 32, halo).labels.compute(), image)


@pytest.mark.parametrize("same", [0.3, 0.8, 0.99])
@pytest.mark.parametrize(("turns", "flip"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_bar_whose_last_column_every_tile_drops_is_one_object(turns: int, flip: bool, same: float) -> None:
    def shaved(pixels: NDArray[Any]) -> NDArray[Any]:
        labels: NDArray[Any] = ndimage.label(np.rot90(pixels, -turns) > 0)[0]
        for label in range(1, labels.max() + 1):
            last = np.flatnonzero((labels == label).any(0)).max()
            labels[:, last][labels[:, last] == label] = 0
        return np.rot90(labels, turns)

    bar = np.zeros((64, 64), np.uint8)
    bar[20:28, 22:42] = 1
    image = np.ascontiguousarray(np.rot90(bar[:, ::-1] if flip else bar, turns))
    expected = shaved(image) > 0
    labels = run(image, shaved, 32, 4, Overlap(same=same)).labels.compute()
    assert labels.max() == 1
    assert labels[expected].all()


@pytest.mark.parametrize(("tile", "halo"), [(64, 16), (96, 32), (96, 48), (128, 32)])
@pytest.mark.parametrize("name", ["coins", "horse", "blobs"])
def test_real_objects_larger_than_the_halo_are_those_of_the_whole_image(name: str, tile: int, halo: int) -> None:
    data, filters = pytest.importorskip("skimage.data"), pytest.importorskip("skimage.filters")
    if name == "blobs":
        image = data.binary_blobs(256, blob_size_fraction=0.2, volume_fraction=0.35, rng=0)
    else:
        picture = getattr(data, name)()
        image = picture > filters.threshold_otsu(picture) if name == "coins" else picture < picture.max() / 2
    whole, result = eroding(2)(image), run(image, eroding(2), tile, halo)
    np.testing.assert_array_equal(result.labels.compute(), whole)
    assert result.n_undrawn == 0


def test_a_volume_of_objects_larger_than_the_halo_is_that_of_the_whole_image() -> None:
    noise = np.random.default_rng(0).standard_normal((48, 60, 60))
    image = ndimage.gaussian_filter(noise, 5) > 0.02
    whole = eroding(1)(image)
    assert max(part.stop - part.start for box in ndimage.find_objects(whole) for part in box) > 24
    np.testing.assert_array_equal(run(image, eroding(1), 24, 8).labels.compute(), whole)


def test_what_a_half_leaves_of_an_object_is_drawn() -> None:
    """One tile sees the left half of a bar and nothing of the rest; the other one sees the bar's end alone, cut off."""
    bar = np.zeros((20, 60), np.uint8)
    bar[8:12, 20:44] = 1

    def halved(pixels: NDArray[Any]) -> NDArray[Any]:
        labels = (pixels > 0).astype(np.uint8)
        if pixels.shape[1] == 36 and pixels[9, 0] == 0:  # the left tile, columns 0 to 36: its view ends at 30
            labels[:, 30:] = 0
        return labels

    labels = run(bar, halved, 30, 6).labels.compute()
    np.testing.assert_array_equal(labels, bar)


@pytest.mark.parametrize("merger", [Overlap(), Overlap(best_at=1), Overlap(free=0.95), Overlap(same=0.9)])
@pytest.mark.parametrize(("shape", "tile", "halo"), [((90, 100), 16, 6), ((50, 60), 9, 12), ((24, 30, 32), 11, 4)])
def test_law_10_what_its_own_tile_labelled_is_drawn_or_counted(
    shape: tuple[int, ...], tile: int, halo: int, merger: Overlap, caplog: pytest.LogCaptureFixture
) -> None:
    truth = voronoi(shape, cells=max(8, int(np.prod(shape) // 200)), seed=1)
    with caplog.at_level(logging.INFO, "tilewright"):
        result = run(truth, shaky, tile, halo, merger)
    grid = TileGrid.regular("zyx"[-len(shape) :], shape=shape, tile=(tile,) * len(shape), halo=(halo,) * len(shape))
    labels, own = result.labels.compute(), np.zeros(shape, bool)
    for part in grid:
        own[part.core] = shaky(truth[part.outer])[part.inner] > 0
    undrawn = int((own & (labels == 0)).sum())
    assert result.n_undrawn == result.provenance["n_undrawn"] == undrawn
    assert undrawn < 0.02 * own.sum()
    logged = [record for record in caplog.records if "left as background" in record.message]
    assert len(logged) == (undrawn > 0)
    for record in logged:
        assert (record.levelno == logging.WARNING) == (undrawn > 0.001 * (labels > 0).sum())
