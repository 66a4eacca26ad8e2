"""The tests of a tiler."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..abc.tiler import Needs
from ..components.resolve import component
from ..image import Image
from ..tiling.grid import TileGrid
from .kit import Kit, sent

__all__ = ["TilerTests"]

SHAPES: dict[str, list[tuple[int, ...]]] = {
    "x": [(1,), (29,)],
    "yx": [(1, 1), (1, 40), (37, 53), (64, 64)],
    "zyx": [(1, 20, 21), (5, 33, 17)],
    "tyx": [(3, 20, 30)],
    "tzyx": [(2, 3, 16, 17)],
}
NEEDS: list[dict[str, Any]] = [
    {},
    {"halo": {"y": 3, "x": 2}},
    {"halo": dict.fromkeys("zyx", 5), "stride": {"y": 4, "x": 8}},
    {"separate": "z"},
]


class Unread:
    """Pixels that nobody may read: their shape, dtype and chunks are all there is."""

    dtype: np.dtype[Any] = np.dtype("uint16")

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.chunks = tuple(min(length, 16) for length in shape)

    def __getitem__(self, region: Any) -> Any:
        raise AssertionError(f"it reads pixels at {region}; a grid follows from shape, chunks and needs alone")


class TilerTests(Kit):
    """Tests of a tiler. The fixture `tiler` returns it: an instance, a function, or an installed one's name.

        class TestStripes(TilerTests):
            @pytest.fixture
            def tiler(self):
                return Stripes(rows=8)

    It is tried on images of one to four axes, of sizes that nothing divides, whose pixels cannot be read.
    """

    def test_the_grid_is_over_the_axes_and_the_shape_of_the_image(self, tiler: Any) -> None:
        for image, needs in _cases():
            grid = _returned(tiler, image, needs)
            assert grid.axes == image.axes, f"the grid has axes {grid.axes!r}, the image {image.axes!r}"
            assert grid.shape == image.shape, f"the cores cover {grid.shape}, the image is {image.shape}"

    def test_law_1_the_cores_partition_the_image(self, tiler: Any) -> None:
        for grid, case in _grids(tiler):
            seen = np.zeros(grid.shape, int)
            for tile in grid:
                seen[tile.core] += 1
            assert (seen == 1).all(), (
                f"{case}: {(seen == 0).sum()} pixels are in no core, {(seen > 1).sum()} in several"
            )

    def test_every_core_lies_in_its_outer_region(self, tiler: Any) -> None:
        for grid, case in _grids(tiler):
            for tile in grid:
                for core, outer, length in zip(tile.core, tile.outer, grid.shape, strict=True):
                    inside = 0 <= outer.start <= core.start < core.stop <= outer.stop <= length
                    assert inside, f"{case}: core {core} and outer region {outer} of an axis of {length} pixels"

    def test_the_halo_is_at_least_what_the_segmenter_needs(self, tiler: Any) -> None:
        for image, needs in _cases():
            grid = _grid(tiler, image, needs)
            for axis, halo, tiles in zip(grid.axes, grid.halo, grid.counts, strict=True):
                wanted = needs.halo.get(axis, 0) if tiles > 1 and axis not in grid.separate else 0
                assert halo >= wanted, f"halo {halo} along {axis}, the segmenter needs {wanted}: it is in needs.halo"

    def test_outer_regions_start_at_multiples_of_the_stride(self, tiler: Any) -> None:
        for image, needs in _cases():
            grid = _grid(tiler, image, needs)
            for tile in grid:
                for axis, outer in zip(grid.axes, tile.outer, strict=True):
                    step = 1 if axis in grid.separate else needs.stride.get(axis, 1)
                    assert outer.start % step == 0, (
                        f"a tile starts at {outer.start} along {axis}, the segmenter needs multiples of {step}; hand "
                        "needs.stride to the TileGrid"
                    )

    def test_not_every_tile_is_left_out(self, tiler: Any) -> None:
        for grid, case in _grids(tiler):
            assert len(grid.segmented), f"{case}: all {len(grid)} tiles are left out, so nothing would be segmented"

    def test_the_same_image_is_cut_the_same(self, tiler: Any) -> None:
        for image, needs in _cases():
            assert _grid(tiler, image, needs) == _grid(tiler, image, needs), (
                "the same image was cut in another way the second time, so a killed run would not find its tiles again"
            )

    def test_it_can_be_sent_to_another_process(self, tiler: Any) -> None:
        made = component("tiler", tiler)
        again = sent(made)
        for image, needs in _cases():
            assert _grid(again, image, needs) == _grid(made, image, needs), "its copy cuts in another way"


def _cases() -> Iterator[tuple[Image, Needs]]:
    shapes = [(axes, shape) for axes, several in SHAPES.items() for shape in several]
    for (axes, shape), wanted in itertools.product(shapes, NEEDS):
        separate = "".join(axis for axis in axes if axis in "t" + str(wanted.get("separate", "")))
        needs: dict[str, Any] = {name: _along(axes, value) for name, value in wanted.items() if name != "separate"}
        yield Image(data=Unread(shape), axes=axes), Needs(separate=separate, **needs)


def _along(axes: str, values: Any) -> dict[str, int]:
    return {axis: value for axis, value in values.items() if axis in axes}


def _grid(tiler: Any, image: Image, needs: Needs) -> TileGrid:
    """The grid as a run takes it: single planes along what never joins."""
    return _returned(tiler, image, needs).with_separate(needs.separate)


def _returned(tiler: Any, image: Image, needs: Needs) -> TileGrid:
    grid: object = component("tiler", tiler)(image, needs)
    assert isinstance(grid, TileGrid), f"it returned {type(grid).__name__}; return a tilewright.TileGrid"
    return grid


def _grids(tiler: Any) -> Iterator[tuple[TileGrid, str]]:
    for image, needs in _cases():
        yield _grid(tiler, image, needs), f"{image.axes} {image.shape}"
