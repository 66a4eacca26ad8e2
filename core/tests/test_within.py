"""Runs that are restricted to a region: what is read, what is kept, and what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zarr
from fakes import Recording, squares
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Local
from numpy.typing import NDArray
from scipy import ndimage
from truth import Components, instances, raster_order, voronoi

from tilewright import (
    CheckpointMismatch,
    Grid,
    Image,
    InvalidImage,
    InvalidOption,
    Needs,
    NotReadable,
    Overlap,
    Pipeline,
    TileGrid,
    Touch,
)
from tilewright.abc import Level

Mask = NDArray[np.bool_]
Labels = NDArray[Any]

WHOLE = ("inside", "touching", "centroid")


def named(pixels: NDArray[Any]) -> Image:
    return Image(pixels, axes="zyx"[-pixels.ndim :])


def whole_objects(labels: Labels, region: Mask, rule: str) -> Labels:
    """The objects of a label image that a rule keeps, numbered anew."""
    ids = np.arange(1, labels.max(initial=0) + 1)
    area, within = (ndimage.sum_labels(each, labels, ids) for each in (np.ones(labels.shape), region))
    kept = within == area if rule == "inside" else within > 0
    if rule == "centroid" and len(ids):
        centres = np.array(ndimage.center_of_mass(np.ones(labels.shape), labels, ids))
        kept &= region[tuple(np.rint(centres).astype(int).T)]
    return raster_order(np.where(np.isin(labels, ids[kept]), labels, 0))


def read_tiles(grid: TileGrid, region: Mask) -> Mask:
    """The cores of the tiles in which the region has a pixel."""
    seen = np.zeros(region.shape, bool)
    for tile in grid:
        seen[tile.core] = region[tile.core].any()
    return seen


@st.composite
def cases(draw: st.DrawFn) -> tuple[NDArray[np.bool_], Mask, Grid, int]:
    """An image, a region (of specks, or of larger pieces), tiles, and a connectivity."""
    shape = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    pixels = rng.random(shape) < draw(st.sampled_from([0.3, 0.5, 0.6, 0.8]))
    region = rng.random(shape) < draw(st.sampled_from([0.0, 0.02, 0.1, 0.5, 1.0]))
    if draw(st.booleans()):
        region = ndimage.binary_dilation(region)
    tile, halo = (draw(st.tuples(*[st.integers(*ends)] * len(shape))) for ends in ((1, 7), (0, 4)))
    return pixels, region, Grid(tile=tile, halo=halo), draw(st.integers(1, len(shape)))


@pytest.mark.slow
@settings(max_examples=50)
@given(cases())
def test_clipped_components_are_those_of_the_tiles_that_meet_the_region_cut_at_it(case: Any) -> None:
    pixels, region, tiler, connectivity = case
    pipeline = Pipeline(
        segmenter=Components(connectivity=connectivity), tiler=tiler, merger=Touch(connectivity=connectivity)
    )
    structure = ndimage.generate_binary_structure(pixels.ndim, connectivity)
    seen = read_tiles(tiler(named(pixels), Needs()), region)
    result = pipeline.run(named(pixels), within=named(region))
    expected = raster_order(np.where(region, ndimage.label(pixels & seen, structure)[0], 0))
    np.testing.assert_array_equal(result.labels.compute(), expected)
    assert result.n_objects == expected.max()
    whole = np.where(region, ndimage.label(pixels, structure)[0], 0)
    pairs = np.unique(np.stack([expected[region], whole[region]]), axis=1)  # each object lies in one of the whole image
    assert len(np.unique(pairs[0])) == pairs.shape[1]


@pytest.mark.slow
@settings(max_examples=50)
@given(cases(), st.sampled_from(WHOLE))
def test_whole_components_are_those_of_the_unrestricted_run_that_the_rule_keeps(case: Any, rule: Any) -> None:
    pixels, region, tiler, connectivity = case
    pipeline = Pipeline(
        segmenter=Components(connectivity=connectivity), tiler=tiler, merger=Touch(connectivity=connectivity)
    )
    result = pipeline.run(named(pixels), within=named(region), within_rule=rule)
    whole = pipeline.run(named(pixels)).labels.compute()
    np.testing.assert_array_equal(result.labels.compute(), whole_objects(whole, region, rule))


@pytest.mark.slow
@settings(max_examples=25)
@given(st.data())
def test_small_components_are_clipped_as_the_unrestricted_result_is(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(8, 30), min_size=2, max_size=3))
    pixels = squares(tuple(shape), 7, 4)
    region = np.random.default_rng(data.draw(st.integers(0, 2**32))).random(shape) < 0.01
    region = ndimage.binary_dilation(region, iterations=data.draw(st.integers(0, 6)))
    pipeline = Pipeline(segmenter=Components(), tiler=Grid(tile=data.draw(st.integers(8, 12))))
    whole = pipeline.run(named(pixels)).labels.compute()
    clipped = pipeline.run(named(pixels), within=named(region)).labels.compute()
    seen = read_tiles(pipeline.tiler(named(pixels), Needs()), region)
    cut = [i for i in range(1, whole.max() + 1) if ndimage.label((whole == i) & seen)[1] > 1]  # by tiles never read
    expected = np.where(region, whole, 0)
    apart = np.isin(expected, cut)
    np.testing.assert_array_equal(raster_order(np.where(apart, 0, clipped)), raster_order(np.where(apart, 0, expected)))


@pytest.mark.slow
@settings(max_examples=12)
@given(st.data())
def test_objects_that_overlap_draws_far_from_the_border_are_those_of_the_unrestricted_run(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(20, 40), min_size=2, max_size=2))
    truth = voronoi(shape, data.draw(st.integers(5, 40)), data.draw(st.integers(0, 2**32)))
    region = np.zeros(shape, bool)
    region[: data.draw(st.integers(10, shape[0])), data.draw(st.integers(0, 10)) :] = True
    halo = data.draw(st.integers(1, 3))
    pipeline = Pipeline(
        segmenter=instances, tiler=Grid(tile=data.draw(st.integers(4, 11)), halo=halo), merger=Overlap()
    )
    border = ndimage.binary_dilation(region, np.ones((3, 3))) & ndimage.binary_dilation(~region, np.ones((3, 3)))
    near = ndimage.binary_dilation(border, np.ones((3, 3)), iterations=2 * halo)
    far = ~np.isin(truth, np.unique(truth[near])) & (truth > 0)
    whole = pipeline.run(truth).labels.compute()
    for rule, kept in {"clip": region, **dict.fromkeys(WHOLE, region)}.items():
        got = pipeline.run(truth, within=region, within_rule=rule).labels.compute()  # type: ignore[arg-type]
        np.testing.assert_array_equal(
            raster_order(np.where(far & kept, got, 0)), raster_order(np.where(far & kept, whole, 0)), rule
        )
        assert not got[far & ~kept].any()


def test_an_object_that_the_cut_takes_apart_keeps_one_id() -> None:
    pixels = np.ones((8, 8), np.uint8)
    region = np.zeros((8, 8), bool)
    region[:, 1] = region[:, 6] = True
    labels = Pipeline(segmenter=Components(), tiler=Grid(tile=4)).run(pixels, within=region).labels.compute()
    np.testing.assert_array_equal(labels, region)


def test_tiles_outside_of_the_region_are_not_read_and_leave_no_record(tmp_path: Path) -> None:
    pixels = Recording(squares((80, 80), 8, 5).astype(np.uint8))
    region = np.zeros((80, 80), bool)
    region[22:38, 41:45] = True
    checkpoint = tmp_path / "checkpoint"
    pipeline = Pipeline(segmenter=Components(), tiler=Grid(tile=10, halo=1))
    image = Image(pixels, axes="yx")
    result = pipeline.run(image, within=region, checkpoint_dir=checkpoint, keep_checkpoint=True)
    assert result.n_tiles == 2
    read = np.zeros((80, 80), bool)
    read[19:41, 39:51] = True
    assert not pixels.reads()[~read].any()
    assert sum(path.stat().st_size for path in checkpoint.rglob("*.pack")) < 4_000
    assert result.provenance["within"]["tiles"] == 2


def snake() -> tuple[NDArray[np.uint8], Mask]:
    """An object that leaves the region to the right and goes three tiles on, and one far away."""
    pixels = np.zeros((40, 80), np.uint8)
    pixels[5, 5:38] = 1
    pixels[30, 50:80] = 1
    region = np.zeros((40, 80), bool)
    region[2:9, 2:9] = True
    return pixels, region


@pytest.mark.parametrize(("rule", "tiles", "objects"), [("touching", 4, 1), ("centroid", 4, 0), ("inside", 1, 0)])
def test_tiles_are_read_while_an_object_of_the_region_continues_into_them(rule: Any, tiles: int, objects: int) -> None:
    pixels, region = snake()
    source, pipeline = Recording(pixels), Pipeline(segmenter=Components(), tiler=Grid(tile=10))
    result = pipeline.run(Image(source, axes="yx"), within=region, within_rule=rule)
    assert (result.n_tiles, result.n_objects) == (tiles, objects)
    assert not source.reads()[10:].any()
    assert not source.reads()[:, 10 * tiles :].any()
    forecast = pipeline.plan(pixels, within=region, within_rule=rule)
    assert (forecast.tiles, forecast.most_tiles) == (1, 32)


def test_what_is_planned_is_what_the_region_needs() -> None:
    pixels, region = snake()
    forecast = Pipeline(segmenter=Components(), tiler=Grid(tile=10)).plan(pixels, within=region)
    assert (forecast.tiles, forecast.most_tiles, forecast.overhead) == (1, 1, 100 / 3200)


# Which pixels are the region


def test_a_coarser_mask_serves_by_its_spacing(tmp_path: Path) -> None:
    pixels = np.ones((21, 34), np.uint8)
    coarse = np.zeros((6, 9), bool)
    coarse[1:4, 2:8] = True
    fine = np.kron(coarse, np.ones((4, 4), bool))[:21, :34]
    image = Image(pixels, axes="yx", spacing={"y": 0.5, "x": 0.5}, units=dict.fromkeys("yx", "micrometer"))
    mask = Image(coarse, axes="yx", spacing={"y": 2, "x": 2}, units=dict.fromkeys("yx", "micrometer"))
    for tile in (5, 8, 40):
        labels = Pipeline(segmenter=Components(), tiler=Grid(tile=tile)).run(image, within=mask).labels.compute()
        np.testing.assert_array_equal(labels, fine)


def test_a_level_that_was_rounded_down_serves() -> None:
    mask = Image(np.ones((2, 3), bool), axes="yx", spacing={"y": 4, "x": 4})
    result = Pipeline(segmenter=Components()).run(np.ones((11, 15), np.uint8), within=mask)
    assert result.labels.compute().all()


def test_origins_that_are_stated_count() -> None:
    pixels = np.ones((1, 16), np.uint8)

    def mask(translation: float | None) -> Image:
        level = Level(
            path="0", shape=(1, 4), scale=(1, 4), translation=None if translation is None else (0, translation)
        )
        return Image(np.array([[0, 1, 0, 0]]), axes="yx", spacing={"x": 4}, levels=(level,))

    placed = Level(path="0", shape=(1, 16), scale=(1, 1), translation=(0, 0))
    image = Image(pixels, axes="yx", spacing={"x": 1}, levels=(placed,))
    pipeline = Pipeline(segmenter=Components())
    found = {
        shift: np.flatnonzero(pipeline.run(image, within=mask(shift)).labels.compute()).tolist()
        for shift in (None, 1.5, 0)
    }
    assert found == {None: [4, 5, 6, 7], 1.5: [4, 5, 6, 7], 0: [3, 4, 5, 6]}


def test_the_labels_of_another_run_serve(tmp_path: Path) -> None:
    pixels = squares((30, 30), 10, 6).astype(np.uint8)
    pipeline = Pipeline(segmenter=Components(), tiler=Grid(tile=8))
    for path in (tmp_path / "first.zarr", None):
        first = pipeline.run(pixels, path)
        again = pipeline.run(np.ones((30, 30), np.uint8), within=first)
        np.testing.assert_array_equal(again.labels.compute() > 0, pixels)


def test_a_plane_is_the_region_of_every_plane_and_time() -> None:
    pixels = np.ones((2, 3, 8, 8), np.uint8)
    plane = np.zeros((8, 8), bool)
    plane[2:5, 3:7] = True
    expected = np.broadcast_to(plane, pixels.shape)
    for mask in (plane, Image(plane[np.newaxis, np.newaxis], axes="tzyx")):
        result = Pipeline(segmenter=Components(), tiler=Grid(tile=4)).run(Image(pixels, axes="tzyx"), within=mask)
        np.testing.assert_array_equal(result.labels.compute() > 0, expected)
        assert result.n_objects == 2


def test_objects_of_one_time_do_not_continue_into_another() -> None:
    pixels = np.ones((3, 4, 12), np.uint8)
    region = np.zeros(pixels.shape, bool)
    region[1, 0, 0] = True
    pipeline = Pipeline(segmenter=Components(), tiler=Grid(tile=4))
    image = Image(pixels, axes="tyx")
    result = pipeline.run(image, within=Image(region, axes="tyx"), within_rule="touching")
    assert (result.labels.compute().any(axis=(1, 2)).tolist(), result.n_tiles) == ([False, True, False], 3)
    assert pipeline.plan(image, within=Image(region, axes="tyx"), within_rule="touching").most_tiles == 3


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.ones((20, 30)), r"along x: it has 30 pixels of unknown spacing from 0, the image has 40 pixels"),
        (Image(np.ones((5, 9)), axes="yx", spacing={"y": 4, "x": 4}), r"along x: it has 9 pixels of 4 from 0"),
        (Image(np.ones((3, 20, 40)), axes="zyx"), r"has the axes 'zyx' and the shape \(3, 20, 40\), but the image has"),
        (Image(np.ones((2, 20, 40)), axes="cyx"), r"has 2 channels"),
    ],
)
def test_a_mask_that_does_not_lie_on_the_image_is_refused_with_both_values(
    mask: Any, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidImage, match=words):
        Pipeline(segmenter=Components()).run(np.ones((20, 40), np.uint8), tmp_path / "labels.zarr", within=mask)
    assert list(tmp_path.iterdir()) == []


SQUARE = [[10, 5], [30, 5], [30, 15], [10, 15], [10, 5]]
HOLE = [[12, 7], [14, 7], [14, 9], [12, 9], [12, 7]]
QUPATH = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": "4c0c8f2e-1fd7-4ab2-a2f5-0d1a5c7c9c11",
            "geometry": {"type": "Polygon", "coordinates": [SQUARE, HOLE], "plane": {"c": -1, "z": 0, "t": 0}},
            "properties": {"objectType": "annotation", "classification": {"name": "Tumor", "color": [200, 0, 0]}},
        },
        {
            "type": "Feature",
            "geometry": {
                "type": "MultiPolygon",
                "coordinates": [[[[0, 0], [4, 0], [4, 3]]], [[[32, 12], [38, 12], [38, 18], [32, 18]]]],
            },
            "properties": {"objectType": "annotation"},
        },
    ],
}


def drawn(shape: tuple[int, int] = (20, 40)) -> Mask:
    """The region of `QUPATH`: pixels whose centre lies in a polygon."""
    y, x = (np.indices(shape) + 0.5).astype(float)
    square = (x > 10) & (x < 30) & (y > 5) & (y < 15) & ~((x > 12) & (x < 14) & (y > 7) & (y < 9))
    region: Mask = square | ((x < 4) & (y < 3 * x / 4)) | ((x > 32) & (x < 38) & (y > 12) & (y < 18))
    return region


@pytest.mark.parametrize("tile", [3, 7, 50])
def test_polygons_as_qupath_writes_them_are_the_region(tile: int, tmp_path: Path) -> None:
    path = tmp_path / "tissue.geojson"
    path.write_text(json.dumps(QUPATH))
    pixels, expected = np.ones((2, 20, 40), np.uint8), np.broadcast_to(drawn(), (2, 20, 40))
    pipeline = Pipeline(segmenter=Components(), tiler=Grid(tile=(1, tile, tile)))
    for within in (path, str(path), QUPATH, QUPATH["features"]):
        result = pipeline.run(Image(pixels, axes="zyx"), within=within)
        np.testing.assert_array_equal(result.labels.compute() > 0, expected)
    noted = result.provenance["within"]
    assert (noted["region"], noted["rule"], noted["tiles"]) == ("3 polygons", "clip", result.n_tiles)


def test_polygons_are_lists_of_y_and_x_too() -> None:
    pixels = np.ones((20, 40), np.uint8)
    corners = [(2, 30), (2, 35), (9, 35), (9, 30)]
    pipeline = Pipeline(segmenter=Components())
    expected = np.zeros((20, 40), bool)
    expected[2:9, 30:35] = True

    geometry = SimpleNamespace(__geo_interface__={"type": "Polygon", "coordinates": ([(x, y) for y, x in corners],)})
    for within in ([corners], corners, [np.array(corners)], geometry):
        np.testing.assert_array_equal(pipeline.run(pixels, within=within).labels.compute(), expected)


@pytest.mark.slow
@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(3, 12))
def test_neighbouring_polygons_share_no_pixel_and_leave_none_out(seed: int, corners: int) -> None:
    rng = np.random.default_rng(seed)
    line = np.column_stack([np.linspace(0, 12, corners), rng.integers(0, 24, corners) / 2])
    left, right = ([*map(tuple, line), (12, side), (0, side)] for side in (0, 13))
    pixels = np.ones((12, 13), np.uint8)
    pipeline = Pipeline(segmenter=Components(), tiler=Grid(tile=5))
    sides = [pipeline.run(pixels, within=[side]).labels.compute() > 0 for side in (left, right)]
    assert (sides[0] ^ sides[1]).all()


@pytest.mark.parametrize(
    ("within", "words"),
    [
        ([], "has no polygon"),
        ({"type": "Point", "coordinates": [3, 4]}, "has a Point, which has no area"),
        ({"type": "Feature"}, "a Feature has no 'geometry'"),
        ([[(1, 2), (3, 4)]], r"corners \[\[2.0, 1.0\], \[4.0, 3.0\]\]; give at least 3 finite ones"),
        ([[(1, 2), (3, 4), (5, np.nan)]], "give at least 3 finite ones"),
        ([["a", "b", "c"]], "not pairs of y and x"),
        ([[(50, 2), (60, 2), (60, 9)]], r"lies at y 50 to 60 and x 2 to 9, outside of the image, whose shape is yx"),
        ("nowhere.geojson", "cannot be read: No such file"),
        ("nowhere.zarr", "nowhere.zarr"),
    ],
)
def test_what_is_not_a_region_is_refused_before_any_work(within: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises((InvalidOption, OSError), match=words):
        Pipeline(segmenter=Components()).run(np.ones((20, 40), np.uint8), tmp_path / "labels.zarr", within=within)
    assert list(tmp_path.iterdir()) == []


def test_a_rule_without_a_region_is_refused() -> None:
    with pytest.raises(InvalidOption, match="within_rule is 'inside', but no region is given"):
        Pipeline(segmenter=Components()).run(np.ones((4, 4)), within_rule="inside")


def test_the_region_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "labels.zarr"
    pipeline = Pipeline(segmenter=Components())
    pipeline.run(np.eye(8), path)
    with pytest.raises(InvalidOption, match="would overwrite the image"):
        pipeline.run(np.ones((8, 8), np.uint8), path, within=path, overwrite=True)


# What runs in a region


def test_a_run_that_was_stopped_resumes_and_another_region_is_another_run(tmp_path: Path) -> None:
    pixels = squares((60, 60), 9, 6).astype(np.uint8)
    region = np.zeros((60, 60), bool)
    region[5:45, 12:50] = True
    other = region.copy()
    other[30, 30] = False

    def run(within: Any, stop: int = 99, rule: Any = "touching") -> Any:
        segmenter = Components(calls=tmp_path / "calls")
        return Pipeline(segmenter=segmenter, tiler=Grid(tile=10)).run(
            pixels,
            tmp_path / "labels.zarr",
            within=within,
            within_rule=rule,
            workers=1,
            progress=lambda step, done, total: 1 // (step != "segment" or done < stop),
        )

    with pytest.raises(ZeroDivisionError):
        run(region, stop=7)
    with pytest.raises(CheckpointMismatch, match="the region has other pixels"):
        run(other)
    with pytest.raises(CheckpointMismatch, match="within_rule touching there, clip now"):
        run(region, rule="clip")
    before = (tmp_path / "calls").stat().st_size
    result = run(region)
    assert (tmp_path / "calls").stat().st_size == result.n_tiles >= before
    whole = Pipeline(segmenter=Components()).run(pixels).labels.compute()
    np.testing.assert_array_equal(result.labels.compute(), whole_objects(whole, region, "touching"))


def test_without_its_region_a_run_is_another_run(tmp_path: Path) -> None:
    def run(**options: Any) -> Any:
        return Pipeline(segmenter=Components(), tiler=Grid(tile=4)).run(
            np.eye(12), tmp_path / "labels.zarr", progress=lambda step, *_: 1 // (step != "join"), **options
        )

    region = np.ones((12, 12), bool)
    with pytest.raises(ZeroDivisionError):
        run(within=region)
    with pytest.raises(CheckpointMismatch, match="there the run was restricted to a region"):
        run()
    with pytest.raises(CheckpointMismatch, match=r"run: tiles of \(4, 4\) there, \(5, 5\) now\."):
        Pipeline(segmenter=Components(), tiler=Grid(tile=5)).run(np.eye(12), tmp_path / "labels.zarr", within=region)


def test_a_mask_that_changes_under_the_run_ends_it(tmp_path: Path) -> None:
    region = zarr.create_array(
        tmp_path / "mask.zarr", data=np.ones((20, 20), np.uint8), chunks=(5, 5), dimension_names=["y", "x"]
    )

    def change(step: str, done: int, total: int) -> None:
        if (step, done) == ("segment", 2):
            region[7, 7] = 0

    pipeline = Pipeline(segmenter=Components(), tiler=Grid(tile=5))
    with pytest.raises(NotReadable, match=r"the region .*mask.zarr has changed since the run began"):
        pipeline.run(np.ones((20, 20)), tmp_path / "labels.zarr", within=tmp_path / "mask.zarr", progress=change)
    assert not (tmp_path / "labels.zarr").exists()


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Final ids: that of every pixel."""

    keeps_ids: bool = True

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        return pixels


