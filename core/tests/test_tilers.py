"""The built-in tilers: a fixed shape, and one for a budget that depends on nothing but image and options."""

from __future__ import annotations

import math
from typing import Any

import dask.array
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright import Auto, Grid, Image, InvalidOption, Needs, Pipeline, TileGrid
from tilewright.tiling.axes import for_axes


def lazy(shape: tuple[int, ...], axes: str, chunks: tuple[int, ...] | None = None, dtype: str = "u2") -> Image:
    return Image(data=dask.array.zeros(shape, chunks=chunks or shape, dtype=dtype), axes=axes)


def peak(grid: TileGrid, itemsize: int = 2) -> int:
    """The work of the largest tile, as the default counts it."""
    first = (0,) * len(grid.axes)
    along = [[(*first[:axis], i, *first[axis + 1 :]) for i in range(count)] for axis, count in enumerate(grid.counts)]
    longest = [max(grid.at(index).shape[axis] for index in indices) for axis, indices in enumerate(along)]
    return math.prod(longest) * (2 * itemsize + 16)


@pytest.mark.parametrize(
    ("axes", "said", "tile"),
    [
        ("yx", 64, (64, 64)),
        ("yx", (32, 64), (32, 64)),
        ("zyx", 8, (8, 8, 8)),
        ("tyx", 64, (1, 64, 64)),
        ("tyx", (32, 64), (1, 32, 64)),
        ("yxt", (32, 64), (32, 64, 1)),
        ("tyx", (5, 32, 64), (5, 32, 64)),
        ("x", 9, (9,)),
    ],
)
def test_a_tile_is_said_for_all_axes_or_the_spatial_ones(axes: str, said: Any, tile: tuple[int, ...]) -> None:
    assert for_axes("tile", said, axes, rest=1) == tile
    grid = Grid(tile=said)(lazy((100,) * len(axes), axes), Needs())
    assert grid.largest == tile


@pytest.mark.parametrize(
    ("axes", "said", "halo"),
    [("yx", 3, (3, 3)), ("zyx", (0, 3, 3), (0, 3, 3)), ("tyx", 3, (0, 3, 3)), ("tyx", (2, 3), (0, 2, 3))],
)
def test_a_halo_is_said_in_the_same_way(axes: str, said: Any, halo: tuple[int, ...]) -> None:
    assert Grid(tile=10, halo=said)(lazy((100,) * len(axes), axes), Needs()).halo == halo


@pytest.mark.parametrize("said", [(1, 2), (1, 2, 3, 4), ()])
def test_too_few_or_too_many_numbers_are_refused_with_the_axes_they_are_for(said: tuple[int, ...]) -> None:
    image = lazy((5, 40, 40, 40), "tzyx")
    if len(said) == 4:
        image = lazy((5, 40, 40), "tyx")
    with pytest.raises(InvalidOption, match=rf"tile \[.*\] has {len(said)} numbers, but the axes '{image.axes}' need"):
        Grid(tile=said)(image, Needs())


@pytest.mark.parametrize("name", ["tile", "halo"])
@pytest.mark.parametrize("value", ["64", 6.5, (3, 2.5), -1, (4, -4)])
def test_what_is_no_whole_number_is_refused_by_name(name: str, value: Any) -> None:
    options: dict[str, Any] = {"tile": 8, name: value}
    with pytest.raises(InvalidOption, match=f"{name} .*must be"):
        Grid(**options)(lazy((40, 40), "yx"), Needs())


@pytest.mark.parametrize("value", [np.int64(8), (np.int32(8), np.uint8(8))])
def test_numbers_that_numpy_made_are_numbers(value: Any) -> None:
    assert Grid(tile=value, halo=value)(lazy((40, 40), "yx"), Needs()).cores == ((8,) * 5,) * 2
    assert Auto(halo=value)(lazy((40, 40), "yx"), Needs()).halo == (8, 8)


