"""The grid: numbers for each axis, neighbours, and messages that hold both values."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright import InvalidOption, TileGrid
from tilewright.tiling.axes import per_axis
from tilewright.tiling.regions import common, lengths, relative


def test_the_last_tile_is_shorter_and_halos_are_clipped_at_the_border() -> None:
    grid = TileGrid.regular("yx", shape=(10, 7), tile=(4, 9), halo=(3, 2))
    assert grid.cores == ((4, 4, 2), (7,))
    assert (grid.shape, grid.counts, len(grid), grid.largest) == ((10, 7), (3, 1), 3, (4, 7))
    last = grid[2]
    assert (last.number, last.index) == (2, (2, 0))
    assert last.core == (slice(8, 10), slice(0, 7))
    assert last.outer == (slice(5, 10), slice(0, 7))
    assert last.inner == (slice(3, 5), slice(0, 7))
    assert last.shape == (5, 7)


def test_halo_and_tile_are_each_axis_own() -> None:
    grid = TileGrid.regular("zyx", shape=(60, 256, 256), tile=(1, 128, 128), halo=(0, 10, 5))
    assert grid.at((30, 1, 0)).shape == (1, 138, 133)


@pytest.mark.parametrize(
    ("stride", "outer"), [(1, slice(9, 19)), (4, slice(8, 20)), (5, slice(5, 20)), (16, slice(0, 30))]
)
def test_outer_regions_start_and_stop_at_multiples_of_the_stride(stride: int, outer: slice) -> None:
    tile = TileGrid.regular("x", shape=(30,), tile=(4,), halo=(3,), stride=(stride,))[3]
    assert (tile.core, tile.outer) == ((slice(12, 16),), (outer,))


def test_separate_axes_are_cut_into_single_planes_without_halo() -> None:
    grid = TileGrid.regular("tyx", shape=(3, 4, 4), tile=(2, 4, 4), halo=(1, 1, 1), stride=(2, 2, 2), separate="t")
    assert (grid.cores[0], grid.halo, grid.stride) == ((1, 1, 1), (0, 1, 1), (1, 2, 2))
    joined = TileGrid.regular("tyx", shape=(3, 4, 4), tile=(2, 4, 4), halo=(1, 1, 1), stride=(2, 2, 2))
    assert joined.with_separate("t") == grid
    assert grid.with_separate("t") == grid
    assert joined.with_separate("") == joined


def test_a_grid_without_pixels_has_no_tiles() -> None:
    grid = TileGrid.regular("yx", shape=(0, 5), tile=(2, 2), halo=(1, 1))
    assert (len(grid), list(grid), grid.shape, grid.largest) == (0, [], (0, 5), (1, 2))


def test_tiles_are_numbered_in_raster_order_and_found_by_number() -> None:
    grid = TileGrid.regular("zyx", shape=(4, 6, 5), tile=(2, 2, 2), halo=(0, 0, 0))
    assert [tile.number for tile in grid] == list(range(len(grid)))
    assert [tile.index for tile in grid] == list(np.ndindex(2, 3, 3))
    assert all(grid.at(tile.index) == tile for tile in grid)
    for number in (-1, len(grid)):
        with pytest.raises(IndexError, match=f"there is no tile {number}; the grid has 18"):
            grid[number]


def test_neighbours_are_those_within_reach_in_raster_order() -> None:
    grid = TileGrid.regular("yx", shape=(9, 9), tile=(3, 3), halo=(0, 0))
    assert [offset for offset, _ in grid.around(grid.at((0, 2)), (1, 1))] == [(0, -1), (0, 0), (1, -1), (1, 0)]
    assert [tile.number for _, tile in grid.around(grid.at((1, 1)), (0, 1))] == [3, 4, 5]


@given(st.data())
def test_regions_touch_exactly_the_tiles_whose_cores_share_pixels(data: st.DataObject) -> None:
    shape = [data.draw(st.integers(1, 12)) for _ in range(2)]
    tile = [data.draw(st.integers(1, 6)) for _ in range(2)]
    grid = TileGrid.regular("yx", shape=shape, tile=tile, halo=(0, 0))
    starts = [data.draw(st.integers(0, n - 1)) for n in shape]
    region = tuple(slice(s, data.draw(st.integers(s + 1, n))) for s, n in zip(starts, shape, strict=True))
    assert list(grid.touching(region)) == [tile for tile in grid if common(tile.core, region)]


def test_a_grid_survives_pickling_and_does_not_carry_its_tables() -> None:
    grid = TileGrid.regular("yx", shape=(100, 100), tile=(3, 3), halo=(1, 1))
    size = len(pickle.dumps(grid))
    list(grid)
    assert pickle.loads(pickle.dumps(grid)) == grid
    assert len(pickle.dumps(grid)) < 2 * size


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tile": (0, 4)}, "tile [0, 4] must be whole numbers of at least 1, not 0"),
        ({"tile": (-2, 4)}, "tile [-2, 4] must be whole numbers of at least 1, not -2"),
        ({"tile": (4,)}, "tile [4] has 1 numbers, but the axes 'yx' need 2"),
        ({"tile": (4, 4, 4)}, "tile [4, 4, 4] has 3 numbers, but the axes 'yx' need 2"),
        ({"tile": (4.0, 4)}, "tile [4.0, 4] must be whole numbers of at least 1, not 4.0"),
        ({"tile": (True, 4)}, "tile [True, 4] must be whole numbers of at least 1, not True"),
        ({"halo": (-1, 0)}, "halo [-1, 0] must be whole numbers of at least 0, not -1"),
        ({"halo": (1,)}, "halo [1] has 1 numbers, but the axes 'yx' need 2"),
        ({"stride": (0, 1)}, "but along y the shortest core is 2, the stride 0 and the halo 0"),
        ({"shape": (10**6, 10**6), "tile": (1, 1)}, "1,000,000,000,000 tiles are more than 2,147,483,647"),
    ],
)
def test_a_grid_that_cannot_be_is_refused_with_both_values(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOption) as raised:
        TileGrid.regular("yx", **{"shape": (10, 10), "tile": (4, 4), "halo": (0, 0), **options})
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cores": ((4,),)}, "needs core lengths, halo and stride for each of them; there are 1, 2 and 2"),
        ({"halo": (0,)}, "there are 2, 1 and 2"),
        ({"stride": (1,)}, "there are 2, 2 and 1"),
        ({"cores": ((4, 0), (4,))}, "along y the shortest core is 0, the stride 1 and the halo 0"),
        ({"separate": "y"}, "nothing joins along y, so cores have length 1 and no halo there, not length 4 and halo 0"),
        ({"cores": ((1, 1), (4,)), "halo": (1, 0), "separate": "y"}, "not length 1 and halo 1"),
    ],
)
def test_a_grid_of_a_tilers_own_making_is_checked(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOption) as raised:
        TileGrid(**{"axes": "yx", "cores": ((4, 4), (4,)), "halo": (0, 0), **options})
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("value", "numbers"),
    [(3, (3, 3)), ((3, 4), (3, 4)), ([3, 4], (3, 4)), (np.int64(3), (3, 3)), (np.array([3, 4]), (3, 4))],
)
def test_per_axis_takes_one_number_or_one_each(value: Any, numbers: tuple[int, ...]) -> None:
    made = per_axis("tile", value, "yx")
    assert made == numbers
    assert all(type(n) is int for n in made)


@pytest.mark.parametrize("value", ["64", 64.0, None, (3, "4"), {"y": 3, "x": 4}])
def test_per_axis_refuses_what_is_no_number(value: Any) -> None:
    with pytest.raises(InvalidOption, match=r"tile .*must be"):
        per_axis("tile", value, "yx")


def test_regions_in_each_others_coordinates() -> None:
    outer, core = (slice(3, 9), slice(0, 5)), (slice(4, 8), slice(0, 2))
    assert relative(core, outer) == (slice(1, 5), slice(0, 2))
    assert lengths(core) == (4, 2)
    assert common(core, (slice(7, 20), slice(1, 9))) == (slice(7, 8), slice(1, 2))
    assert common(core, (slice(8, 20), slice(1, 9))) is None
