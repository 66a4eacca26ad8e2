"""Images by path: OME-Zarr of both versions, plain zarr, TIFF; channels, levels, and what must not be written over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from functions.nuclei import NUCLEI, threshold, write_ome_zarr
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import FormatSpec, Image, InvalidOption, estimate_empty_tiles, hookimpl, load_ome_zarr, tile_process
from tilewright.components.registry import register, unregister

WHOLE = threshold(NUCLEI)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_of_both_versions(tmp_path: Path, version: str) -> None:  # F4
    write_ome_zarr(tmp_path / "image.zarr", NUCLEI, "yx", (200, 100), version)
    for path in (tmp_path / "image.zarr", str(tmp_path / "image.zarr")):
        np.testing.assert_array_equal(tile_process(path, threshold, compute=True), WHOLE)
    np.testing.assert_array_equal(load_ome_zarr(tmp_path / "image.zarr").compute(), NUCLEI)


def test_numpy_and_a_plain_zarr_array(tmp_path: Path) -> None:  # F4
    np.testing.assert_array_equal(tile_process(NUCLEI, threshold, compute=True), WHOLE)
    array = zarr.create_array(tmp_path / "plain.zarr", data=NUCLEI, chunks=(100, 100))
    np.testing.assert_array_equal(tile_process(array, threshold, compute=True), WHOLE)
    np.testing.assert_array_equal(tile_process(tmp_path / "plain.zarr", threshold, compute=True), WHOLE)


class TiffReaders:
    """A reader for TIFF, as a plugin would bring it."""

    @hookimpl
    def tilewright_readers(self) -> list[FormatSpec]:
        return [
            FormatSpec(
                name="small-tiff", target=f"{__name__}:read_tiff", summary="TIFF.", suffixes=(".tif",), priority=9
            )
        ]


def read_tiff(path: str) -> Image:
    return Image(data=tifffile.memmap(path, mode="r"), axes="yx", source=path, format="tiff")


@pytest.fixture
def tiff_reader() -> Iterator[None]:
    register(TiffReaders(), "small-tiff-plugin")
    yield
    unregister("small-tiff-plugin")


def test_a_tiff_path_is_read_by_whatever_reader_is_there(tmp_path: Path, tiff_reader: None) -> None:  # F4
    tifffile.imwrite(tmp_path / "image.tif", NUCLEI)
    labels = tile_process(tmp_path / "image.tif", threshold, tile_shape=(100, 100), write_to=tmp_path / "out.zarr")
    np.testing.assert_array_equal(labels.compute(), WHOLE)


def test_a_channel_of_a_store_without_c_is_refused_unless_it_was_left_out(tmp_path: Path) -> None:  # F3
    write_ome_zarr(tmp_path / "image.zarr", NUCLEI, "yx", (200, 100))
    for function in (
        lambda **c: tile_process(tmp_path / "image.zarr", threshold, **c),
        lambda **c: load_ome_zarr(tmp_path / "image.zarr", **c),
    ):
        with pytest.raises(InvalidOption, match="channel 0 was asked for, but the image's axes 'yx' have no c"):
            function(channel=0)
        assert function().shape == (512, 512)


def test_channel_0_of_tczyx_is_a_channel_and_no_time_point(tmp_path: Path) -> None:  # F3
    pixels = np.stack([np.stack([NUCLEI, NUCLEI.T]), np.stack([NUCLEI[::-1], NUCLEI])])[:, :, None, :128, :128]
    write_ome_zarr(tmp_path / "image.zarr", pixels, "tczyx", (1, 1, 1, 64, 64))
    labels = tile_process(tmp_path / "image.zarr", threshold, tile_shape=(1, 50, 50), channel=0, compute=True)
    assert labels.shape == (2, 1, 128, 128)
    before = 0
    for t in range(2):
        expected = threshold(pixels[t, 0])
        np.testing.assert_array_equal(labels[t], np.where(expected, expected + before, 0))
        before += expected.max()
    np.testing.assert_array_equal(load_ome_zarr(tmp_path / "image.zarr", channel=1).compute(), pixels[:, 1])
    np.testing.assert_array_equal(load_ome_zarr(tmp_path / "image.zarr", channel=None).compute(), pixels)
    info = estimate_empty_tiles(tmp_path / "image.zarr", (1, 64, 64), threshold=LOW, channel=1)
    assert info["occupancy"].shape == (2, 1, 2, 2)


LOW = 5


def test_chunks_are_said_as_tiles_are(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "image.zarr", np.zeros((2, 3, 4, 20, 30), "u1"), "tczyx", (1, 1, 1, 10, 10))
    load = lambda **said: load_ome_zarr(tmp_path / "image.zarr", **said).chunksize  # noqa: E731 - a short name
    assert load() == (1, 1, 10, 10)
    assert load(chunks=(2, 20, 15)) == (1, 2, 20, 15)
    assert load(chunks=(2, 2, 20, 15)) == (2, 2, 20, 15)
    assert load(chunks=(2, 1, 2, 20, 15), channel=None) == (2, 1, 2, 20, 15)
    with pytest.raises(InvalidOption, match=r"chunks \[20, 15\] has 2 numbers"):
        load(chunks=(20, 15))


def test_a_level_is_one_of_the_pyramid(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "image.zarr", NUCLEI, "yx", (256, 256))
    group = zarr.open_group(tmp_path / "image.zarr")
    group.create_array("1", data=NUCLEI[::2, ::2].copy(), chunks=(128, 128), dimension_names=["y", "x"])
    ome: Any = dict(group.attrs["ome"])  # type: ignore[call-overload]  # the JSON that was written above
    scale = [{"type": "scale", "scale": [2.0, 2.0]}]
    ome["multiscales"][0]["datasets"].append({"path": "1", "coordinateTransformations": scale})
    group.attrs["ome"] = ome
    labels = tile_process(tmp_path / "image.zarr", threshold, level=1, compute=True)
    np.testing.assert_array_equal(labels, threshold(NUCLEI[::2, ::2]))
    assert load_ome_zarr(tmp_path / "image.zarr", level=1).shape == (256, 256)
    with pytest.raises(InvalidOption, match=r"level 2 does not exist; .* has levels 0 to 1"):
        tile_process(tmp_path / "image.zarr", threshold, level=2)


@pytest.mark.parametrize("component", ["0", "0/c"])
def test_an_image_is_not_written_over(tmp_path: Path, component: str) -> None:  # F17
    write_ome_zarr(tmp_path / "image.zarr", NUCLEI, "yx", (200, 100))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for source in (
        tmp_path / "image.zarr",
        str(tmp_path / "image.zarr" / "0"),
        zarr.open_array(tmp_path / "image.zarr/0"),
    ):
        with pytest.raises((InvalidOption, FileExistsError)):
            tile_process(
                source, threshold, write_to=tmp_path / "image.zarr", output_component=component, overwrite=True
            )
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_labels_may_go_into_the_image_s_store(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "image.zarr", NUCLEI, "yx", (200, 100))
    store = tmp_path / "image.zarr"
    with pytest.raises(InvalidOption, match="would overwrite the image"):  # `labels` is OME-Zarr's group for them
        tile_process(store, threshold, write_to=store)
    labels = tile_process(store, threshold, write_to=store, output_component="labels/nuclei")
    np.testing.assert_array_equal(labels.compute(), WHOLE)
    np.testing.assert_array_equal(load_ome_zarr(tmp_path / "image.zarr").compute(), NUCLEI)


def test_a_plugin_s_segmenter_runs_by_its_name(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "image.zarr", NUCLEI, "yx", (200, 100))
    by_name: NDArray[Any] = tile_process(tmp_path / "image.zarr", "threshold", compute=True)
    assert by_name.max() > 100
    np.testing.assert_array_equal(by_name > 0, ndimage.label(by_name)[0] > 0)
    np.testing.assert_array_equal(by_name, tile_process(NUCLEI, "threshold", tile_shape=(512, 512), compute=True))