def test_without_a_tile_the_storage_chunks_are_the_tiles_even_uneven_ones() -> None:
    image = Image(data=dask.array.zeros((12, 8), chunks=((3, 7, 2), (5, 3))), axes="yx")
    assert Grid()(image, Needs()).cores == ((3, 7, 2), (5, 3))


def test_one_number_for_the_halo_leaves_planes_alone() -> None:
    assert Grid(tile=(1, 16, 16), halo=4)(lazy((60, 64, 64), "zyx"), Needs()).halo == (0, 4, 4)
    assert Grid(tile=(1, 16, 16), halo=(2, 4, 4))(lazy((60, 64, 64), "zyx"), Needs()).halo == (2, 4, 4)


@pytest.mark.parametrize("tiler", [Grid(tile=16), Auto(memory=20_000)])
def test_what_the_segmenter_needs_is_given(tiler: Any) -> None:
    needs = Needs(separate="tz", halo={"y": 3, "x": 5}, stride={"y": 4, "x": 4})
    grid = tiler(lazy((3, 4, 64, 64), "tzyx"), needs)
    assert (grid.separate, grid.largest[:2], grid.halo, grid.stride) == ("tz", (1, 1), (0, 0, 3, 5), (1, 1, 4, 4))


@pytest.mark.parametrize("tiler", [Grid(tile=16, halo=1), Auto(halo=1), Grid(tile=16, halo=0)])
def test_a_halo_that_is_said_wins_over_the_segmenters(tiler: Any) -> None:
    grid = tiler(lazy((64, 64), "yx"), Needs(halo={"y": 30, "x": 30}))
    assert grid.halo == (tiler.halo, tiler.halo)


