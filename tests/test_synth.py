"""The made-up images that other tests segment: a window is what it is in the whole, and touching objects touch."""

from __future__ import annotations

import numpy as np
import pytest
from synth import Synth, make


@pytest.mark.parametrize(
    ("shape", "window"),
    [((700, 600), (slice(100, 257), slice(500, 600))), ((40, 90, 80), (slice(7, 40), slice(0, 33), slice(20, 71)))],
)
@pytest.mark.parametrize("preset", ["sparse", "tissue"])
def test_a_window_rendered_by_itself_equals_the_same_window_of_the_whole(
    shape: tuple[int, ...], window: tuple[slice, ...], preset: str
) -> None:
    image = Synth(shape, preset, seed=3)
    for whole, part in zip(image.read(), image.read(window), strict=True):
        np.testing.assert_array_equal(whole[window], part)


def test_denser_presets_hold_more_objects_and_more_that_touch() -> None:
    counts, touching = [], []
    for preset in ("sparse", "medium", "dense", "tissue"):
        labels = make((400, 400), preset, seed=1)[1]
        left, right = labels[:, :-1], labels[:, 1:]
        met = (left != right) & (left > 0) & (right > 0)
        counts.append(int(labels.max()))
        touching.append(len(np.unique(np.stack([left[met], right[met]]), axis=1).T))
    assert counts == sorted(counts)
    assert touching == sorted(touching)
    assert touching[-1] > counts[-1]
