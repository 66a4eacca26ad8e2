"""The measurer `cut-score`: squidpy's scores, whatever the blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tilewright import InvalidOption, measure
from tilewright_measure.cut_score import NAMES

# What `squidpy.experimental.tl._tiling_qc._score_tile(shapes())` of squidpy 1.8.2 returns.
NAN = float("nan")
SQUIDPY = [
    (0.09298024789811224, 0.24110957254819032, 0.022418427826138614),
    (5.744283077926576, 0.99866039412046, 5.736588002541644),
    (NAN, NAN, NAN),
    (6.266570686577501, 1.0, 6.266570686577501),
    (4.854064781389249, 1.0, 4.854064781389249),
    (0.897236377707895, 1.0, 0.897236377707895),
    (0.22882280821594222, 1.0, 0.22882280821594222),
]


def shapes() -> NDArray[np.int64]:
    """A ring with a contour of more than 500 points, a bar, a speck, two lines, a rectangle and a staircase."""
    labels = np.zeros((700, 700), int)
    y, x = np.indices(labels.shape)
    distance = np.hypot(y - 350, x - 350)
    labels[(distance < 300) & (distance > 100)] = 1
    labels[5:12, 5:300] = 2
    labels[20:24, 20:23] = 3
    labels[40, 40:90] = 4
    labels[60:90, 600] = 5
    labels[300:340, 330:371] = 6
    steps = np.arange(60)
    labels[450 + steps - steps % 2, 10 + steps] = 7
    return labels


@pytest.mark.parametrize("pixels", [2**22, 2**14])
def test_scores_equal_those_of_squidpy_whatever_the_blocks(pixels: int) -> None:
    table = measure(shapes(), measure="cut-score", measure_pixels=pixels)
    np.testing.assert_array_equal(np.stack([table[name] for name in NAMES], 1), SQUIDPY)


def test_an_object_that_a_tile_has_cut_scores_higher() -> None:
    y, x = np.indices((64, 64))
    disc = (np.hypot(y - 32, x - 32) < 20).astype(int)
    cut: Any = np.where(x < 36, disc, 0)
    (whole,), (halved,) = (measure(labels, measure="cut-score")["cut_score"] for labels in (disc, cut))
    assert halved > 1.4 * whole


def test_volumes_are_refused() -> None:
    with pytest.raises(InvalidOption, match="the labels have the axes zyx; measure planes"):
        measure(np.ones((4, 8, 8), int), measure="cut-score")
