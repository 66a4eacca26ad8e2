"""The seam check: it finds what tiling did, whatever it was, and is silent where tiling did nothing."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from networks import Local
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed
from synth import make

from tilewright import Grid, InvalidImage, InvalidOption, Pipeline, SeamCheck, check_seams
from tilewright.cli import main

pytestmark = pytest.mark.slow

Labels = NDArray[Any]

TILE, SIDE = 256, 1024


def components(pixels: Labels) -> Labels:
    return ndimage.label(pixels > 60)[0]


def basins(pixels: Labels) -> Labels:
    """Nuclei that touch, taken apart: a pixel's label depends on those around it."""
    mask = ndimage.gaussian_filter(pixels.astype(float), 1) > 60
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 2)
    peaks = (ndimage.maximum_filter(depth, 9) == depth) & mask
    return watershed(-depth, ndimage.label(peaks, np.ones((3,) * pixels.ndim))[0], mask=mask)


def own_threshold(pixels: Labels) -> Labels:
    """Brighter than most of what the segmenter sees, which is another threshold in each tile."""
    return ndimage.label(pixels > np.percentile(pixels, 60))[0]


def run(pixels: Labels, segmenter: Any, merger: str = "touch", halo: int = 0) -> tuple[Labels, Pipeline]:
    pipeline = Pipeline(segmenter=segmenter, tiler=Grid(tile=TILE, halo=halo), merger=merger)
    return pipeline.run(pixels).labels.compute(), pipeline


@pytest.fixture(scope="module")
def nuclei() -> Labels:
    return make((SIDE, SIDE), "tissue", seed=3)[0]


# What tiling did is found

TILES = [(slice(y, y + TILE), slice(x, x + TILE)) for y in range(0, SIDE, TILE) for x in range(0, SIDE, TILE)]


def with_tile(change: Callable[[Labels], Labels]) -> Callable[[Labels], Labels]:
    """Change the labels of one tile in the middle."""

    def changed(labels: Labels) -> Labels:
        labels = labels.copy()
        labels[TILES[5]] = change(labels[TILES[5]])
        return labels

    return changed


def with_each_tile(change: Callable[[Labels], Labels]) -> Callable[[Labels], Labels]:
    def changed(labels: Labels) -> Labels:
        labels = labels.copy()
        for tile in TILES:
            labels[tile] = change(labels[tile])
        return labels

    return changed


def cleared(labels: Labels) -> Labels:
    """Without the objects that touch the tile's border."""
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.where(np.isin(labels, border), 0, labels)


def framed(labels: Labels) -> Labels:
    """With two pixels of background along the tile's border."""
    inside = np.zeros(labels.shape, bool)
    inside[2:-2, 2:-2] = True
    return np.where(inside, labels, 0)


