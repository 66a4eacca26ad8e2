"""Windows: what is wrong with them is refused before anything is predicted; which of them regions depend on."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilewright import InvalidOption, TileGrid
from tilewright.abc import Region, Windows, common
from tilewright.engine.batches import Batches
from tilewright.tiling.placement import widened
from tilewright.tiling.windows import WindowGrid


def along_x(*starts: int, **others: Any) -> Windows:
    """Windows of 8 pixels over an image of 20."""
    return Windows(**{"axes": "x", "shape": (20,), "starts": (starts,), "size": (8,), **others})


def test_windows_may_begin_before_the_image_end_after_it_and_lie_twice_at_one_place() -> None:
    first, last = along_x(-3, 4, 4, 12, 19).kept[0]
    assert first.tolist() == [0, 4, 4, 12, 19]
    assert last.tolist() == [5, 12, 12, 20, 20]


def test_a_margin_is_kept_at_the_images_border_alone() -> None:
    first, last = along_x(0, 4, 8, 12, margin=(2,)).kept[0]
    assert list(zip(first.tolist(), last.tolist(), strict=True)) == [(0, 6), (6, 10), (10, 14), (14, 20)]


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ({"starts": ()}, "leave out x 0:20 of 20"),
        ({"starts": (0, 8)}, "leave out x 16:20 of 20"),
        ({"starts": (0, 7, 12), "margin": (1,)}, "leave out x 7:8 of 20"),
        ({"starts": (1, 8, 12)}, "leave out x 0:1 of 20"),
        ({"starts": (0, 12, 8)}, "start along x at 12 and then at 8; starts must ascend"),
        ({"starts": (0, 8, 16, 20)}, "the window x 20:28 sees nothing of the image, whose length there is 20"),
        ({"starts": (-8, 0, 8, 16)}, "the window x -8:0 sees nothing of the image"),
        ({"starts": (0, 8, 12), "taper": ((1.0,) * 7,)}, "taper has 7 weights along x, windows 8"),
        ({"starts": (0, 8, 12), "size": (8, 8)}, "windows have 1 axes 'x', but size is for another number"),
        ({"starts": (0, 8, 12), "axes": "c"}, "distinct letters out of 'z y x'"),
    ],
)
def test_windows_that_do_not_cover_the_image_or_fit_it_are_refused(windows: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption) as raised:
        along_x(*windows.pop("starts"), **windows)
    assert message in str(raised.value)


@st.composite
def covering(draw: st.DrawFn, axes: str, shape: tuple[int, ...]) -> Windows:
    """Windows along some of the axes, of an image that may be resampled for them."""
    own = draw(st.permutations(axes).flatmap(lambda order: st.integers(1, len(order)).map(lambda n: order[:n])))
    seen = tuple(draw(st.sampled_from([n, n // 2 + 1, 2 * n])) for axis in own for n in [shape[axes.index(axis)]])
    size, margin = draw(st.integers(3, 9)), draw(st.integers(0, 1))
    starts = tuple(tuple(range(-1, n, size - 2 * margin)) for n in seen)
    return Windows(axes="".join(own), shape=seen, starts=starts, size=(size,) * len(own), margin=(margin,) * len(own))


@pytest.mark.slow
@settings(max_examples=40)
@given(st.data())
def test_the_batches_of_all_tiles_are_counted_as_those_of_each(data: st.DataObject) -> None:
    axes = data.draw(st.sampled_from(["x", "yx", "zyx"]))
    shape = tuple(data.draw(st.integers(1, 12)) for _ in axes)
    grid = TileGrid.regular(
        axes,
        shape=shape,
        tile=[data.draw(st.integers(1, 9)) for _ in axes],
        halo=[data.draw(st.integers(0, 3)) for _ in axes],
    )
    context = tuple(data.draw(st.integers(0, 2)) for _ in axes)
    sets = data.draw(st.lists(covering(axes, shape), min_size=1, max_size=3))
    grids = tuple(WindowGrid(windows=each, axes=axes, shape=shape) for each in sets)
    batches = Batches(grids=grids, size=data.draw(st.integers(1, 7)))
    counts: Counter[int] = Counter()
    for tile in grid:
        region = widened(tile.outer, context, shape)
        for window_grid in grids:
            assert window_grid.meeting(region).tolist() == met(window_grid, region)
        counts.update(batches.meeting(region))
    assert batches.uses(grid.parts_read(context)).tolist() == [counts[batch] for batch in range(len(batches))]


def met(grid: WindowGrid, region: Region) -> list[int]:
    """The windows of which a pixel is kept in a region, one after the other."""
    return [number for number in range(len(grid)) if common(grid.kept(number), grid.space(region)) is not None]