def test_ids_that_are_kept_stay_and_are_counted_within_the_region() -> None:
    pixels = np.kron(np.arange(1, 17).reshape(4, 4), np.ones((5, 5), int)).astype(np.uint16)
    region = np.zeros((20, 20), bool)
    region[3:12, 6:9] = True
    pipeline = Pipeline(segmenter=Kept(), tiler=Grid(tile=7))
    result = pipeline.run(pixels, within=region)
    np.testing.assert_array_equal(result.labels.compute(), np.where(region, pixels, 0))
    assert result.n_objects == 3
    with pytest.raises(InvalidOption, match=r"within_rule 'inside' keeps whole objects.*Kept.*\(keeps_ids\)"):
        pipeline.run(pixels, within=region, within_rule="inside")


@pytest.mark.parametrize("option", [{"same_ids": True}, {"join_z": True}])
def test_what_joins_parts_that_lie_apart_is_refused_for_whole_objects(option: Any) -> None:
    image, region = Image(np.ones((2, 8, 8), np.uint8), axes="zyx"), np.ones((8, 8), bool)
    pipeline = Pipeline(segmenter=in_slices)
    with pytest.raises(InvalidOption, match=f"keeps whole objects.* with {next(iter(option))} parts"):
        pipeline.run(image, within=region, within_rule="touching", **option)


