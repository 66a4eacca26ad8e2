"""Each segmenter of given labels, tile by tile, is the library's function on the whole image."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import expand_labels, watershed

from tilewright import Grid, Image, InvalidLabels, InvalidOption, NotReadable, Pipeline, compare, measure, open_image
from tilewright_filters.combine_labels import CombineLabels
from tilewright_filters.expand import Expand
from tilewright_filters.fill_holes import FillHoles
from tilewright_filters.holes import Holes
from tilewright_filters.keep import Keep
from tilewright_filters.ring import Ring
from tilewright_filters.seeded_watershed import SeededWatershed

pytestmark = pytest.mark.slow

TILES = (4, 7, 16, 31, 50, 64, 200)
SHAPES = {"yx": (61, 75), "zyx": (9, 37, 44)}
SPACING = {"z": 2.0, "y": 0.5, "x": 0.4}
UNITS = dict.fromkeys("zyx", "micrometer")
LARGE = 2**40
Labels = NDArray[np.uint64]


def scattered(axes: str, density: float, seed: int = 0) -> Labels:
    """Single pixels and pairs with ids beyond 32 bits, several parts to an id; many pixels are equally near to two."""
    random = np.random.default_rng(seed)
    ids = random.integers(LARGE, LARGE + 200, SHAPES[axes], np.uint64)
    found = np.where(random.random(SHAPES[axes]) < density, ids, np.uint64(0))
    return np.maximum(found, np.roll(found, 1, -1))


def image_of(pixels: NDArray[Any], axes: str) -> Image:
    return Image(pixels, axes, spacing={axis: SPACING[axis] for axis in axes}, units=UNITS)


def in_tiles(segmenter: Any, pixels: NDArray[Any], axes: str, tile: int, given: dict[str, Labels]) -> Labels:
    image = image_of(pixels, axes)
    result = Pipeline(segmenter=segmenter, tiler=Grid(tile=tile)).run(image, given=given)
    labels: Labels = np.asarray(result.labels)
    assert result.n_objects == len(np.unique(labels[labels > 0]))
    return labels


def ring(labels: Labels, gap: float, distance: float) -> Labels:
    return np.where(expand_labels(labels, gap) > 0, 0, expand_labels(labels, distance))


WHOLE: dict[str, tuple[Any, str, Callable[[Labels], Labels]]] = {
    "expand": (Expand(distance=4), "yx", lambda labels: expand_labels(labels, 4)),
    "expand, between pixels": (Expand(distance=2.9), "yx", lambda labels: expand_labels(labels, 2.9)),
    "expand, far": (Expand(distance=33), "yx", lambda labels: expand_labels(labels, 33)),
    "expand, 3-D": (Expand(distance=3), "zyx", lambda labels: expand_labels(labels, 3)),
    "expand, by spacing": (
        Expand(distance=1.2, unit="micrometer"),
        "yx",
        lambda labels: expand_labels(labels, 1.2, spacing=(0.5, 0.4)),
    ),
    "expand, by spacing, 3-D": (
        Expand(distance=2.0, unit="micrometer"),
        "zyx",
        lambda labels: expand_labels(labels, 2.0, spacing=(2.0, 0.5, 0.4)),
    ),
    "ring": (Ring(distance=4), "yx", lambda labels: ring(labels, 0, 4)),
    "ring, apart": (Ring(distance=5, gap=1.5), "yx", lambda labels: ring(labels, 1.5, 5)),
    "ring, 3-D": (Ring(distance=3, gap=1), "zyx", lambda labels: ring(labels, 1, 3)),
}


@pytest.mark.parametrize("density", [0.0005, 0.01, 0.1])
@pytest.mark.parametrize("case", WHOLE)
def test_labels_grow_in_tiles_as_in_the_whole(case: str, density: float) -> None:
    segmenter, axes, function = WHOLE[case]
    labels = scattered(axes, density)
    whole = function(labels)
    for tile in TILES if density > 0.0005 else TILES[-3:]:
        made = in_tiles(segmenter, np.zeros(SHAPES[axes]), axes, tile, {"nuclei": labels})
        np.testing.assert_array_equal(made, whole, err_msg=f"tiles of {tile}")


@pytest.mark.parametrize("axes", SHAPES)
@pytest.mark.parametrize("method", ["union", "difference", "intersection"])
def test_labels_are_combined_in_tiles_as_in_the_whole(method: Any, axes: str) -> None:
    first, second = scattered(axes, 0.2), scattered(axes, 0.3, seed=1)
    whole = {
        "union": np.where(first, first, second),
        "difference": np.where(second, 0, first),
        "intersection": np.where(second, first, 0),
    }[method]
    for tile in TILES:
        made = in_tiles(
            CombineLabels(method=method, given=("cells", "nuclei")),
            np.zeros(SHAPES[axes]),
            axes,
            tile,
            {"nuclei": second, "cells": first},
        )
        np.testing.assert_array_equal(made, whole)


def test_given_labels_are_named_on_the_command_line_too() -> None:
    segmenter = {"name": "expand", "configuration": {"distance": 2, "given": ["spots"]}}
    labels = scattered("yx", 0.01)
    made = in_tiles(segmenter, np.zeros(SHAPES["yx"]), "yx", 16, {"spots": labels})
    np.testing.assert_array_equal(made, expand_labels(labels, 2))


@pytest.mark.slow
def test_the_command_line_plans_and_runs_with_given_labels(tmp_path: Path) -> None:
    labels, image, nuclei = scattered("yx", 0.01), tmp_path / "image.tif", tmp_path / "nuclei.ome.zarr"
    tifffile.imwrite(image, np.zeros(SHAPES["yx"], np.uint8))
    Pipeline(segmenter=Expand(distance=0)).run(str(image), nuclei, given={"nuclei": labels})
    options = ["--segmenter", "expand", "--set", "distance=3", "--tile", "16", "--given", f"nuclei={nuclei}"]
    for command, more in (("plan", []), ("run", [str(tmp_path / "cells.ome.zarr"), "--quiet"])):
        words = [sys.executable, "-m", "tilewright.cli", command, str(image), *more, *options, "--json"]
        told = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert told["n_objects"] == len(np.unique(labels)) - 1
    made = open_image(tmp_path / "cells.ome.zarr")[...]
    np.testing.assert_array_equal(made, expand_labels(labels, 3))


def test_what_cannot_be_is_refused_with_both_values() -> None:
    for wrong in (Expand, Ring, lambda **options: SeededWatershed(reach=options["distance"])):
        with pytest.raises(InvalidOption, match="must be at least 0, not -1"):
            wrong(distance=-1)
    with pytest.raises(InvalidOption, match=r"gap 5 is larger than distance 4\.0"):
        Ring(distance=4.0, gap=5)
    with pytest.raises(InvalidOption, match="distance is in mm, but the image's spacing along y is in micrometer"):
        in_tiles(Expand(unit="mm"), np.zeros((4, 4)), "yx", 4, {"nuclei": np.ones((4, 4), np.uint64)})


def holed(axes: str) -> Labels:
    """Objects of smoothed noise with large ids, parted where the ids change, with holes of all sizes."""
    random = np.random.default_rng(5)
    inside = ndimage.gaussian_filter(random.random(SHAPES[axes]), 1) > 0.46
    whole, count = ndimage.label(inside)
    ids = np.concatenate([[0], random.permutation(count) + LARGE]).astype(np.uint64)
    return ids[whole]


def filled(labels: Labels) -> Labels:
    """Object by object, by the library's function, without what has another object in it."""
    made = labels.copy()
    parts, _ = ndimage.label(labels == 0)
    for label in np.unique(labels[labels > 0]):
        holes = ndimage.binary_fill_holes(labels == label) & (labels == 0)
        for number in np.unique(parts[holes]):
            hole = parts == number
            if (labels[ndimage.binary_dilation(hole) & ~hole] == label).all():
                made[hole] = label
    return made


