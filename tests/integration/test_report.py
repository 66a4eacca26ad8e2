"""The page about a label image: its figures are the table's, and it needs nothing but itself."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from functions.nuclei import DATA
from numpy.typing import NDArray
from PIL import Image as Picture

from tilewright import Grid, Image, Pipeline, Result, check_seams, measure
from tilewright.cli import main
from tilewright.errors import InvalidImage, InvalidLabels, InvalidOption
from tilewright.image.drawing import edges, outlined, stretched
from tilewright.report import report
from tilewright.report.planes import Planes, sampled

MEASURES = [{"name": "size", "configuration": {"properties": ["basic", "ellipse"]}}, "intensity"]


def bright(pixels: NDArray[Any]) -> NDArray[Any]:
    from scipy import ndimage

    labels: NDArray[Any] = ndimage.label(pixels > 60)[0]
    return labels


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Labels of real nuclei, with their table, beside their image."""
    import tifffile

    folder = tmp_path_factory.mktemp("report")
    pixels = tifffile.imread(DATA / "img2d.tif")[:400, :500]
    zarr.create_array(folder / "image.zarr", data=pixels, chunks=(128, 128), dimension_names="yx")
    pipeline = Pipeline(segmenter=bright, tiler=Grid(tile=96), writer="ome-zarr", measure=MEASURES)
    return pipeline.run(folder / "image.zarr", folder / "cells.ome.zarr", table=folder / "cells.parquet")


def facts_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_every_figure_is_the_tables(run: Result) -> None:
    made = report(run.path)
    table = measure(run.path, Path(run.path).parent / "image.zarr", measure=MEASURES)
    assert made.facts["n_objects"] == len(table) == run.n_objects
    for name in ("num_pixels", "area", "extent", "eccentricity", "intensity_mean"):
        values = table[name]
        assert made.facts["figures"][name] == [values.min(), np.median(values), values.max()]
    assert made.facts["seconds"] == {step: round(run.seconds[step], 3) for step in made.facts["seconds"]}
    assert facts_of(made.html) == json.loads(json.dumps(made.facts))
    for text in (f"{run.n_objects:,}", f"{run.n_tiles:,}", "Objects across a seam"):
        assert text in made.html


def test_it_needs_nothing_but_itself(run: Result) -> None:
    page = report(run.path).html
    assert not re.search(r"https?://|<link|@import|url\(", page)
    assert re.findall(r"<script[^>]*>", page) == ['<script type="application/json" id="facts">']
    assert set(re.findall(r'src="([a-z]+:)', page)) == {"data:"}


@pytest.mark.slow
def test_a_table_that_is_measured_gives_the_same_page_as_the_runs(run: Result, tmp_path: Path) -> None:
    own = measure(run.path, Path(run.path).parent / "image.zarr", tmp_path / "own.parquet", measure=MEASURES)
    assert report(run.path, table=own.path).html == report(run.path).html


def test_what_repeats_the_run_gives_the_same_labels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (90, 90)).astype(np.uint8)
    zarr.create_array(tmp_path / "image.zarr", data=pixels, dimension_names="yx")
    pipeline = Pipeline(segmenter={"name": "threshold", "configuration": {"sigma": 1.0}}, tiler=Grid(tile=32))
    first = pipeline.run(tmp_path / "image.zarr", tmp_path / "cells.ome.zarr")
    before = first.labels[...]
    page = report(first.path).html
    file, command = re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)
    (tmp_path / "pipeline.json").write_text(file.replace("&#34;", '"'), encoding="utf-8")
    arguments = command.replace("pipeline.json", str(tmp_path / "pipeline.json")).split()[1:]
    assert CliRunner().invoke(main, arguments, catch_exceptions=False).exit_code == 0
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "cells.ome.zarr", mode="r")["0"][...], before)


@pytest.mark.slow
def test_it_says_what_tiling_did(run: Result, tmp_path: Path) -> None:
    checked = check_seams(run.path)
    made = report(run.path)
    assert made.facts["seams"] == checked.plain()
    assert checked.verdict in made.html
    assert "What tiling did" not in report(run.path, seams=False).html
    zarr.create_array(tmp_path / "labels.zarr", data=np.ones((40, 60), np.uint16), dimension_names="yx")
    assert "It was not checked: the labels do not say in which tiles" in report(tmp_path / "labels.zarr").html


