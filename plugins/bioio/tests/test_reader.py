"""Scenes, mosaics, colours and what a window costs; what is missing or not understood is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bioio_czi.aicspylibczi_reader.reader as czi_reader
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from tilewright import Collection, Pipeline, open_image
from tilewright.errors import InvalidImage, InvalidOption, NotReadable
from tilewright_bioio import is_foreign
from tilewright_bioio.reader import BioioReader, as_axes

pytestmark = pytest.mark.slow


def test_scenes_of_a_mosaic_are_images_that_are_listed_and_chosen(
    tmp_path: Path, pixels: NDArray[Any], write_czi: Any
) -> None:
    path = write_czi(tmp_path / "cells.czi", pixels)
    with pytest.warns(UserWarning, match=r"holds 2 images, and the first \(image=0: Image:0\) is read"):
        first = open_image(path)
    assert first.images == ("image=0: Image:0", "image=1: Image:1")
    np.testing.assert_array_equal(first[...], pixels[0])
    for image in (open_image(f"{path}#1"), BioioReader(image="Image:1")(path)):
        assert (image.axes, image.spacing) == ("czyx", {"z": 2.0, "y": 0.5, "x": 0.5})
        np.testing.assert_array_equal(image[...], pixels[1])
    with pytest.raises(InvalidOption, match=r"image '2' does not exist; .* has 0: Image:0, 1: Image:1"):
        open_image(f"{path}#2")


def test_positions_of_a_lif_are_images_and_not_slices(tmp_path: Path, pixels: NDArray[Any], write_lif: Any) -> None:
    path = write_lif(tmp_path / "cells.lif", {"left": pixels[0], "right": pixels[1, :1, :1]})
    assert open_image(f"{path}#left").axes == "czyx"
    flat = open_image(f"{path}#right")
    assert (flat.axes, flat.channels) == ("cyx", ("Blue",))
    np.testing.assert_array_equal(flat[...], pixels[1, :1, 0])


def test_colour_samples_are_channels(tmp_path: Path, write_czi: Any) -> None:
    colours = np.random.default_rng(1).integers(1, 255, (1, 1, 1, 230, 300, 3), dtype="u1")
    image = open_image(write_czi(tmp_path / "slide.czi", colours, channels=("Brightfield",)))
    assert (image.axes, image.shape) == ("cyx", (3, 230, 300))
    assert image.channels == ("red", "green", "blue")
    stored = image[...].transpose(1, 2, 0)
    assert np.array_equal(stored, colours[0, 0, 0]) or np.array_equal(stored, colours[0, 0, 0, ..., ::-1])


def test_a_window_of_a_mosaic_reads_the_tiles_under_it(
    tmp_path: Path, pixels: NDArray[Any], write_czi: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    reading = czi_reader.Reader._read_mosaic_region

    def counted(*given: Any, **named: Any) -> Any:
        reads.append(given)
        return reading(*given, **named)

    monkeypatch.setattr(czi_reader.Reader, "_read_mosaic_region", staticmethod(counted))
    image = open_image(f"{write_czi(tmp_path / 'cells.czi', pixels)}#1")
    assert not reads
    window = (slice(1, 2), slice(2, 3), slice(50, 150), slice(130, 260))
    np.testing.assert_array_equal(image.read(window), pixels[1][window])
    assert len(reads) == 4


def test_a_run_segments_a_microscope_file(tmp_path: Path, pixels: NDArray[Any], write_czi: Any) -> None:
    blobs = np.zeros_like(pixels[:1, :, :1])
    blobs[..., 90:110, 110:130] = 9  # over the corner of four tiles of the mosaic
    path = write_czi(tmp_path / "cells.czi", blobs)
    threshold = {"name": "threshold", "configuration": {"threshold": 5}}
    pipeline = Pipeline(segmenter=threshold, tiler={"name": "grid", "configuration": {"tile": 100}})
    assert pipeline.run(path, tmp_path / "labels.ome.zarr", channel="GFP", processes=False).n_objects == 1


@pytest.mark.parametrize(
    ("dims", "shape", "axes", "expected"),
    [
        ("TCZYX", (1, 1, 1, 4, 5), "cyx", (1, 4, 5)),
        ("TCZYX", (2, 3, 4, 4, 5), "tczyx", (2, 3, 4, 4, 5)),
        ("YX", (4, 5), "yx", (4, 5)),
        ("YXS", (4, 5, 3), "cyx", (3, 4, 5)),
        ("CYXS", (2, 4, 5, 3), "cyx", (6, 4, 5)),
        ("ITCZYX", (1, 1, 2, 1, 4, 5), "cyx", (2, 4, 5)),
    ],
)
def test_dimensions_become_axes(dims: str, shape: tuple[int, ...], axes: str, expected: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape)).reshape(shape)
    pixels, named = as_axes(xr.DataArray(da.from_array(values), dims=list(dims)), "cells.czi")
    assert (named, pixels.shape) == (axes, expected)
    if dims == "CYXS":
        np.testing.assert_array_equal(pixels[4].compute(), values[1, ..., 1])


@pytest.mark.parametrize("dimension", ["M", "V", "I", "R", "H"])
def test_a_dimension_that_is_no_axis_is_refused_by_name(dimension: str) -> None:
    views = xr.DataArray(da.zeros((2, 4, 5)), dims=[dimension, "Y", "X"])
    with pytest.raises(InvalidImage, match=f"has dimensions {dimension} of length 2, which are none of t c z y x"):
        as_axes(views, "cells.czi")


def test_a_missing_reader_is_named_with_its_package(tmp_path: Path) -> None:
    path = tmp_path / "cells.imzML"
    path.write_text("text")
    with pytest.raises(NotReadable, match=r"no installed reader of BioIO opens .*; pip install bioio-imzml"):
        open_image(path)


@pytest.mark.parametrize("name", ["cells.czi", "cells.lif", "cells.nd2"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no such format " * 100)
    with pytest.raises(NotReadable) as caught:
        open_image(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_is_an_error_where_it_is_read(tmp_path: Path, pixels: NDArray[Any], write_lif: Any) -> None:
    path = Path(write_lif(tmp_path / "cells.lif", {"one": pixels[0]}))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(NotReadable):
        open_image(path)[...]


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.ome.zarr", "a.svs", "a.png", "a.npy", "a"])
def test_it_leaves_what_tilewright_reads_itself(name: str) -> None:
    assert not is_foreign(name, b"any bytes")


def test_every_scene_is_an_image_of_a_collection(tmp_path: Path, pixels: NDArray[Any], write_czi: Any) -> None:
    images = Collection.open(write_czi(tmp_path / "cells.czi", pixels))
    assert list(images) == ["Image:0", "Image:1"]
    for name, whole in zip(images, pixels, strict=True):
        np.testing.assert_array_equal(open_image(images[name])[...], whole)
