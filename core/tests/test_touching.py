"""Many seams at once beside one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright import Grid, Overlap, Pipeline, Seam, TileGrid, Touch
from tilewright.abc import MergerTraits

GRID = TileGrid.regular("zyx", shape=(2, 2, 2), tile=(1, 1, 1), halo=(0, 0, 0))


@given(data=st.data())
def test_touch_says_the_same_of_many_seams_at_once_as_of_each(data: st.DataObject) -> None:
    seams = []
    for _ in range(data.draw(st.integers(1, 6))):
        shape = [1, *data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=2))]
        random = np.random.default_rng(data.draw(st.integers(0, 99)))
        most = data.draw(st.sampled_from([0, 1, 3, 255]))
        labels = tuple(random.integers(0, most + 1, shape).astype(kind) for kind in ("u1", "u4"))
        offset = (1,) + (0,) * (len(shape) - 1)
        seams.append(Seam(lower=GRID[0], upper=GRID[4], offset=offset, labels=labels))
    alone = [np.column_stack([np.full(len(pairs), place), pairs]) for place, pairs in enumerate(map(Touch(), seams))]
    at_once = Touch().many([seam.labels for seam in seams])
    np.testing.assert_array_equal(at_once, np.concatenate(alone))
    assert at_once.dtype == alone[0].dtype


class OfItsOwn(Touch):
    def __call__(self, seam: Seam) -> Any:
        return super().__call__(seam)[:1]


@pytest.mark.parametrize("merger", [Overlap(), OfItsOwn(), lambda seam: []])
def test_a_merger_that_has_no_many_of_its_own_is_shown_every_seam(merger: object) -> None:
    assert not MergerTraits.of(merger).batches
    assert MergerTraits.of(Touch()).batches


def test_many_is_asked_only_where_every_seam_is_a_face() -> None:
    diagonal = np.eye(6, dtype=bool)
    pipeline = Pipeline(segmenter=lambda pixels: pixels.astype(int), tiler=Grid(tile=1), merger=Touch(connectivity=2))
    assert pipeline.run(diagonal).n_objects == 1