@pytest.mark.slow
def test_objects_that_tiling_changed_are_shown(tmp_path: Path) -> None:
    pixels = np.zeros((512, 512), np.uint8)
    y, x = np.mgrid[:512, :512]
    pixels[(y % 24 - 12) ** 2 + (x % 24 - 12) ** 2 < 90] = 200
    zarr.create_array(tmp_path / "image.zarr", data=pixels, dimension_names="yx")
    pipeline = Pipeline(segmenter={"name": "threshold", "configuration": {"threshold": 100}}, tiler=Grid(tile=128))
    result = pipeline.run(tmp_path / "image.zarr", tmp_path / "cells.ome.zarr")
    labels = zarr.open_group(result.path, mode="r+")["0"]
    labels[124:132] = 0  # as a tile whose margin is lost
    labels[:, 252:260] = 0
    page = report(result.path).html
    assert "Tiling changed these labels" in page
    assert "Objects beside seams that are others in one piece" in page


def test_labels_of_another_run_do_not_get_this_table(run: Result, tmp_path: Path) -> None:
    other = Pipeline(segmenter=lambda pixels: pixels > 90, tiler=Grid(tile=64)).run(
        Path(run.path).parent / "image.zarr", tmp_path / "other.ome.zarr"
    )
    with pytest.raises(InvalidLabels, match="the table was made of labels with the fingerprint"):
        report(other.path, table=Path(run.path).parent / "cells.parquet")


def test_without_an_image_there_are_outlines(tmp_path: Path) -> None:
    labels = np.zeros((40, 60), np.uint16)
    labels[3:9, 4:20] = 7
    zarr.create_array(tmp_path / "labels.zarr", data=labels, dimension_names="yx")
    made = report(tmp_path / "labels.zarr")
    assert made.facts["n_objects"] == 1
    assert made.facts["image"] == ""
    assert "Make it again" not in made.html


@pytest.mark.parametrize("shape", [(3, 40, 60), (2, 3, 40, 60)])
def test_stacks_and_series_have_a_page(shape: tuple[int, ...], tmp_path: Path) -> None:
    labels = np.zeros(shape, np.uint16)
    labels[..., 1, 5:30, 5:40] = 3
    zarr.create_array(tmp_path / "labels.zarr", data=labels, dimension_names="tzyx"[-len(shape) :])
    assert report(tmp_path / "labels.zarr").facts["n_objects"] == (1 if len(shape) == 3 else 2)


def test_labels_without_objects_have_a_page(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "labels.zarr", data=np.zeros((40, 60), np.uint16), dimension_names="yx")
    made = report(tmp_path / "labels.zarr")
    assert made.facts["n_objects"] == 0
    assert "Distributions" not in made.html


def test_names_of_files_are_text_in_the_page(tmp_path: Path) -> None:
    path = tmp_path / "<img src=x onerror=alert(1)>.zarr"
    zarr.create_array(path, data=np.ones((8, 8), np.uint16), dimension_names="yx")
    page = report(path).html
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_an_image_that_is_gone_is_named(run: Result, tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "image.zarr", data=np.eye(64, dtype=np.uint8) * 99, dimension_names="yx")
    made = Pipeline(segmenter=bright, tiler=Grid(tile=32)).run(tmp_path / "image.zarr", tmp_path / "cells.ome.zarr")
    (tmp_path / "image.zarr").rename(tmp_path / "elsewhere.zarr")
    assert "The image is not shown: " in report(made.path).html
    assert "The image is not shown: " not in report(made.path, tmp_path / "elsewhere.zarr").html


def test_what_it_cannot_show_is_refused(run: Result, tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "line.zarr", data=np.ones(9, np.uint8), dimension_names="x")
    with pytest.raises(InvalidImage, match="has axes 'x', but a report shows planes of y and x"):
        report(tmp_path / "line.zarr")
    bare = measure(
        run.path,
        table=tmp_path / "bare.parquet",
        measure={"name": "size", "configuration": {"properties": ["num_pixels"]}},
    )
    with pytest.raises(InvalidOption, match="has no column 'bbox-0'; measure size too"):
        report(run.path, table=bare.path)


