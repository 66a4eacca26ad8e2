"""Linked slices beside Cellpose's own stitching."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cellpose.utils import stitch3D
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Grid, Pipeline, compare

LEAST = (0.1, 0.25, 0.5)


def components(pixels: NDArray[Any]) -> Any:
    return ndimage.label(pixels)[0]


components.axes = "yx"  # type: ignore[attr-defined]  # functions take attributes


def linked(mask: NDArray[Any], least: float, tile: int) -> Any:
    pipeline = Pipeline(segmenter=components, tiler=Grid(tile=(1, tile, tile)))
    return pipeline.run(mask, join_z=least, workers=1).labels.compute()


def stitched(mask: NDArray[Any], least: float) -> Any:
    slices = np.stack([ndimage.label(each)[0] for each in mask]).astype(np.int32)
    with np.errstate(invalid="ignore"):  # it divides by the pixels of ids that a slice does not have
        return stitch3D(slices, stitch_threshold=least)


@pytest.mark.parametrize("least", LEAST)
def test_linked_slices_are_those_that_cellpose_stitches(least: float) -> None:
    random = np.random.default_rng(0)
    mask = ndimage.gaussian_filter(random.random((12, 150, 170)), (0.8, 3, 3)) > 0.5
    expected = stitched(mask, least)
    assert expected.max() < sum(ndimage.label(each)[1] for each in mask), "there is something to link"
    found = compare(expected, linked(mask, least, 64), thresholds=(1.0,))[1.0]
    assert (found.missed, found.extra) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("least", LEAST)
def test_linked_slices_are_those_that_cellpose_stitches_where_many_overlap_equally_well(least: float) -> None:
    random = np.random.default_rng(0)
    for _ in range(150):
        mask = random.random((*random.integers(2, 7, 1), *random.integers(1, 9, 2))) < random.choice([0.4, 0.6, 0.8])
        mask[:2, 0, 0] = True  # Cellpose counts from 1 again after an empty slice, until two slices have met
        found = compare(stitched(mask, least), linked(mask, least, 3), thresholds=(1.0,))[1.0]
        assert (found.missed, found.extra) == (0, 0), mask.astype(int).tolist()


def test_objects_on_both_sides_of_an_empty_slice_are_two_though_cellpose_gives_them_one_id() -> None:
    mask = np.zeros((3, 2, 4), bool)
    mask[0, :, :1] = mask[2, :, 3:] = True
    assert stitched(mask, 0.25).max() == 1
    assert linked(mask, 0.25, 4).max() == 2