def in_slices(pixels: NDArray[Any]) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(pixels)[0]
    return labels


in_slices.axes = "yx"  # type: ignore[attr-defined]  # functions take attributes


def test_slices_are_linked_by_whole_objects_and_then_clipped() -> None:
    pixels = np.zeros((3, 12, 12), np.uint8)
    pixels[:, 2:10, 2:10] = 1
    region = np.zeros((12, 12), bool)
    region[4:, 5:7] = True
    image, pipeline = Image(pixels, axes="zyx"), Pipeline(segmenter=in_slices, tiler=Grid(tile=5))
    result = pipeline.run(image, within=region, join_z=0.9)
    np.testing.assert_array_equal(result.labels.compute(), np.where(region, pixels, 0))


def test_empty_tiles_are_skipped_in_the_region_too() -> None:
    pixels = np.zeros((20, 20), np.uint8)
    pixels[3:8, 3:8] = 9
    region = np.ones((20, 20), bool)
    region[:, 15:] = False
    result = Pipeline(segmenter=Components(), tiler=Grid(tile=5)).run(pixels, within=region, empty=3)
    assert (result.n_tiles, result.n_skipped, result.n_objects) == (12, 8, 1)


def test_a_table_measures_what_is_left(tmp_path: Path) -> None:
    pixels = squares((24, 24), 8, 5).astype(np.uint8)
    region = np.zeros((24, 24), bool)
    region[:12] = True
    for rule, areas in {"clip": [25] * 3 + [20] * 3, "touching": [25] * 6, "inside": [25] * 3}.items():
        result = Pipeline(segmenter=Components(), tiler=Grid(tile=6), measure="size").run(
            pixels,
            within=region,
            within_rule=rule,  # type: ignore[arg-type]
        )
        assert result.table is not None
        assert result.table["area"].tolist() == areas, rule