def nested(axes: str) -> Labels:
    """Boxes within each other: two of one id around a gap, a gap between two ids, and one that winds to the border."""
    labels = np.zeros(SHAPES[axes], np.uint64)
    for depth, id_ in enumerate([5, 0, 5, 5, 0, 8, 0, 8, 8]):
        inner = tuple(slice(min(depth, n // 3), n - min(depth, n // 3)) for n in labels.shape)
        labels[inner] = LARGE + id_ if id_ else 0
    labels[..., 40:, 12:30] = np.uint64(LARGE + 1)
    labels[..., 44:50, 14] = 0
    labels[..., 44:, 20] = 0
    return labels


@pytest.mark.parametrize("make", [holed, nested])
@pytest.mark.parametrize("axes", SHAPES)
def test_holes_are_filled_in_tiles_as_in_the_whole(axes: str, make: Callable[[str], Labels]) -> None:
    labels = make(axes)
    whole = filled(labels)
    assert (whole != labels).any()
    for tile in TILES:
        made = in_tiles(FillHoles(), np.zeros(SHAPES[axes]), axes, tile, {"nuclei": labels})
        np.testing.assert_array_equal(made, whole, err_msg=f"tiles of {tile}")


def test_a_hole_of_any_size_is_filled_unless_two_objects_lie_around_it() -> None:
    labels = np.zeros((700, 900), np.uint64)
    labels[10:650, 20:880] = LARGE
    labels[20:640, 30:870] = 0  # wider than any tile
    labels[100:300, 100:300], labels[150:200, 150:200] = 3, 0
    labels[400:600, 100:300], labels[420:580, 120:280] = 4, 0
    for opened in (False, True):
        labels[20:640, 450] = 0 if opened else LARGE  # cuts the large hole in two, of which one is without objects
        whole = filled(labels)
        assert whole[180, 180] == 3
        assert whole[300, 600] == (0 if opened else LARGE)
        for tile in (64, 150, 1000):
            made = in_tiles(FillHoles(), np.zeros(labels.shape, np.uint8), "yx", tile, {"nuclei": labels})
            np.testing.assert_array_equal(made, whole)


@pytest.mark.parametrize("block", [2**12, 2**15])
@pytest.mark.parametrize("shape", [(300, 333), (40, 50, 60)])
def test_a_hole_is_one_in_whatever_blocks_it_is_looked_for(shape: tuple[int, ...], block: int) -> None:
    random = np.random.default_rng(5)
    for sigma, level in ((1, 0.46), (4, 0.49)):
        labels = ndimage.label(ndimage.gaussian_filter(random.random(shape), sigma) > level)[0].astype(np.uint64)
        holes = Holes.of(labels.__getitem__, shape, block)
        everything = tuple(slice(0, n) for n in shape)
        np.testing.assert_array_equal(holes.fill(labels, everything, shape), filled(labels))


def test_the_only_plane_of_a_stack_is_filled_as_a_picture() -> None:
    labels = holed("yx")
    made = in_tiles(FillHoles(), np.zeros((1, *labels.shape)), "zyx", 16, {"nuclei": labels[None]})
    np.testing.assert_array_equal(made[0], filled(labels))


def over_time(segmenter: Any, *frames: Labels) -> Labels:
    given = Image(np.stack(frames), "tyx")
    image = Image(np.zeros(given.shape), "tyx")
    result = Pipeline(segmenter=segmenter, tiler=Grid(tile=20)).run(image, given={"nuclei": given})
    return np.asarray(result.labels)


def test_facts_of_objects_are_those_of_their_own_time(tmp_path: Path) -> None:
    one, other = holed("yx"), nested("yx")
    made = over_time(FillHoles(), one, other)
    np.testing.assert_array_equal(made, np.stack([filled(one), filled(other)]))
    one, other = scattered("yx", 0.05), scattered("yx", 0.08, seed=1)
    made = over_time(Keep(min_size=5, max_size=9, border="x"), one, other)
    np.testing.assert_array_equal(made, np.stack([kept(one, 5, 9, "x", "yx"), kept(other, 5, 9, "x", "yx")]))
    measure(Image(np.stack([one, other]), "tyx"), table=tmp_path / "nuclei.csv", measure="size")
    made = over_time(Keep(table=str(tmp_path / "nuclei.csv"), column="area", most=7), one, other)
    np.testing.assert_array_equal(made, np.stack([kept(each, 0, 7, "", "yx") for each in (one, other)]))


# Objects that are kept by a rule


def kept(labels: Labels, least: float, most: float, border: str, axes: str) -> Labels:
    made = labels.copy()
    for label in np.unique(labels):
        own = labels == label
        ends = [np.nonzero(own)[axes.index(axis)] for axis in border]
        at_border = any(
            (end == 0).any() or (end == labels.shape[axes.index(a)] - 1).any()
            for a, end in zip(border, ends, strict=True)
        )
        if at_border or not least <= own.sum() <= most:
            made[own] = 0
    return made


@pytest.mark.parametrize(
    ("axes", "options", "rule"),
    [
        ("yx", {"min_size": 5, "max_size": 11}, (5, 11, "")),
        ("yx", {"border": "all"}, (0, np.inf, "yx")),
        ("yx", {"border": "y", "min_size": 4}, (4, np.inf, "y")),
        ("zyx", {"border": "x", "max_size": 40}, (0, 40, "x")),
        ("zyx", {"border": "yx", "min_size": 12}, (12, np.inf, "yx")),
        ("yx", {"min_size": 1.0, "max_size": 2.2, "unit": "micrometer"}, (5, 11, "")),  # of pixels of 0.2
    ],
)
def test_objects_are_kept_in_tiles_as_in_the_whole(axes: str, options: dict[str, Any], rule: Any) -> None:
    labels = scattered(axes, 0.2 if axes == "zyx" else 0.05)
    if axes == "zyx":
        labels[5:, :, :-2] = 0  # else every object reaches the border
    whole = kept(labels, *rule, axes)
    assert 0 < len(np.unique(whole)) < len(np.unique(labels))
    for tile in TILES:
        made = in_tiles(Keep(**options), np.zeros(SHAPES[axes]), axes, tile, {"nuclei": labels})
        np.testing.assert_array_equal(made, whole, err_msg=f"tiles of {tile}")


@pytest.mark.parametrize(
    "place", ["nuclei.csv", "nuclei.tsv", "nuclei.parquet", "nuclei", "image.ome.zarr/tables/nuclei"]
)
def test_objects_are_kept_by_a_column_of_their_table(place: str, tmp_path: Path) -> None:
    labels, path = scattered("yx", 0.05), tmp_path / place
    Pipeline(segmenter=Expand(distance=0)).run(labels, tmp_path / "image.ome.zarr", given={"nuclei": labels})
    form = "zarr-table" if place == "nuclei" else None
    table = measure(image_of(labels, "yx"), table=path, measure="size", table_format=form)
    areas = table["area"]
    middle = float(np.median(areas))
    chosen = table["label"][(areas >= middle) & (areas <= 2 * middle)]
    keep = Keep(table=str(path), column="area", least=middle, most=2 * middle)
    for tile in TILES:
        made = in_tiles(keep, np.zeros(SHAPES["yx"]), "yx", tile, {"nuclei": labels})
        np.testing.assert_array_equal(made, np.where(np.isin(labels, chosen), labels, 0))
    changed = labels.copy()
    changed[labels == labels.max()] += np.uint64(300)
    moved = np.roll(labels, 1, 0)
    for others in (changed, moved) if path.suffix not in (".csv", ".tsv") else (changed,):
        with pytest.raises(InvalidLabels, match="measure them again"):
            in_tiles(keep, np.zeros(SHAPES["yx"]), "yx", 50, {"nuclei": others})
    with pytest.raises(InvalidOption, match="lacks one of the columns label, girth"):
        in_tiles(Keep(table=str(path), column="girth", least=1), np.zeros(SHAPES["yx"]), "yx", 50, {"nuclei": labels})


def test_rules_that_cannot_be_are_refused_with_both_values(tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"min_size": 9, "max_size": 4}, "max_size 4 is below min_size 9"),
        ({"table": "nuclei.csv", "least": 3}, "table 'nuclei.csv' and column None go together"),
        ({"table": "nuclei.csv", "column": "area"}, "least None and most None are limits of a column, which is 'area'"),
        ({"border": "z"}, "border is 'z', but the image's spatial axes are 'yx'"),
        ({"unit": "mm", "min_size": 1}, "size is in mm, but the image's spacing along y is in micrometer"),
        ({"table": "nuclei.xlsx", "column": "area", "most": 3}, r"must be a folder or end in \.csv, "),
    ]
    for options, words in wrong:
        with pytest.raises(InvalidOption, match=words):
            in_tiles(Keep(**options), np.zeros((4, 4)), "yx", 4, {"nuclei": np.ones((4, 4), np.uint64)})
    missing = Keep(table=str(tmp_path / "none.csv"), column="area", most=3)
    with pytest.raises(NotReadable, match="cannot be read"):
        in_tiles(missing, np.zeros((4, 4)), "yx", 4, {"nuclei": np.ones((4, 4), np.uint64)})


@pytest.mark.parametrize("segmenter", [FillHoles(), Keep(min_size=5, border="x")])
def test_a_run_that_is_stopped_resumes_with_the_same_facts_in_other_processes(segmenter: Any, tmp_path: Path) -> None:
    labels, out = nested("yx"), tmp_path / "out.ome.zarr"
    labels[::9, ::7] = 3
    whole = segmenter(None, given={"nuclei": labels})
    pipeline = Pipeline(segmenter=segmenter, tiler=Grid(tile=16))
    steps: list[str] = []
    with pytest.raises(ZeroDivisionError):
        pipeline.run(labels, out, given={"nuclei": labels}, progress=lambda step, *_: 1 // (step != "write"))
    result = pipeline.run(
        labels,
        out,
        given={"nuclei": labels},
        progress=lambda step, done, total: steps.append(f"{step} {done}/{total}"),
        processes=True,
        workers=2,
    )
    assert "segment 20/20" in steps[0]  # all of them are reused
    np.testing.assert_array_equal(result.labels.compute(), whole)


# Cells that grow from nuclei


def cells(height: int, width: int, count: int) -> NDArray[np.uint16]:
    """A stain of nuclei and one of the cells around them."""
    random = np.random.default_rng(1)
    nuclei, membranes = random.normal(100, 5, (height, width)), random.normal(50, 5, (height, width))
    y, x = np.mgrid[:height, :width]
    for _ in range(count):
        distance = (y - random.uniform(0, height)) ** 2 + (x - random.uniform(0, width)) ** 2
        nuclei += 400 * np.exp(-distance / (2 * 7**2))
        membranes += 200 * np.exp(-distance / (2 * 18**2))
    return np.stack([nuclei, membranes]).astype(np.uint16)


def nuclei_of(pixels: NDArray[Any]) -> NDArray[Any]:
    smooth = ndimage.gaussian_filter(ndimage.median_filter(pixels, 3).astype(float), 2)
    labels: NDArray[Any] = ndimage.label(smooth > 200)[0]
    return labels


nuclei_of.context = 10  # type: ignore[attr-defined]


def test_each_cell_has_its_nucleus_id_in_a_run_after_that_of_the_nuclei() -> None:
    image = Image(cells(1200, 1600, 250), "cyx", channels=("DAPI", "MEM"))
    tiler = Grid(tile=400)
    nuclei = Pipeline(segmenter=nuclei_of, tiler=tiler).run(image, channel="DAPI")
    np.testing.assert_array_equal(nuclei.labels, nuclei_of(image[0]))
    assert nuclei.n_objects == 209
    grown = Pipeline(segmenter=SeededWatershed(threshold=90), tiler=tiler).run(
        image, channel="MEM", given={"nuclei": nuclei}
    )
    seeds, made = np.asarray(nuclei.labels), np.asarray(grown.labels)
    assert grown.n_objects == 209
    np.testing.assert_array_equal(made[seeds > 0], seeds[seeds > 0])
    smooth = ndimage.gaussian_filter(image[1].astype(float), 2)
    whole = watershed(-smooth, seeds.astype(int), mask=(smooth > 90) | (seeds > 0))
    (score,) = compare(whole, made, thresholds=[0.99]).scores
    assert score.ap >= 0.999


def test_every_id_stays_in_tiles_of_any_size_however_large_and_scattered_it_is() -> None:
    labels, pixels = scattered("yx", 0.02), np.random.default_rng(2).integers(0, 200, SHAPES["yx"]).astype(np.uint8)
    for tile in TILES:
        for meet in ("dark", "bright"):
            segmenter = SeededWatershed(threshold=100, sigma=1, meet=meet, reach=10)
            made = in_tiles(segmenter, pixels, "yx", tile, {"nuclei": labels})
            np.testing.assert_array_equal(made[labels > 0], labels[labels > 0])


def test_cells_meet_where_the_image_is_dark_or_bright() -> None:
    pixels = np.array([[5, 5, 9, 5, 5, 2, 5, 5, 5, 5]])
    labels = np.array([[1, 0, 0, 0, 0, 0, 0, 0, 0, 3]], np.uint64)
    dark = SeededWatershed(sigma=0)(pixels, given={"nuclei": labels})
    bright = SeededWatershed(sigma=0, meet="bright")(pixels, given={"nuclei": labels})
    assert 4 <= int((dark == 1).sum()) <= 6
    assert 2 <= int((bright == 1).sum()) <= 3