@pytest.mark.parametrize(
    ("shape", "axes", "chunks"),
    [
        ((4096, 4096), "yx", (256, 256)),
        ((64, 4096, 4096), "zyx", (1, 512, 512)),
        ((100, 500, 500), "zyx", (100, 500, 500)),
        ((5, 2000, 2000), "tyx", (1, 2000, 2000)),
        ((300, 300), "yx", (64, 64)),
    ],
)
@pytest.mark.parametrize("memory", [2**18, 2**22, 2**27])
@pytest.mark.parametrize("halo", [0, 6])
def test_auto_keeps_to_its_budget_and_to_whole_chunks(
    shape: tuple[int, ...], axes: str, chunks: tuple[int, ...], memory: int, halo: int
) -> None:
    separate = axes.replace("z", "").replace("y", "").replace("x", "")
    grid = Auto(memory=memory, halo=halo)(lazy(shape, axes, chunks), Needs(separate=separate))
    assert peak(grid) <= memory
    for tile, chunk, length, axis in zip(grid.largest, chunks, shape, axes, strict=True):
        whole = tile % chunk == 0 or tile == length
        part = chunk % tile == 0 or tile in {-(-chunk // 2**k) for k in range(12)}
        assert whole or part or axis in separate


@given(st.data())
def test_auto_keeps_to_its_budget_for_any_image(data: st.DataObject) -> None:
    dimensions = data.draw(st.integers(1, 3))
    shape = tuple(data.draw(st.integers(1, 300)) for _ in range(dimensions))
    chunks = tuple(data.draw(st.integers(1, n)) for n in shape)
    image = lazy(shape, "zyx"[-dimensions:], chunks)
    memory = data.draw(st.integers(8**dimensions * 30, 10**7))
    stride = dict.fromkeys(image.axes, data.draw(st.integers(1, 4)))
    grid = Auto(memory=memory)(image, Needs(stride=stride))
    assert grid.shape == shape
    assert peak(grid) <= memory


def test_auto_uses_the_budget_that_it_has() -> None:
    grid = Auto(memory=2**27)(lazy((20_000, 20_000), "yx", (512, 512)), Needs())
    assert peak(grid) > 2**27 / 4
    assert max(grid.largest) <= 2 * min(grid.largest)


def test_an_image_that_fits_is_one_tile() -> None:
    assert len(Auto()(lazy((1000, 1000), "yx", (64, 64)), Needs())) == 1


def test_auto_asks_the_segmenter_what_a_tile_takes() -> None:
    asked: list[tuple[tuple[int, ...], np.dtype[Any]]] = []

    def memory(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
        asked.append((shape, dtype))
        return 1000 * math.prod(shape)

    grid = Auto(memory=2**24, halo=4)(lazy((2000, 2000), "yx", (100, 100)), Needs(memory=memory))
    assert 1000 * math.prod(t + 8 for t in grid.largest) <= 2**24
    assert all(dtype == np.dtype("u2") and len(shape) == 2 for shape, dtype in asked)


def test_without_a_budget_a_tile_takes_512_mib_more_than_the_smallest_of_a_segmenter_that_says_what_it_takes() -> None:
    needs = Needs(memory=lambda shape, dtype: 10**10 + 1024 * (math.prod(shape) - 1))
    pixels = 2**29 // 1024
    assert math.prod(Auto()(lazy((10_000, 10_000), "yx", (512, 512)), needs).largest) == pixels
    assert Auto()(lazy((1, pixels), "yx", (1, pixels)), needs).largest == (1, pixels)
    assert Auto()(lazy((1, pixels + 2), "yx", (1, pixels + 2)), needs).largest == (1, pixels // 2 + 1)


def test_auto_counts_the_channels_that_a_tile_holds() -> None:
    def segmenter(pixels: Any) -> Any:
        assert pixels.nbytes <= 2**20
        return np.zeros(pixels.shape[1:], int)

    segmenter.axes = "cyx"  # type: ignore[attr-defined]  # functions take attributes
    pixels = np.zeros((64, 512, 512), np.uint8)
    result = Pipeline(segmenter=segmenter, tiler=Auto(memory=2**20)).run(pixels, axes="cyx")
    assert result.n_tiles > 1


@pytest.mark.parametrize("memory", [0, -1])
def test_a_budget_that_is_none_is_refused(memory: int) -> None:
    with pytest.raises(InvalidOption, match=f"memory must be a positive number of bytes, not {memory}"):
        Auto(memory=memory)(lazy((9, 9), "yx"), Needs())


@pytest.mark.parametrize(
    ("halo", "needs"),
    [(100, Needs()), (None, Needs(halo={"y": 100, "x": 100})), (0, Needs(memory=lambda shape, dtype: 10**9))],
)
def test_a_budget_that_holds_not_even_one_pixel_and_its_halo_is_refused(halo: int | None, needs: Needs) -> None:
    with pytest.raises(InvalidOption, match=r"one tile's work takes at least [\d,]+ bytes, .* memory is 100,000"):
        Auto(memory=100_000, halo=halo)(lazy((4000, 4000), "yx"), needs)


def test_auto_gives_the_same_grid_wherever_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    image = lazy((5000, 3000), "yx", (100, 333))
    here = Auto()(image, Needs())
    monkeypatch.setattr("os.cpu_count", lambda: 512)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(512)), raising=False)
    assert Auto()(image, Needs()) == here


def test_a_tiler_that_cuts_another_image_is_refused_by_name() -> None:
    def crooked(image: Image, needs: Needs) -> TileGrid:
        return TileGrid.regular("yx", shape=(10, 10), tile=(5, 5), halo=(0, 0))

    with pytest.raises(InvalidOption, match=r"tiler .*crooked' cut axes 'yx' of shape \(10, 10\), but the image has"):
        Pipeline(segmenter=lambda pixels: pixels, tiler=crooked).run(np.zeros((10, 11), int))


def test_a_tiler_may_be_any_function() -> None:
    def halves(image: Image, needs: Needs) -> TileGrid:
        return TileGrid(axes=image.axes, cores=((3, 7), (10,)), halo=(1, 0))

    result = Pipeline(segmenter=lambda pixels: pixels, tiler=halves).run(np.ones((10, 10), int))
    assert (result.n_tiles, result.n_objects) == (2, 1)