def apart(labels: Labels) -> Labels:
    """With ids of its own in each tile."""
    row, column = (np.arange(n) // TILE for n in labels.shape)
    return np.where(labels, labels + (row[:, None] * 4 + column) * (labels.max() + 1), 0)


def swapped(labels: Labels) -> Labels:
    """With two tiles in each other's place."""
    labels = labels.copy()
    labels[TILES[5]], labels[TILES[10]] = labels[TILES[10]].copy(), labels[TILES[5]].copy()
    return labels


RUNS: dict[str, dict[str, Any]] = {
    "joined by touch where cells touch": {"segmenter": basins, "merger": "touch", "halo": 48},
    "a halo too small": {"segmenter": basins, "merger": "overlap", "halo": 2},
    "a threshold of each tile's own": {"segmenter": own_threshold},
}
CHANGES = {
    "a shifted tile": with_tile(lambda labels: np.roll(labels, 5, 1)),
    "an empty tile": with_tile(np.zeros_like),
    "a mirrored tile": with_tile(np.fliplr),
    "a transposed tile": with_tile(np.transpose),
    "two tiles in each other's place": swapped,
    "objects lost at tile borders": with_each_tile(cleared),
    "gaps between tiles": with_each_tile(framed),
    "tiles that were not joined": apart,
}


@pytest.mark.parametrize("fault", RUNS)
def test_what_a_wrong_run_did_is_found(nuclei: Labels, fault: str) -> None:
    labels, pipeline = run(nuclei, **RUNS[fault])
    checked = check_seams(labels, nuclei, pipeline=pipeline)
    assert checked.changed, checked
    assert checked.verdict.startswith("Tiling changed these labels")


@pytest.mark.parametrize("segmenter", [(components, "touch", 0), (basins, "overlap", 48)], ids=["components", "basins"])
@pytest.mark.parametrize("fault", CHANGES)
def test_labels_that_are_wrong_at_tiles_are_found(nuclei: Labels, fault: str, segmenter: tuple[Any, str, int]) -> None:
    labels, pipeline = run(nuclei, *segmenter)
    checked = check_seams(CHANGES[fault](labels), nuclei, pipeline=pipeline)
    assert checked.changed, checked


# It is silent where tiling did nothing


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("segmenter", [(components, "touch", 0), (basins, "overlap", 48)], ids=["components", "basins"])
def test_right_labels_raise_no_alarm(seed: int, segmenter: tuple[Any, str, int]) -> None:
    preset = ("sparse", "medium", "dense", "tissue")[seed % 4]
    pixels = make((800, SIDE), preset, seed=100 + seed)[0]
    labels, pipeline = run(pixels, *segmenter)
    checked = check_seams(labels, pixels, pipeline=pipeline, seed=seed)
    assert not checked.changed, checked
    assert checked.verdict.startswith("No effect of tiling was found")
    assert checked.differing == 0


@pytest.mark.parametrize(("merger", "changed"), [("overlap", False), ("touch", True)])
def test_volumes_are_checked_across_all_axes(merger: str, changed: bool) -> None:
    pixels = make((64, 160, 160), "tissue", seed=1)[0]
    pipeline = Pipeline(segmenter=basins, tiler=Grid(tile=(32, 64, 64), halo=16), merger=merger)
    labels = pipeline.run(pixels).labels.compute()
    checked = check_seams(labels, pixels, pipeline=pipeline, seconds=4)
    assert checked.changed == changed, checked
    assert checked.axes == "zyx"


def test_slices_of_a_segmenter_of_planes_are_checked_one_by_one() -> None:
    def planes(pixels: Labels) -> Labels:
        return components(pixels)

    planes.axes = "yx"  # type: ignore[attr-defined]  # what a segmenter declares
    pixels = make((12, 160, 160), "medium", seed=1)[0]
    pipeline = Pipeline(segmenter=planes, tiler=Grid(tile=(1, 64, 64)))
    labels = pipeline.run(pixels, join_z=True).labels.compute()
    checked = check_seams(labels, pixels, pipeline=pipeline)
    assert (checked.changed, checked.differing) == (False, 0)
    assert checked.objects > 50


def test_a_network_is_asked_for_the_windows_of_crops_alone(nuclei: Labels, tmp_path: Path) -> None:
    network = Local(level=60, size=64, halo=8, log=tmp_path / "windows")
    pixels = np.tile(nuclei, (2, 2))
    pipeline = Pipeline(segmenter=network, tiler=Grid(tile=512))
    result = pipeline.run(pixels)
    predicted = (tmp_path / "windows").stat().st_size
    checked = check_seams(result, pixels, pipeline=pipeline, seconds=0)
    assert (tmp_path / "windows").stat().st_size - predicted < predicted / 10
    assert (checked.crops, checked.differing) == (1, 0)


# Where labels came from


@pytest.fixture
def stored(nuclei: Labels, tmp_path: Path) -> Path:
    """Labels of an image in a file, joined by the wrong merger."""
    tifffile.imwrite(tmp_path / "image.tif", nuclei)
    pipeline = Pipeline(segmenter="watershed", tiler=Grid(tile=TILE), merger="touch")
    pipeline.run(tmp_path / "image.tif", tmp_path / "labels.zarr")
    return tmp_path / "labels.zarr"


def invoke(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["seams", *map(str, arguments)])
    return result.exit_code, result.stdout + result.stderr


def test_the_command_knows_from_the_labels_what_made_them(stored: Path) -> None:
    code, printed = invoke(stored, "--json")
    found = json.loads(printed)
    checked = check_seams(stored)
    assert (code, found["labels"], found["verdict"]) == (0, str(stored), checked.verdict)
    assert found["findings"] == [vars(each) for each in checked.findings]
    assert {each["how"] for each in found["differences"]} >= {"fused"}
    lines = invoke(stored)[1].splitlines()
    assert lines[0] == checked.verdict
    assert f"{checked.differing} objects beside seams differ from crops in one piece" in lines


def test_objects_that_differ_lie_at_seams_and_have_their_ids(stored: Path) -> None:
    labels = Pipeline(segmenter="threshold").open(stored).data[:]
    differences = check_seams(stored).differences
    assert differences
    assert all(each.iou < 0.9 for each in differences)
    for each in differences:
        y, x = each.place
        near = labels[max(0, y - 48) : y + 48, max(0, x - 48) : x + 48]
        assert each.label == 0 or (near == each.label).any()
        assert min(min(at % TILE, -at % TILE) for at in each.place) < 48


def test_equal_seeds_give_equal_results_and_other_seeds_other_samples(stored: Path) -> None:
    one, again, other = (check_seams(stored, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one.findings != other.findings
    assert other.changed


def test_labels_of_unknown_origin_are_checked_by_their_geometry_if_their_tiles_are_given(
    stored: Path, tmp_path: Path, nuclei: Labels
) -> None:
    labels = CHANGES["gaps between tiles"](run(nuclei, components)[0])
    tifffile.imwrite(tmp_path / "bare.tif", labels.astype(np.uint16))
    code, printed = invoke(tmp_path / "bare.tif")
    assert (code, "give the core lengths (tile, --tile)" in printed) == (2, True)
    code, printed = invoke(tmp_path / "bare.tif", "--tile", TILE)
    assert (code, printed.splitlines()[0].startswith("Tiling changed these labels")) == (0, True)
    assert "note: the image is not known" in printed
    code, printed = invoke(tmp_path / "bare.tif", "--tile", TILE, "--image", tmp_path / "image.tif")
    assert "note: the labels do not say what made them, so nothing was segmented again; give the pipeline" in printed


def test_a_function_cannot_be_found_again_but_can_be_given(nuclei: Labels) -> None:
    pipeline = run(nuclei, components)[1]
    result = pipeline.run(nuclei)
    assert "comes from no plugin" in check_seams(result, nuclei).note
    assert check_seams(result, nuclei, pipeline=pipeline).crops > 10


def test_one_tile_and_no_objects_say_nothing(nuclei: Labels) -> None:
    labels, pipeline = run(nuclei[:TILE, :TILE], components)
    alone = check_seams(labels, nuclei[:TILE, :TILE], pipeline=pipeline)
    assert alone.verdict == "Nothing can be said: there are no seams between tiles that are wide enough."
    empty = check_seams(np.zeros(nuclei.shape, int), nuclei, pipeline=pipeline)
    assert empty.verdict == "Nothing can be said: there are no objects at seams."
    few = check_seams(run(nuclei[:TILE], components)[0][:, :512], tile=TILE)
    assert few.verdict == "Nothing can be said: 1 seam is too few for a level of 0.001."


@pytest.mark.parametrize(
    ("options", "message"),
    [({"level": 2}, "between 0 and 1, such as 0.001, not 2"), ({"seconds": -1}, "at least 0, not -1")],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        check_seams(np.ones((64, 64), int), tile=32, **options)


def test_labels_of_another_shape_than_the_image_are_refused(nuclei: Labels) -> None:
    labels, pipeline = run(nuclei, components)
    with pytest.raises(InvalidImage, match="has the shape"):
        check_seams(labels[:-1], nuclei, pipeline=pipeline)


def test_memory_does_not_grow_with_the_image() -> None:
    pixels = dask.array.tile(dask.array.from_array(make((512, 512), "tissue", seed=1)[0]), (64, 64))
    labels = pixels // 64  # any numbers
    pipeline = Pipeline(segmenter=components, tiler=Grid(tile=1024))
    tracemalloc.start()
    checked: SeamCheck = check_seams(labels, pixels, pipeline=pipeline, seconds=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert checked.seams > 100
    assert peak < 2**26  # of an image of 2 GB
