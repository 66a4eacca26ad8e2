"""The laws of the design, each a property: what must hold for any image, tile and halo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from truth import Components, Smoothed, instances, raster_order, voronoi

from tilewright import Grid, Image, Needs, Overlap, Pipeline, TileGrid, Touch

quick = settings(max_examples=30)


def named(pixels: NDArray[Any]) -> Image:
    """The pixels with axes: an array of three dimensions without them may be a colour picture, and is refused."""
    return Image(pixels, axes="zyx"[-pixels.ndim :])


@st.composite
def masks(draw: st.DrawFn, most: int = 9) -> NDArray[np.bool_]:
    shape = draw(st.lists(st.integers(1, most), min_size=1, max_size=3))
    share = draw(st.sampled_from([0.0, 0.2, 0.5, 0.7, 0.9, 1.0]))
    return np.random.default_rng(draw(st.integers(0, 2**32))).random(shape) < share


@st.composite
def cuts(draw: st.DrawFn, dimensions: int, tile: tuple[int, int] = (1, 7), halo: tuple[int, int] = (0, 10)) -> Grid:
    def numbers(least: int, most: int) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.integers(least, most), min_size=dimensions, max_size=dimensions)))

    return Grid(tile=numbers(*tile), halo=numbers(*halo))


@quick
@given(st.data())
def test_law_1_the_cores_partition_the_image_and_lie_in_their_outer_regions(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 25), min_size=1, max_size=3))
    image = Image(data=np.zeros(shape), axes="zyx"[-len(shape) :])
    stride = data.draw(st.integers(1, 5))
    cut = data.draw(cuts(len(shape)))
    grid = cut(image, Needs(stride=dict.fromkeys(image.axes, stride)))
    seen = np.zeros(shape, int)
    for tile in grid:
        seen[tile.core] += 1
        for core, outer, halo, length in zip(tile.core, tile.outer, grid.halo, shape, strict=True):
            assert 0 <= outer.start <= max(0, core.start - halo)
            assert min(length, core.stop + halo) <= outer.stop <= length
            assert outer.start % stride == 0
            assert outer.stop % stride == 0 or outer.stop == length
    assert (seen == 1).all()


@quick
@given(st.data())
def test_law_1_holds_for_uneven_cores_and_every_pixel_finds_its_tile(data: st.DataObject) -> None:
    cores = data.draw(st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=5), min_size=1, max_size=3))
    axes = "zyx"[-len(cores) :]
    grid = TileGrid(axes=axes, cores=tuple(map(tuple, cores)), halo=(data.draw(st.integers(0, 9)),) * len(axes))
    for pixel in np.ndindex(grid.shape):
        (tile,) = grid.touching(tuple(slice(i, i + 1) for i in pixel))
        assert all(part.start <= i < part.stop for part, i in zip(tile.core, pixel, strict=True))


@quick
@given(st.data())
def test_tiles_that_share_pixels_are_within_reach_and_no_others_are_asked(data: st.DataObject) -> None:
    cores = tuple(data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=8)))
    halo, stride = data.draw(st.integers(0, 12)), data.draw(st.integers(1, 5))
    grid = TileGrid(axes="x", cores=(cores,), halo=(halo,), stride=(stride,))
    tiles = list(grid)
    furthest = max(
        (
            b.number - a.number
            for a in tiles
            for b in tiles
            if b.number > a.number and b.outer[0].start < a.outer[0].stop
        ),
        default=0,
    )
    assert grid.reach == (furthest,)


@quick
@given(masks(), st.data())
def test_law_2_touch_equals_labelling_the_whole_image(mask: NDArray[np.bool_], data: st.DataObject) -> None:
    connectivity = data.draw(st.integers(1, mask.ndim))
    pipeline = Pipeline(
        segmenter=Components(connectivity=connectivity),
        tiler=data.draw(cuts(mask.ndim)),
        merger=Touch(connectivity=connectivity),
    )
    whole, _ = ndimage.label(mask, ndimage.generate_binary_structure(mask.ndim, connectivity))
    result = pipeline.run(named(mask))
    np.testing.assert_array_equal(result.labels.compute(), whole)
    assert result.n_objects == whole.max()


@pytest.mark.slow
@quick
@given(st.data())
def test_law_2_holds_for_a_plain_function_that_smooths_with_the_radius_as_halo_or_context(data: st.DataObject) -> None:
    dimensions = data.draw(st.integers(1, 2))
    connectivity = data.draw(st.integers(1, dimensions))
    structure = ndimage.generate_binary_structure(dimensions, connectivity)
    radius = data.draw(st.integers(1, 3))

    def smoothed(pixels: NDArray[Any]) -> NDArray[Any]:
        means = ndimage.uniform_filter(pixels, 2 * radius + 1)
        return ndimage.label(means > np.uint16(2**15), structure)[0]

    halo = data.draw(st.integers(0, radius + 2))
    context = max(0, radius - halo)
    if context:
        smoothed.context = context  # type: ignore[attr-defined]  # functions take attributes
    shape = data.draw(st.lists(st.integers(1, 60), min_size=dimensions, max_size=dimensions))
    noise = np.random.default_rng(data.draw(st.integers(0, 2**32))).integers(0, 2**16, shape).astype(np.uint16)
    tile = data.draw(st.integers(5, 20))
    pipeline = Pipeline(segmenter=smoothed, tiler=Grid(tile=tile, halo=halo), merger=Touch(connectivity=connectivity))
    np.testing.assert_array_equal(pipeline.run(noise).labels.compute(), smoothed(noise))


@pytest.mark.slow
@quick
@given(st.data())
def test_law_3_overlap_gives_the_truth_for_touching_cells(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(8, 32), min_size=2, max_size=2) | st.just([7, 9, 9]))
    truth = voronoi(shape, data.draw(st.integers(1, 25)), data.draw(st.integers(0, 2**32)))
    cut = data.draw(cuts(len(shape), tile=(3, 11), halo=(1, 7)))
    result = Pipeline(segmenter=instances, tiler=cut, merger=Overlap()).run(named(truth))
    np.testing.assert_array_equal(result.labels.compute(), raster_order(truth))


@pytest.mark.slow
@quick
@given(st.data())
def test_law_3_overlap_joins_objects_of_any_shape(data: st.DataObject) -> None:
    teeth, width = data.draw(st.integers(2, 5)), data.draw(st.integers(2, 5))
    comb = np.zeros((24, 4 * teeth), np.uint8)
    comb[data.draw(st.integers(0, 12)), :] = 1
    comb[:, ::width] = 1
    truth = comb if data.draw(st.booleans()) else np.ascontiguousarray(comb.T)
    result = Pipeline(segmenter=instances, tiler=data.draw(cuts(2, tile=(2, 9), halo=(1, 6))), merger="overlap").run(
        truth
    )
    np.testing.assert_array_equal(result.labels.compute(), truth)


@settings(quick, max_examples=15)
@given(masks(), st.data())
def test_law_4_labels_do_not_depend_on_the_number_of_workers(mask: NDArray[np.bool_], data: st.DataObject) -> None:
    pipeline = Pipeline(segmenter=Components(), tiler=data.draw(cuts(mask.ndim)))
    one, three = (pipeline.run(named(mask), workers=n).labels.compute() for n in (1, 3))
    np.testing.assert_array_equal(one, three)


@settings(quick, max_examples=20)
@given(st.data())
def test_law_5_time_points_stay_apart(data: st.DataObject) -> None:
    axes = data.draw(st.sampled_from(["tyx", "ytx", "yxt", "tzyx"]))
    shape = [data.draw(st.integers(1, 6)) for _ in axes]
    mask = np.random.default_rng(data.draw(st.integers(0, 99))).random(shape) < 0.7
    tile = tuple(data.draw(st.integers(1, 5)) for _ in axes)
    result = Pipeline(segmenter=Components(), tiler=Grid(tile=tile, halo=1)).run(mask, axes=axes)
    frames = np.zeros(shape, np.int64)
    for t in range(shape[axes.index("t")]):
        at = tuple(t if axis == "t" else slice(None) for axis in axes)
        labels, _ = ndimage.label(mask[at])
        frames[at] = np.where(labels, labels + frames.max(), 0)
    np.testing.assert_array_equal(result.labels.compute(), raster_order(frames))


@pytest.mark.parametrize("kind", ["tile", "merger", "writer"])
def test_law_6_a_failed_run_leaves_the_output_and_goes_on_from_its_stage(kind: str, tmp_path: Any) -> None:
    mask = np.random.default_rng(0).random((40, 40)) < 0.5
    whole, _ = ndimage.label(mask)
    parts: dict[str, Any] = {"tiler": Grid(tile=10), "writer": "zarr-array"}
    path = tmp_path / "labels.zarr"
    before = Pipeline(segmenter=Components(), **parts).run(np.zeros((40, 40), bool), path)

    counted = Components(calls=tmp_path / "calls", fail_at=7 if kind == "tile" else None)
    failing = Pipeline(segmenter=counted, **parts | _breaking(kind, tmp_path))
    with pytest.raises(Exception, match="on purpose"):
        failing.run(named(mask), path, overwrite=True, workers=1)
    assert not before.labels.compute().any()
    first = counted.count()

    (tmp_path / "mended").touch()
    result = failing.run(named(mask), path, overwrite=True, workers=1)
    np.testing.assert_array_equal(result.labels.compute(), whole)
    assert counted.count() == 16 + (kind == "tile"), "only the tile that failed is segmented again"
    assert first <= 16
    assert [entry.name for entry in tmp_path.iterdir() if "tilewright" in entry.name] == []


def _breaking(kind: str, folder: Any) -> dict[str, Any]:
    from truth import BreakingMerger, BreakingWriter

    if kind == "merger":
        return {"merger": BreakingMerger(mended=str(folder / "mended"))}
    return {"writer": BreakingWriter(mended=str(folder / "mended"))} if kind == "writer" else {}


@pytest.mark.slow
@quick
@given(st.integers(0, 99), st.integers(0, 2), st.data())
def test_touch_equals_the_whole_image_for_a_segmenter_that_needs_context(
    seed: int, halo: int, data: st.DataObject
) -> None:
    connectivity = data.draw(st.integers(1, 2))
    pixels = np.random.default_rng(seed).random((60, 60))
    segmenter = Smoothed(connectivity=connectivity)
    tile = data.draw(st.integers(5, 40))
    pipeline = Pipeline(segmenter=segmenter, tiler=Grid(tile=tile, halo=segmenter.halo + halo))
    np.testing.assert_array_equal(pipeline.run(pixels).labels.compute(), segmenter(pixels))


@pytest.mark.parametrize("keep", [True, False])
def test_a_run_that_is_repeated_on_a_stage_that_was_kept_writes_its_output_again(keep: bool, tmp_path: Path) -> None:
    mask = np.random.default_rng(1).random((30, 30)) < 0.5
    counted = Components(calls=tmp_path / "calls")
    pipeline = Pipeline(segmenter=counted, tiler=Grid(tile=10), writer="zarr-array")
    for _ in range(2):
        result = pipeline.run(named(mask), tmp_path / "labels", overwrite=True, keep_checkpoint=keep)
        np.testing.assert_array_equal(result.labels.compute(), ndimage.label(mask)[0])
    assert counted.count() == (9 if keep else 18)
