"""Previews: what a picture shows is what a run gives at that place."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from networks import Local
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy import ndimage

from tilewright import Image, InvalidOption, Overlap, Pipeline, Preview, Touch
from tilewright.image.drawing import CYAN, composite, edges, fitted

RANDOM = np.random.default_rng(5)
SPOTS = (ndimage.gaussian_filter(RANDOM.random((190, 230)), 2) * 1000).astype(np.uint16)


def blobs(pixels: NDArray[Any]) -> NDArray[Any]:
    return ndimage.label(pixels > 500)[0]


@dataclass(frozen=True, kw_only=True)
class AboveMean:
    """Components above the mean of the whole image, which `prepare` finds."""

    factor: float = 1.0
    level: float | None = None
    min_size: int = 0
    calls: Path | None = None
    axes: str = field(default="yx", init=False)

    def prepare(self, image: Image) -> AboveMean:
        mean = float(np.mean([block.mean() for block in image.sample()]))
        return AboveMean(factor=self.factor, level=mean * self.factor, min_size=self.min_size, calls=self.calls)

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        if self.calls:
            with self.calls.open("a") as file:
                file.write(".")
        return ndimage.label(pixels > self.level)[0]


def assert_as_run(preview: Preview, labels: NDArray[Any], *, apart: bool = False) -> None:
    """The crop has the run's labels there but for their numbers.

    apart: whether parts of one object may have several numbers, which are joined beyond the tiles that are read.
    """
    there = labels[tuple(preview.place.values())]
    np.testing.assert_array_equal(preview.boundaries, edges(there))
    pairs = np.unique(np.stack([preview.labels.ravel(), there.ravel()]), axis=1)
    assert preview.n_objects > 0
    assert len(set(pairs[0])) == pairs.shape[1]
    assert apart or len(set(pairs[1])) == pairs.shape[1]


@pytest.mark.parametrize("at", [(0, 0), (95, 117), (189, 229), (64, 64)])
@pytest.mark.parametrize("tile", [32, 50, 300])
def test_a_preview_has_the_labels_that_a_run_has_at_that_place(at: tuple[int, int], tile: int) -> None:
    pipeline = Pipeline(segmenter=blobs, tiler={"name": "grid", "configuration": {"tile": tile}})
    preview = pipeline.preview(SPOTS, at=at, size=61)
    assert preview.labels.shape == (61, 61)
    assert_as_run(preview, np.asarray(pipeline.run(SPOTS).labels), apart=tile < 300)


@pytest.mark.parametrize("min_size", [0, 20])
def test_a_preview_is_prepared_on_the_whole_image_and_leaves_out_what_a_run_does(min_size: int) -> None:
    image = SPOTS.copy()
    image[:, :100] += 400
    pipeline = Pipeline(
        segmenter=AboveMean(factor=0.9, min_size=min_size), tiler={"name": "grid", "configuration": {"tile": 40}}
    )
    assert_as_run(pipeline.preview(image, at=(100, 160), size=70), np.asarray(pipeline.run(image).labels))


def test_objects_that_tiles_see_twice_are_drawn_as_in_a_run(caplog: pytest.LogCaptureFixture) -> None:
    tiler = {"name": "grid", "configuration": {"tile": 40, "halo": 12}}
    pipeline = Pipeline(segmenter=blobs, merger=Overlap(), tiler=tiler)
    preview = pipeline.preview(SPOTS, at=(90, 90), size=80)
    assert not caplog.records  # of tiles whose neighbours are missing
    assert_as_run(preview, np.asarray(pipeline.run(SPOTS).labels))


def test_a_preview_of_a_stack_is_one_plane_of_it() -> None:
    stack = (ndimage.gaussian_filter(RANDOM.random((12, 60, 70)), 1.5) * 1000).astype(np.uint16)
    pipeline = Pipeline(segmenter=blobs, merger=Touch(), tiler={"name": "grid", "configuration": {"tile": (4, 32, 32)}})
    preview = pipeline.preview(stack, at=(7, 30, 30), size=50)
    assert preview.place["z"] == slice(7, 8)
    assert preview.image.shape == preview.labels.shape == (50, 50)
    there = np.asarray(pipeline.run(stack).labels)[7][preview.place["y"], preview.place["x"]]
    np.testing.assert_array_equal(preview.boundaries, edges(there))


def test_without_a_plane_that_with_signal_is_shown() -> None:
    stack = np.zeros((30, 64, 64), np.uint16)
    stack[19:23, 20:40, 20:40] = 900
    preview = Pipeline(segmenter=blobs).preview(stack, at=(30, 30), size=40)
    assert 19 <= preview.place["z"].start < 23
    assert preview.n_objects == 1


@pytest.mark.parametrize("shape", [(900, 1100), (2600, 2600)])
def test_without_a_place_it_is_where_the_pixels_vary(shape: tuple[int, int]) -> None:
    image = np.zeros(shape, np.uint16)
    image[-400:, -400:] = np.tile(SPOTS, (3, 2))[:400, :400]
    preview = Pipeline(segmenter=blobs).preview(Image(image, axes="yx"), size=200)
    assert preview.n_objects > 0
    assert preview.place["y"].start >= shape[0] - 500


def test_a_preview_of_a_virtual_image_segments_the_tiles_of_the_crop_alone(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "large.zarr", shape=(100_000, 100_000), chunks=(1000, 1000), dtype="uint16")
    array[70_000:70_190, 20_000:20_230] = SPOTS
    calls = tmp_path / "calls"
    pipeline = Pipeline(segmenter=AboveMean(calls=calls), tiler={"name": "grid", "configuration": {"tile": 1024}})
    preview = pipeline.preview(array, at=(70_095, 20_115), size=512)
    assert preview.n_objects > 0
    assert len(calls.read_text()) <= 4


@pytest.mark.parametrize("axes", ["xy", "cyx", "tyx", "x"])
def test_a_picture_is_rows_and_columns_whatever_the_axes(axes: str) -> None:
    shape = {"xy": (60, 40), "cyx": (3, 40, 60), "tyx": (3, 40, 60), "x": (60,)}[axes]
    pixels = np.zeros(shape, np.uint16)
    pixels[..., 10:20] = 900
    preview = Pipeline(segmenter=blobs).preview(Image(pixels, axes=axes), channel=1 if axes == "cyx" else None)
    assert preview.image.shape == preview.labels.shape == ((1, 60) if axes == "x" else (40, 60))
    assert preview.n_objects == 1


def test_a_place_is_y_and_x_whatever_the_order_of_the_axes() -> None:
    preview = Pipeline(segmenter=blobs).preview(Image(SPOTS.T, axes="xy"), at=(120, 40), size=50)
    np.testing.assert_array_equal(preview.image, SPOTS[95:145, 15:65])


def test_options_of_decoding_are_tried_without_calling_the_network_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    sweep = Pipeline(segmenter=Local(log=log)).sweep(SPOTS, {"level": [480.0, 500.0, 520.0]}, at=(90, 90), size=64)
    windows = len(log.read_text())
    log.unlink()
    Pipeline(segmenter=Local(log=log, level=500.0)).preview(SPOTS, at=(90, 90), size=64)
    assert windows == len(log.read_text()) > 0
    for preview in sweep.previews:
        alone = Pipeline(segmenter=Local(level=preview.options["level"])).preview(SPOTS, at=(90, 90), size=64)
        np.testing.assert_array_equal(preview.labels, alone.labels)


def test_other_options_than_those_of_decoding_call_the_network_for_each(tmp_path: Path) -> None:
    log = tmp_path / "log"
    Pipeline(segmenter=Local(log=log, level=500.0)).sweep(SPOTS, {"size": [16]}, at=(90, 90), size=64)
    once = len(log.read_text())
    Pipeline(segmenter=Local(log=log, level=500.0)).sweep(SPOTS, {"size": [16, 20]}, at=(90, 90), size=64)
    assert len(log.read_text()) > 2 * once


def test_the_first_option_of_a_sweep_goes_across_and_the_others_down() -> None:
    sweep = Pipeline(segmenter=AboveMean()).sweep(SPOTS, {"factor": [1, 1.1, 1.2], "min_size": [0, 30]}, size=80)
    rows = [tuple(each.options.values()) for each in sweep.previews]
    assert sweep.columns == 3
    assert rows == [(1, 0), (1.1, 0), (1.2, 0), (1, 30), (1.1, 30), (1.2, 30)]
    assert len({str(each.place) for each in sweep.previews}) == 1
    page = np.asarray(Pillow.open(io.BytesIO(sweep._repr_png_())))
    assert page.shape[1] > 3 * 400
    assert page.shape[0] > 2 * 400


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": (190, 0)}, "at has y 190, but the image has 190 pixels along y; give one from 0 to 189"),
        ({"at": (0, -1)}, "at has x -1, but the image has 230 pixels along x; give one from 0 to 229"),
        ({"at": (1, 2, 3)}, r"at has 3 entries \(1, 2, 3\), but the image has the axes 'yx'; give y, x"),
        ({"at": (5,)}, r"at has 1 entries \(5\), but the image has the axes 'yx'; give y, x"),
        ({"size": 0}, "size must be a whole number of at least 1, not 0"),
        ({"size": 5000}, "size must be at most 4096, not 5000"),
        ({"channel": 3}, "channel"),
    ],
)
def test_a_place_outside_of_the_image_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        Pipeline(segmenter=blobs).preview(SPOTS, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factr": [1]}, "has no option 'factr'; did you mean 'factor'"),
        ({"factor": ["high"]}, "factor must be a number, not 'high'"),
        ({"factor": []}, r"sweep has factor=\[\]; give the values to try"),
        ({"factor": [*range(9)], "min_size": [*range(8)]}, "72 pictures .9 of factor × 8 of min_size., but at most 64"),
        ({}, "sweep has no option; give one with the values to try"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        Pipeline(segmenter=AboveMean()).sweep(SPOTS, options)


def test_a_function_has_no_options_to_sweep() -> None:
    with pytest.raises(InvalidOption, match="has no options"):
        Pipeline(segmenter=blobs).sweep(SPOTS, {"sigma": [1]})


def test_sizes_are_of_objects_that_are_whole_in_the_crop() -> None:
    labels = np.zeros((20, 20), np.uint32)
    labels[0:9, 0:9], labels[12:14, 12:15], labels[5:6, 12:14] = 1, 2, 3
    place = {"y": slice(40, 60), "x": slice(0, 20)}
    preview = Preview(image=labels, labels=labels, place=place, name="a")
    assert (preview.n_objects, preview.median_area) == (3, 4.0)
    assert repr(preview) == "Preview(y 40:60, x 0:20: 3 objects, median area 4 px)"
    empty = Preview(image=labels, labels=labels * 0, place=place)
    assert (empty.n_objects, empty.median_area) == (0, 0.0)


def test_a_saved_picture_has_outlines_over_the_image_and_a_caption(tmp_path: Path) -> None:
    preview = Pipeline(segmenter=blobs).preview(SPOTS, size=150, at=(90, 90))
    path = preview.save(tmp_path / "spots.png")
    picture = np.asarray(Pillow.open(path))
    drawn = (picture[:900, :900] == CYAN).all(axis=-1)
    np.testing.assert_array_equal(drawn, edges(preview.labels.repeat(6, axis=0).repeat(6, axis=1)))
    assert (picture[900:].min(axis=(1, 2)) < 100).any()
    assert [each.name for each in tmp_path.iterdir()] == ["spots.png"]
    with pytest.raises(InvalidOption, match=r"'spots.jpg' ends in '.jpg'; end it in .png"):
        preview.save("spots.jpg")
    with pytest.raises(InvalidOption, match="does not exist; make it"):
        preview.save(tmp_path / "nowhere" / "spots.png")


def test_without_pillow_one_line_says_what_to_install() -> None:
    code = "import sys; sys.modules['PIL'] = None; from tilewright.cli import main; main()"
    command = [sys.executable, "-c", code, "preview", "image.tif", "--segmenter", "any"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.endswith("install what they need: pip install 'tilewright[report]'")


@pytest.mark.parametrize("side", [60, 20])
def test_pixels_that_are_no_numbers_are_black_and_darken_no_others(side: int) -> None:
    pixels = np.tile(np.linspace(0, 1, 60), (60, 1))
    whole = composite([pixels], side)
    pixels[:30] = np.nan
    picture = composite([pixels], side)
    assert not picture[: side // 2 - 1].any()
    np.testing.assert_array_equal(picture[side // 2 + 1 :], whole[side // 2 + 1 :])


def test_channels_have_colors_and_labels_of_a_large_part_stay_labels() -> None:
    pixels = np.zeros((2, 3000, 40), np.uint16)
    pixels[0, :, :20], pixels[1, :, 20:] = 9, 9
    picture = composite(list(pixels), 1000)
    assert picture.shape == (1000, 13, 3)
    assert [tuple(each) for each in picture[500, [2, 11]]] == [(255, 0, 200), (110, 200, 0)]
    labels = fitted(np.repeat([[3], [9]], 1500, axis=0).repeat(40, axis=1), 1000, mean=False)
    assert set(np.unique(labels)) == {3, 9}
