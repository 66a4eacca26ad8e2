"""The fast path beside zarr's own: the same pixels read, the same files written."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numcodecs import Blosc, Delta, GZip, Zlib
from numpy.typing import NDArray
from scipy import ndimage
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, TransposeCodec, ZstdCodec

from tilewright import Grid, Image, NotReadable, Pipeline
from tilewright.storage.arrays import LocalChunks, direct

CODECS: dict[int, list[Any]] = {
    2: [None, GZip(3), Zlib(1), Blosc("lz4", 5, Blosc.SHUFFLE)],
    3: [
        None,
        ZstdCodec(level=0),
        ZstdCodec(level=3, checksum=True),
        GzipCodec(level=2),
        BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"),
        BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"),
    ],
}


@st.composite
def arrays(draw: st.DrawFn, folder: Path) -> zarr.Array[Any]:
    """Zarr arrays of any shape, type, byte order and codec, some of whose chunks are missing."""
    version = draw(st.sampled_from([2, 3]))
    shape = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    dtype = np.dtype(draw(st.sampled_from(["u1", "<u2", ">u2", "<i4", ">f4", "f8", "?", "u8"])))
    options: dict[str, Any] = {"serializer": BytesCodec(endian=draw(st.sampled_from(["little", "big"])))}
    array: zarr.Array[Any] = zarr.create_array(
        folder,
        overwrite=True,
        shape=shape,
        chunks=tuple(draw(st.integers(1, 5)) for _ in shape),
        dtype=dtype if version == 2 else dtype.newbyteorder("="),
        compressors=draw(st.sampled_from(CODECS[version])),
        fill_value=draw(st.sampled_from([0, 1])),
        zarr_format=version,
        **options if version == 3 and dtype.itemsize > 1 else {},
    )
    pixels = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 3, shape).astype(array.dtype)
    some = regions(draw, array.shape)
    array[some] = pixels[some]
    return array


def regions(draw: st.DrawFn, shape: tuple[int, ...], step: tuple[int, ...] = ()) -> tuple[slice, ...]:
    """Regions that are not empty, from multiples of a step to multiples of it or the end."""
    parts = []
    for n, c in zip(shape, step or (1,) * len(shape), strict=True):
        start, stop = sorted(draw(st.lists(st.integers(0, -(-n // c)), min_size=2, max_size=2, unique=True)))
        parts.append(slice(start * c, min(stop * c, n)))
    return tuple(parts)


several = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@several
@given(data=st.data())
def test_a_region_is_read_as_zarr_reads_it(data: st.DataObject, tmp_path: Path) -> None:
    array = data.draw(arrays(tmp_path / "a.zarr"))
    region: tuple[Any, ...] = data.draw(st.composite(regions)(array.shape))
    other = [region[0].start, slice(None), slice(region[0].start, 99), slice(-1, None), region[0]]
    region = (data.draw(st.sampled_from(other)), *region[1:])
    fast = direct(array)
    assert isinstance(fast, LocalChunks)
    expected = np.asarray(array[region])
    np.testing.assert_array_equal(fast[region], expected)
    assert fast[region].dtype == expected.dtype
    assert fast[region].flags.writeable


@pytest.mark.slow
@several
@given(data=st.data())
def test_whole_chunks_are_written_as_zarr_writes_them(data: st.DataObject, tmp_path: Path) -> None:
    array = data.draw(arrays(tmp_path / "a.zarr"))
    fast = direct(array)
    region = data.draw(st.composite(regions)(array.shape, array.chunks if data.draw(st.booleans()) else ()))
    values = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 2, array[region].shape)
    values = (values * data.draw(st.integers(0, 1))).astype(array.dtype)
    before = array[:]
    fast[region] = values  # type: ignore[index]  # an array that is read may be one that cannot be written
    files = contents(tmp_path / "a.zarr")
    np.testing.assert_array_equal(array[region], values)
    array[:] = before
    array[region] = values
    assert contents(tmp_path / "a.zarr") == files


def contents(folder: Path) -> dict[str, bytes]:
    """All files, without the time of writing that gzip puts into its header."""
    files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return {name: data[8:] if data[:2] == b"\x1f\x8b" else data for name, data in files.items()}


@pytest.mark.parametrize(
    "options",
    [
        {"shards": (4, 4)},
        {"filters": [TransposeCodec(order=(1, 0))]},
        {"compressors": [GzipCodec(), ZstdCodec()]},
        {"zarr_format": 2, "order": "F"},
    ],
)
def test_what_it_does_not_know_is_left_to_zarr(options: dict[str, Any], tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path, shape=(6, 6), chunks=(2, 2), dtype="u2", **options)
    assert not isinstance(direct(array), LocalChunks)


def test_arrays_in_memory_and_those_of_other_libraries_are_left_as_they_are() -> None:
    held = np.zeros((3, 3))
    kept = zarr.create_array({}, shape=(3, 3), dtype="u1")
    assert direct(held) is held
    assert direct(kept) is kept


@pytest.mark.parametrize("damage", [b"", b"nothing that a codec knows"])
def test_a_damaged_chunk_is_an_error_and_no_background(damage: bytes, tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path, shape=(4,), chunks=(2,), dtype="u2")
    array[:] = [1, 2, 3, 4]
    (tmp_path / "c" / "1").write_bytes(damage)
    image = Image(data=array, axes="x")
    assert image.read((slice(0, 2),)).tolist() == [1, 2]
    with pytest.raises((RuntimeError, ValueError)):
        image.read((slice(1, 3),))


def test_a_chunk_of_another_size_is_an_error(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path, shape=(4,), chunks=(2,), dtype="u2", compressors=None)
    array[:] = [1, 2, 3, 4]
    (tmp_path / "c" / "1").write_bytes(b"\1\0")
    with pytest.raises(ValueError, match="reshape"):
        Image(data=array, axes="x").read((slice(2, 3),))


def test_a_write_that_fails_leaves_the_chunk_and_no_stray_file(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path, shape=(4,), chunks=(2,), dtype="u2", compressors=None)
    array[:] = [1, 2, 3, 4]
    chunk = tmp_path / "c" / "1"
    chunk.unlink()
    chunk.mkdir()
    with pytest.raises(IsADirectoryError):
        direct(array)[(slice(2, 4),)] = np.array([5, 6], "u2")  # type: ignore[index]  # as above
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["0", "1"]


class Uneven:
    """An array in a rectilinear grid, as newer zarrs have them."""

    shape, dtype, shards, write_chunk_sizes = (60, 70), np.dtype("u1"), None, ((10, 20, 30), (30, 40))

    @property
    def chunks(self) -> tuple[int, ...]:
        raise NotImplementedError("the `chunks` attribute is only defined for arrays using regular chunk grids")

    def __getitem__(self, region: Any) -> NDArray[Any]:
        return np.zeros(self.shape, self.dtype)[region]


def test_chunks_of_unequal_lengths_are_known_by_all_of_them() -> None:
    image = Image(data=Uneven(), axes="yx")
    assert image.chunks == (30, 40)
    assert image.chunk_lengths == ((10, 20, 30), (30, 40))
    assert image.identity.chunks is None


@pytest.mark.skipif(not hasattr(zarr.Array, "write_chunk_sizes"), reason="this zarr has regular grids only")
def test_a_zarr_array_in_a_rectilinear_grid_is_segmented(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random((60, 70)) < 0.4
    with zarr.config.set({"array.rectilinear_chunks": True}):
        array = zarr.create_array(tmp_path / "a.zarr", shape=mask.shape, dtype="u1", chunks=[[10, 20, 30], [30, 40]])
        array[:] = mask
        labels = Pipeline(segmenter=lambda pixels: ndimage.label(pixels)[0], tiler=Grid(tile=25)).run(array).labels
    np.testing.assert_array_equal(np.asarray(labels), ndimage.label(mask)[0])


def device(path: str) -> None:
    Path(path).symlink_to("/dev/zero")


def listening(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(path)


LAYOUTS: dict[str, dict[str, Any]] = {
    "plain": {"compressors": None},
    "gzip": {"compressors": GzipCodec(level=2)},
    "shards": {"shards": (4,)},
    "v2": {"zarr_format": 2},
    "v2 with a filter": {"zarr_format": 2, "filters": [Delta(dtype="u1")]},
}


@pytest.mark.parametrize("place", ["a", "file://{}/a"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("special", "name"), [(os.mkfifo, "a pipe"), (device, "a device"), (listening, "a socket"), (os.mkdir, "a folder")]
)
def test_what_is_no_file_in_place_of_a_chunk_or_shard_is_refused_and_nobody_waits_for_it(
    special: Any, name: str, layout: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has at most 107 bytes
    zarr.create_array("a", shape=(8,), chunks=(2,), dtype="u1", **LAYOUTS[layout])[...] = 1
    image = Image(zarr.open_array(place.format(tmp_path), mode="r"), axes="x")
    chunk = next(file for file in ("a/c/1", "a/1") if Path(file).exists())
    Path(chunk).unlink()
    special(chunk)
    with pytest.raises(NotReadable, match=rf"{chunk}' is {name}, not a file"):
        image.read((slice(3, 8),))
    assert not image.read((slice(0, 2),)).std()
    Path(chunk).rmdir() if name == "a folder" else Path(chunk).unlink()
    assert image.read((slice(0, 8),)).min() == 0