@pytest.mark.parametrize(("rule", "least"), [("clip", 4), ("touching", 9)])
def test_the_least_size_counts_whole_objects(rule: Any, least: int) -> None:
    pixels = np.zeros((12, 12), np.uint8)
    pixels[2:5, 2:5] = pixels[2:5, 7:9] = 1
    region = np.zeros((12, 12), bool)
    region[:4] = True

    @dataclass(frozen=True)
    class Sized(Components):
        min_size: int = 7

    result = Pipeline(segmenter=Sized(), tiler=Grid(tile=6)).run(pixels, within=region, within_rule=rule)
    assert result.n_objects == 1
    assert np.count_nonzero(result.labels.compute()) == (6 if rule == "clip" else 9)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["clip", "touching", "inside"])
@pytest.mark.parametrize("tile", [16, 30])
def test_windows_that_no_tile_of_the_region_needs_are_not_predicted(tile: int, rule: Any, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(600, 800, (120, 130)) * squares((120, 130), 12, 7)
    region = np.zeros(pixels.shape, bool)
    region[20:50, 30:60] = True
    log, pipeline = tmp_path / "log", Pipeline(segmenter=Local(level=650), tiler=Grid(tile=tile, halo=4))
    whole = pipeline.run(pixels).labels.compute()
    watched = Pipeline(segmenter=Local(level=650, log=log), tiler=Grid(tile=tile, halo=4))
    result = watched.run(pixels, within=region, within_rule=rule)
    if rule == "clip":
        assert result.labels.compute()[region].any()
        assert not result.labels.compute()[~region].any()
    else:
        np.testing.assert_array_equal(result.labels.compute(), whole_objects(whole, region, rule))
    windows = log.stat().st_size
    assert windows == result.provenance["n_predicted"]
    (laid,) = Local().windows(Image(pixels, axes="yx"), 0)
    assert windows < len(laid.starts[0]) * len(laid.starts[1])


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["clip", "touching"])
@pytest.mark.parametrize("merger", ["touch", "overlap"])
def test_worker_processes_know_the_region(rule: Any, merger: str, tmp_path: Path) -> None:
    pixels = squares((80, 80), 9, 6).astype(np.uint8)
    mask = np.zeros((20, 20), bool)
    mask[3:9, 5:17] = True
    coarse = Image(mask, axes="yx", spacing={"y": 4, "x": 4})
    pipeline = Pipeline(segmenter=Components(), tiler=Grid(tile=16, halo=8), merger=merger)
    results = [
        pipeline.run(pixels, within=coarse, within_rule=rule, processes=each, workers=2) for each in (True, False)
    ]
    np.testing.assert_array_equal(*(each.labels.compute() for each in results))
    assert results[0].n_objects