def test_the_command_writes_the_page(run: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(main, ["report", str(run.path)], catch_exceptions=False)
    assert told.output == f"report: {tmp_path / 'cells.report.html'}\n"
    assert facts_of((tmp_path / "cells.report.html").read_text(encoding="utf-8"))["n_objects"] == run.n_objects


def test_a_run_writes_the_page_too(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "image.zarr", data=np.kron(np.eye(2), np.full((32, 32), 99)), dimension_names="yx")
    arguments = [str(tmp_path / "image.zarr"), str(tmp_path / "cells.ome.zarr"), "--segmenter", "threshold", "--quiet"]
    told = CliRunner().invoke(main, ["run", *arguments, "--report", str(tmp_path / "page.html")])
    assert told.exit_code == 0
    assert facts_of((tmp_path / "page.html").read_text(encoding="utf-8"))["n_objects"] == 2
    refused = CliRunner().invoke(main, ["run", *arguments, "--report", "page.html", "--dry-run"])
    assert refused.exit_code == 2
    assert "--report is for one run on one image" in refused.stderr


# What is drawn


def test_edges_are_the_pixels_of_objects_beside_something_else() -> None:
    labels = np.zeros((7, 9), np.int64)
    labels[1:6, 1:5] = 3
    labels[1:6, 5:8] = 4
    expected = labels > 0
    expected[2:5, 2:4] = False
    expected[2:5, 6] = False
    np.testing.assert_array_equal(edges(labels), expected)
    whole = np.full((4, 4), 9)
    assert not edges(whole).any()  # the border of the picture is not one of the object


def test_the_chosen_object_stands_out() -> None:
    labels = np.kron([[1, 0, 2]], np.ones((4, 4), int))
    picture = outlined(np.zeros((4, 12), np.uint8), labels, chosen=2)
    assert {tuple(each) for each in picture[labels == 2]} - {(0, 0, 0)} == {(255, 176, 0)}
    assert {tuple(each) for each in picture[labels == 1]} - {(0, 0, 0)} == {(80, 220, 255)}


def test_grey_values_go_from_black_to_white() -> None:
    grey = stretched(np.array([[-5.0, 0.0, 50.0, 100.0, 200.0, np.nan]]), 0, 100)
    np.testing.assert_array_equal(grey, [[0, 0, 127, 255, 255, 0]])


@pytest.mark.parametrize("axes", ["yx", "xy", "zyx", "tzyx", "yzx"])
def test_rows_and_columns_are_taken_of_any_order_of_axes(axes: str) -> None:
    shape = {"t": 2, "z": 3, "y": 50, "x": 70}
    pixels = np.arange(np.prod([shape[axis] for axis in axes])).reshape([shape[axis] for axis in axes])
    rows, columns = np.array([3, 4, 20, 49]), np.array([0, 10, 69])
    at = {"t": 1, "z": 2}
    index = tuple(at[axis] if axis in at else slice(None) for axis in axes)
    plane = pixels[index] if axes.index("y") < axes.index("x") else pixels[index].T
    np.testing.assert_array_equal(sampled(Image(pixels, axes), at, rows, columns), plane[np.ix_(rows, columns)])


def test_an_overview_has_900_pixels_at_most_and_shows_the_whole() -> None:
    labels = np.zeros((2000, 1000), np.uint8)
    labels[:, :500] = 1
    overview = Planes(labels=(Image(labels, "yx"),)).overview()
    assert overview is not None
    assert overview.shape == (900, 450, 3)
    np.testing.assert_array_equal(np.flatnonzero(overview.any(axis=(0, 2))), [224])


def test_an_object_of_a_stack_is_shown_in_the_plane_that_has_most_of_it() -> None:
    labels = np.zeros((9, 40, 40), np.uint8)
    labels[1:8, 10, 10] = 5
    labels[6, 8:20, 8:20] = 5
    box = {"z": slice(1, 8), "y": slice(8, 20), "x": slice(8, 20)}
    crop = Planes(labels=(Image(labels, "zyx"),)).crop(box, 0, 5)
    expected = Planes(labels=(Image(labels[6], "yx"),)).crop(box, 0, 5)
    np.testing.assert_array_equal(crop, expected)


def test_pictures_of_the_page_are_png_files(run: Result) -> None:
    data = re.findall(r'src="data:image/png;base64,([^"]+)"', report(run.path).html)
    sizes = {Picture.open(io.BytesIO(base64.b64decode(each))).size for each in data}
    assert all(1 <= side <= 900 for size in sizes for side in size)
