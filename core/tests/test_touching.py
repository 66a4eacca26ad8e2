"""Many seams at once beside one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilewright import Overlap, Seam, TileGrid, Touch
from tilewright.engine.steps.touching import Face, can_batch, touching

GRID = TileGrid.regular("zyx", shape=(2, 2, 2), tile=(1, 1, 1), halo=(0, 0, 0))


@settings(deadline=None)
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
    alone = [np.column_stack([np.full(len(said), place), said]) for place, said in enumerate(map(Touch(), seams))]
    at_once = touching([Face(0, 4, seam.labels) for seam in seams])
    np.testing.assert_array_equal(at_once, np.concatenate(alone))
    assert at_once.dtype == alone[0].dtype


@pytest.mark.parametrize("merger", [Touch(connectivity=2), Overlap(), lambda seam: []])
def test_other_mergers_are_shown_every_seam(merger: object) -> None:
    assert not can_batch(merger)  # type: ignore[arg-type]
    assert can_batch(Touch())