def test_a_tiler_may_leave_tiles_out() -> None:
    pixels = np.ones((2, 20, 20), np.uint8)

    def corner(image: Image, needs: Needs) -> TileGrid:
        grid = TileGrid.regular(image.axes, shape=image.shape, tile=(2, 10, 10), halo=(0, 2, 2))
        return TileGrid(axes=grid.axes, cores=grid.cores, halo=grid.halo, left_out=(1, 2))

    expected = np.ones((2, 20, 20), int)
    expected[:, :10, 10:] = expected[:, 10:, :10] = 0
    expected[:, 10:, 10:] = 2
    pipeline = Pipeline(segmenter=Components(), tiler=corner)
    result = pipeline.run(Image(pixels, axes="zyx"))
    np.testing.assert_array_equal(result.labels.compute(), expected)
    assert result.n_tiles == pipeline.plan(Image(pixels, axes="zyx")).tiles == 2
    slices = Pipeline(segmenter=in_slices, tiler=corner).run(Image(pixels, axes="zyx"))
    np.testing.assert_array_equal(slices.labels.compute() > 0, expected > 0)
    region = np.zeros((20, 20), bool)
    region[3, 3] = True
    grown = pipeline.run(Image(pixels, axes="zyx"), within=region, within_rule="touching")
    np.testing.assert_array_equal(grown.labels.compute(), expected == 1)


def test_a_grid_leaves_out_only_tiles_that_it_has() -> None:
    with pytest.raises(InvalidOption, match="tiles 0 to 4 are left out, but the grid has 4 tiles"):
        TileGrid(axes="x", cores=((2, 2, 2, 2),), halo=(0,), left_out=(4, 0))
