"""Tissue on a coarse level of a slide, and a run that is restricted to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Grid, Image, Pipeline, open_image
from tilewright.errors import InvalidOption
from tilewright_threshold.tissue import Tissue

SIDE = 1024
LEVELS = 4


def tissue_of_the_slide() -> NDArray[np.bool_]:
    """A large piece with a bay and a hole, a small one, and a speck of dirt."""
    y, x = np.indices((SIDE, SIDE))
    large = ((y - 420) / 260) ** 2 + ((x - 430) / 330) ** 2 < 1
    bay = (y - 160) ** 2 + (x - 430) ** 2 < 80**2
    hole = (y - 430) ** 2 + (x - 300) ** 2 < 60**2
    small = (y - 860) ** 2 + (x - 830) ** 2 < 90**2
    dirt = (abs(y - 100) < 12) & (abs(x - 950) < 12)
    mask: NDArray[np.bool_] = (large & ~bay & ~hole) | small | dirt
    return mask


def slide() -> NDArray[np.uint8]:
    """Pink tissue with purple nuclei on grey, unevenly lit glass, (c, y, x)."""
    rng = np.random.default_rng(4)
    light = np.linspace(225, 245, SIDE)
    pixels = np.broadcast_to(light, (3, SIDE, SIDE)) + rng.normal(0, 3, (3, SIDE, SIDE))
    tissue = tissue_of_the_slide()
    nuclei = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 4) > 0.12
    eosin, blue = np.array([10, 80, 40]), np.array([120, 150, 70])
    pixels = pixels - tissue * eosin[:, None, None] - (tissue & nuclei) * blue[:, None, None]
    return pixels.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The slide as an OME-Zarr with levels of block means, which say where their pixels lie."""
    path = tmp_path_factory.mktemp("slide") / "slide.ome.zarr"
    group, pixels, datasets = zarr.open_group(path, mode="w"), slide(), []
    for number in range(LEVELS):
        factor = 2**number
        level = pixels.reshape(3, SIDE // factor, factor, SIDE // factor, factor).mean(axis=(2, 4)).astype(np.uint8)
        group.create_array(str(number), data=level, chunks=(3, 128, 128))
        scale, offset = 0.5 * factor, 0.25 * (factor - 1)
        placed = [
            {"type": "scale", "scale": [1, scale, scale]},
            {"type": "translation", "translation": [0, offset, offset]},
        ]
        datasets.append({"path": str(number), "coordinateTransformations": placed})
    axes: list[dict[str, str]] = [{"name": "c", "type": "channel"}]
    axes += [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"name": "slide", "axes": axes, "datasets": datasets}]}
    return path


def run(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tilewright.cli", "run", *words, "--quiet"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.slow
def test_nuclei_are_found_within_the_tissue_of_a_coarse_level(store: Path) -> None:
    run(str(store), "--segmenter", "tissue", "--level", "3", "--name", "tissue", "--set", "fill_holes=0")
    tissue = open_image(store / "labels" / "tissue")
    assert (tissue.shape, len(np.unique(tissue[...]))) == ((SIDE // 8, SIDE // 8), 3)  # background and two pieces
    fine = np.kron(tissue[...] > 0, np.ones((8, 8), bool))
    truth = tissue_of_the_slide()
    truth[80:120, 930:970] = False  # the speck is too small
    assert np.count_nonzero(fine & truth) / np.count_nonzero(fine | truth) > 0.93

    nuclei = (
        "--segmenter",
        "threshold",
        "--set",
        "threshold=90",
        "--set",
        "dark=true",
        "--channel",
        "1",
        "--tile",
        "128",
    )
    words = run(str(store), "--name", "nuclei", *nuclei, "--within", str(store / "labels" / "tissue"))
    assert "in 64 tiles" not in words
    labels = open_image(store / "labels" / "nuclei")[...]
    threshold: Any = {"name": "threshold", "configuration": {"threshold": 90, "dark": True}}
    whole = Pipeline(segmenter=threshold, tiler=Grid(tile=128)).run(store, store.parent / "all.zarr", channel=1)
    np.testing.assert_array_equal(labels > 0, (whole.labels.compute() > 0) & fine)


def test_polygons_are_in_pixels_of_the_finest_level(store: Path, tmp_path: Path) -> None:
    polygon = [(200, 100), (200, 708), (648, 708), (648, 100)]  # y, x
    regions = [
        Pipeline(segmenter="tissue").run(store, tmp_path / f"{level}.zarr", level=level, within=[polygon])
        for level in (1, 2)
    ]
    for factor, result in zip((2, 4), regions, strict=True):
        rows, columns = np.nonzero(result.labels.compute())
        assert (rows.min(), rows.max(), columns.max()) == (200 // factor, 648 // factor - 1, 708 // factor - 1)


def test_holes_are_filled_up_to_their_size(store: Path) -> None:
    image = open_image(store, reader={"name": "ome-zarr", "configuration": {"level": 3}})
    plain, full = (Tissue(fill_holes=n).prepare(image)(image[...]) > 0 for n in (0, 32))
    assert not plain[54, 37]
    assert full[54, 37]
    assert not full[20, 54], "the bay is open"


@pytest.mark.parametrize("tile", [20, 33])
def test_in_tiles_it_is_the_tissue_of_the_whole(store: Path, tile: int, tmp_path: Path) -> None:
    image = open_image(store, reader={"name": "ome-zarr", "configuration": {"level": 3}})
    whole = Pipeline(segmenter="tissue").run(image, tmp_path / "whole.zarr").labels.compute()
    assert whole.max() == 2
    tiled = Pipeline(segmenter="tissue", tiler=Grid(tile=tile)).run(image, tmp_path / "tiled.zarr")
    np.testing.assert_array_equal(tiled.labels.compute(), whole)


def test_grey_serves_images_of_one_channel() -> None:
    bright = np.where(tissue_of_the_slide()[::8, ::8], 180, 20).astype(np.uint8)
    for pixels, dark in ((bright, False), (255 - bright, True)):
        segmenter = Tissue(by="grey", dark=dark, sigma=0, fill_holes=0)
        labels = Pipeline(segmenter=segmenter).run(pixels).labels.compute()
        assert labels.max() == 2
        np.testing.assert_array_equal(labels[20:] > 0, bright[20:] > 100)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"by its saturation, but the image has 1 channel; give by='grey'"),
        ({"by": "hue"}, "by must be 'saturation' or 'grey', not 'hue'"),
        ({"sigma": -1}, "sigma must be at least 0, not -1"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        Pipeline(segmenter=Tissue(**options)).run(Image(np.eye(9), axes="yx"))
