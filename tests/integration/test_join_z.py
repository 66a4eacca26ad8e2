"""Linked slices beside Cellpose's own stitching."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cellpose.utils import stitch3D
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Grid, Pipeline, compare


def components(pixels: NDArray[Any]) -> Any:
    return ndimage.label(pixels)[0]


components.axes = "yx"  # type: ignore[attr-defined]  # functions take attributes


@pytest.mark.parametrize("least", [0.1, 0.25, 0.5])
def test_linked_slices_are_those_that_cellpose_stitches(least: float) -> None:
    random = np.random.default_rng(0)
    mask = ndimage.gaussian_filter(random.random((12, 150, 170)), (0.8, 3, 3)) > 0.5
    slices = np.stack([ndimage.label(each)[0] for each in mask]).astype(np.int32)
    stitched = stitch3D(slices.copy(), stitch_threshold=least)
    assert stitched.max() < slices.max(axis=(1, 2)).sum(), "there is something to link"

    labels = Pipeline(segmenter=components, tiler=Grid(tile=(1, 64, 64))).run(mask, join_z=least).labels
    found = compare(stitched, labels, thresholds=(1.0,))[1.0]
    assert (found.missed, found.extra) == (0, 0)
