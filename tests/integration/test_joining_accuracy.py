"""What `overlap` makes of tiles that disagree: the means of the benchmark `accuracy` over its five seeds.

A single image scatters about its mean by a hundredth or two.
"""

from __future__ import annotations

import numpy as np
import pytest
from rules import RULES, Views
from scoring import scores
from simulator import KINDS, cells, noisy, perfect

from tilewright import Grid, Pipeline, compare

pytestmark = pytest.mark.slow

TILE, HALO, SEEDS = 256, 48, range(5)


def both(kind: str, seed: int) -> list[dict[str, float]]:
    """The scores without tiles and with them."""
    truth = cells(kind, seed)
    whole, views = noisy(truth), Views.of(truth, noisy, TILE, HALO)
    seams = range(TILE, len(truth), TILE)
    return [scores(truth, whole, found, seams) for found in (whole, RULES["overlap"](views))]


@pytest.mark.parametrize("kind", KINDS)
def test_objects_at_seams_are_found_better_than_without_tiles(kind: str) -> None:
    rows = zip(*(both(kind, seed) for seed in SEEDS), strict=True)
    untiled, tiled = ({name: np.mean([row[name] for row in each]) for name in each[0]} for each in rows)
    for threshold in (0.5, 0.75):
        assert tiled[f"seam F1 {threshold}"] > untiled[f"seam F1 {threshold}"]
    assert tiled["F1 0.5"] > untiled["F1 0.5"] - 0.003
    assert tiled["fused"] <= 1.1 * untiled["fused"] + 1  # of some 3,200 objects
    assert abs(tiled["objects"] / untiled["objects"] - 1) < 0.01
    assert tiled["lost"] <= untiled["lost"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_segmenter_without_errors_gives_the_truth(kind: str) -> None:
    truth = cells(kind, 0, 896)
    found = compare(truth, RULES["overlap"](Views.of(truth, perfect, TILE, HALO)), thresholds=(1.0,))
    assert found[1.0].ap == 1


def test_tiles_that_disagree_give_one_result_with_any_number_of_workers() -> None:
    truth = cells("sparse", 1, 640)
    views = Views.of(truth, noisy, TILE, HALO)
    pipeline = Pipeline(segmenter=views.segment, tiler=Grid(tile=TILE, halo=HALO), merger="overlap")
    expected = pipeline.run(truth, workers=1).labels.compute()
    for workers in (2, 5):
        np.testing.assert_array_equal(pipeline.run(truth, workers=workers).labels.compute(), expected)


def test_the_simulated_segmenter_is_the_same_for_the_same_crop_and_errs_differently_in_another() -> None:
    truth = cells("dense", 0, 768)
    one, again, moved = noisy(truth[:400, :400]), noisy(truth[:400, :400]), noisy(truth[8:408, :400])
    np.testing.assert_array_equal(one, again)
    found = compare(one[8:], moved[:-8], thresholds=(0.5, 1.0))
    assert found[0.5].ap > 0.8
    assert found[1.0].ap < 0.2
