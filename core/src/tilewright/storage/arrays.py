"""Arrays that are read region by region, views of them, and the chunks of a zarr array in a local folder.

zarr hands each chunk to an event loop and to a thread of its own, which helps with remote stores. For a chunk of 64³ in
the page cache this takes several times as long as decoding the chunk, and longer while threads that segment hold the
interpreter's lock. So `direct` reads and writes such chunks in the calling thread. Shards, filters, other codecs and
other stores are left to zarr. Nobody waits for a pipe or a device in place of a chunk or shard in a local folder.
"""

from __future__ import annotations

import errno
import itertools
import os
import secrets
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ..tiling.regions import Region
from .disk import check_file, file_state

__all__ = [
    "Array",
    "ChunkFiles",
    "LocalChunks",
    "View",
    "beneath",
    "chunk_files",
    "direct",
    "footprint",
    "in_memory",
    "is_zarr",
    "local_folder",
    "unit_of",
]

_SHUFFLE = ("noshuffle", "shuffle", "bitshuffle")


class Array(Protocol):
    """The data of an image: any object with `shape`, `dtype` and slicing, as zarr, dask, numpy and memory maps have."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __getitem__(self, region: Any, /) -> Any: ...


class View:
    """An array whose pixels are those of another array.

    base: the other array. selection: a text that names which of its pixels; empty for all of them.
    fresh: whether a block that it returns is a copy, which the caller may change. Many arrays return views of their own
        memory.
    """

    base: Any
    selection: str = ""
    fresh: bool = False

    def footprint(self, region: Region) -> Region:
        """The region of the other array that a region's pixels are made from."""
        return region

    @property
    def transformations(self) -> tuple[Any, ...]:
        """What is done to the pixels of the array beneath all views (`image.mapped`), the first one first."""
        return self.base.transformations if isinstance(self.base, View) else ()


def beneath(data: Any) -> tuple[Any, str]:
    """The array beneath all views, and a text that names which of its pixels; empty if the array is not a view."""
    if not isinstance(data, View):
        return data, ""
    whole, selection = beneath(data.base)
    return whole, selection + data.selection


def footprint(data: Any, region: Region) -> Region:
    """The region of the array beneath all views that a region's pixels are made from."""
    return footprint(data.base, data.footprint(region)) if isinstance(data, View) else region


def is_zarr(data: object) -> bool:
    """Whether it is a zarr array. This does not import zarr: if it is not imported yet, there is no zarr array."""
    zarr = sys.modules.get("zarr")
    return zarr is not None and isinstance(data, zarr.Array)


def local_folder(store: Any) -> Path | None:
    """The folder of a zarr store in folders of this machine; None for any other store."""
    match type(store).__name__:
        case "LocalStore":
            return Path(store.root)
        case "FsspecStore" if {"file", "local"} & set(_protocols(store)):
            return Path(store.path)
    return None


def _protocols(store: Any) -> tuple[str, ...]:
    """The protocols of an fsspec store; a local one may be wrapped by an asynchronous one."""
    protocol: str | tuple[str, ...] = getattr(store.fs, "sync_fs", store.fs).protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def unit_of(data: Any) -> tuple[Any, ...] | None:
    """The shape of an array's shards, else of its chunks; None if it has neither.

    An entry is a length, or a tuple of all lengths along the axis where they are not equal, as in dask arrays and
    zarr's rectilinear grids.
    """
    try:
        unit = getattr(data, "shards", None) or getattr(data, "chunks", None)
    except NotImplementedError:  # zarr has no `chunks` for such a grid
        unit = data.write_chunk_sizes
    return tuple(unit) if unit else None


def in_memory(block: Any) -> NDArray[Any]:
    """A block as an array. Dask computes it in this thread, because the run has its own parallelism."""
    return np.asarray(block.compute(scheduler="synchronous") if hasattr(block, "compute") else block)


def direct(data: Array) -> Array:
    """The array, read and written in the calling thread if its chunks are plain local files; else by its own library.

    NotReadable, when it is read, for a chunk or shard in a local folder that is not a regular file.
    """
    files = chunk_files(data) if is_zarr(data) else None
    if files is None:
        return data
    return cast("Array", (LocalChunks if _plain(data) else CheckedChunks)(data, files))


class ChunkFiles:
    """The files of a zarr array in a local folder: one for each shard if it has shards, else for each chunk."""

    def __init__(self, array: Any, root: Path, unit: tuple[int, ...]) -> None:
        self._root, self._unit = str(root / array.path), unit
        self._key = array.metadata.encode_chunk_key

    def at(self, place: tuple[int, ...]) -> str:
        """The file of the chunk or shard at a place of their grid. It exists if one of its pixels was written."""
        return f"{self._root}/{self._key(place)}"

    def of(self, region: Region) -> Iterator[str]:
        """The files of the chunks or shards that a region meets."""
        spans = [range(part.start // n, -(-part.stop // n)) for part, n in zip(region, self._unit, strict=True)]
        return map(self.at, itertools.product(*spans))

    def check(self, region: Region) -> None:
        """NotReadable if anything but regular files holds a region's pixels; a chunk without a file has fill values."""
        for file in self.of(region):
            with suppress(FileNotFoundError, NotADirectoryError):
                check_file(file, os.stat(file))  # noqa: PTH116 - for every tile; Path.stat is slower

    def state(self, region: Region) -> int:
        """A number made from the size and time of a region's files, which changes when its pixels are written."""
        states = [file_state(file) for file in self.of(region)]
        return zlib.crc32(repr(states).encode())

    def gone(self) -> bool:
        """Whether the folder is not an array any more."""
        marks = (f"{self._root}/{name}" for name in ("zarr.json", ".zarray"))
        return not any(map(os.path.exists, marks))  # for every tile; Path.exists is slower


def chunk_files(data: Any) -> ChunkFiles | None:
    """The files of a zarr array with a regular grid in a local folder; None for any other data."""
    root = local_folder(getattr(data, "store", None))
    if root is None or not hasattr(data, "metadata"):
        return None
    unit = unit_of(data)
    return ChunkFiles(data, root, unit) if unit and isinstance(unit[0], int) else None


class CheckedChunks(View):
    """A zarr array in a local folder, which zarr reads once a region's chunks or shards are known to be files."""

    def __init__(self, array: Any, files: ChunkFiles) -> None:  # a zarr.Array, of any of its generic kinds
        self.base = self.array = array
        self.files = files
        self.shape: tuple[int, ...] = array.shape
        self.dtype: np.dtype[Any] = array.dtype

    def __getitem__(self, region: Any) -> NDArray[Any]:
        self.files.check(_stretches(region, self.shape) or tuple(slice(0, n) for n in self.shape))
        return np.asarray(self.array[region])

    def __setitem__(self, region: Region, values: NDArray[Any]) -> None:
        self.array[region] = values


class LocalChunks(CheckedChunks):
    """A zarr array whose chunks are plain local files with at most one codec, as `direct` has checked."""

    fresh = True

    @cached_property
    def chunks(self) -> tuple[int, ...]:
        chunks: tuple[int, ...] = self.array.chunks  # a property of zarr's that takes longer
        return chunks

    def __getitem__(self, region: Any) -> NDArray[Any]:
        """A new array of a region. Indices other than whole numbers and slices without a step are left to zarr."""
        parts = _stretches(region, self.shape)
        if parts is None:
            return super().__getitem__(region)
        block = np.empty([part.stop - part.start for part in parts], self.dtype)
        for at, there, here in self._pieces(parts):
            chunk = self._read(at)
            block[here] = self.array.fill_value if chunk is None else chunk[there]
        return block.reshape([n for n, part in zip(block.shape, region, strict=True) if isinstance(part, slice)])

    def __setitem__(self, region: Region, values: NDArray[Any]) -> None:
        """Write whole chunks; regions with parts of chunks are left to zarr. A chunk of fill values has no file."""
        ends = zip(region, self.chunks, self.shape, strict=True)
        if any(part.start % step or (part.stop % step and part.stop != n) for part, step, n in ends):
            super().__setitem__(region, values)
            return
        for at, _, here in self._pieces(region):
            self._write(at, values[here])

    def _pieces(self, region: Region) -> Iterator[tuple[tuple[int, ...], Region, Region]]:
        """The chunks that a region meets: each one's place, and the shared pixels in the chunk and in the region."""
        spans = [range(part.start // c, -(-part.stop // c)) for part, c in zip(region, self.chunks, strict=True)]
        for at in itertools.product(*spans):
            there, here = [], []
            for part, i, c in zip(region, at, self.chunks, strict=True):
                start, stop = max(part.start, i * c), min(part.stop, (i + 1) * c)
                there.append(slice(start - i * c, stop - i * c))
                here.append(slice(start - part.start, stop - part.start))
            yield at, tuple(there), tuple(here)

    def _read(self, at: tuple[int, ...]) -> NDArray[Any] | None:
        """A chunk; None if it has no file. ValueError if the file has another number of pixels."""
        try:
            data = _content(self.files.at(at))
        except FileNotFoundError:
            return None
        codec, dtype = self._codec
        pixels: NDArray[Any] = np.frombuffer(codec.decode(data) if codec else data, dtype).reshape(self.chunks)
        return pixels

    def _write(self, at: tuple[int, ...], values: NDArray[Any]) -> None:
        file, fill = self.files.at(at), self.array.fill_value
        codec, dtype = self._codec
        if not (values != fill).any():
            Path(file).unlink(missing_ok=True)
            return
        if values.shape != self.chunks:
            whole = np.full(self.chunks, fill, dtype)
            whole[tuple(slice(n) for n in values.shape)] = values
            values = whole
        data = np.ascontiguousarray(values, dtype)
        _replace(file, codec.encode(data) if codec else data.tobytes())

    @cached_property
    def _codec(self) -> tuple[Any, np.dtype[Any]]:
        """The codec of a chunk's bytes (None if they are not compressed), and the dtype of its pixels."""
        return _codec_of(self.array)


def _plain(array: Any) -> bool:
    """Whether a zarr array's chunks are local files of pixels in raster order with at most one codec."""
    if type(array.store).__name__ != "LocalStore" or not array.ndim or array.shards or array.fill_value is None:
        return False
    if array.metadata.zarr_format == 2:
        return array.metadata.order == "C" and not array.metadata.filters and array.dtype.kind in "buif"
    kinds = [type(codec).__name__ for codec in array.metadata.codecs]
    regular = type(array.metadata.chunk_grid).__name__.startswith("RegularChunkGrid")  # newer ones say "…Metadata"
    plain = not array.metadata.storage_transformers and regular
    known = kinds[:1] == ["BytesCodec"] and kinds[1:] in ([], ["ZstdCodec"], ["BloscCodec"], ["GzipCodec"])
    return plain and known and array.dtype.kind in "buif"


def _codec_of(array: Any) -> tuple[Any, np.dtype[Any]]:
    if array.metadata.zarr_format == 2:
        return array.metadata.compressor, array.metadata.dtype.to_native_dtype()
    kept, *rest = (codec.to_dict() for codec in array.metadata.codecs)
    endian = kept.get("configuration", {}).get("endian", "little")
    codec = _numcodec(rest[0]["name"], rest[0]["configuration"]) if rest else None
    return codec, array.dtype.newbyteorder("<" if endian == "little" else ">")


def _numcodec(name: str, options: Mapping[str, Any]) -> Any:
    import numcodecs

    said = dict(options)
    if name == "blosc":
        said = {key: said[key] for key in ("cname", "clevel", "blocksize")}
        said["shuffle"] = _SHUFFLE.index(options["shuffle"])
    return numcodecs.get_codec({"id": name, **said})


def _stretches(region: Any, shape: tuple[int, ...]) -> Region | None:
    """A region as slices; None if it is not a tuple of slices and whole numbers, or has no pixels."""
    if not isinstance(region, tuple) or len(region) != len(shape):
        return None
    parts = []
    for part, length in zip(region, shape, strict=True):
        if isinstance(part, slice) and part.step is None:
            start, stop, _ = part.indices(length)
        elif type(part) is int:
            start, stop = part, part + 1
        else:
            return None
        if not 0 <= start < stop <= length:
            return None
        parts.append(slice(start, stop))
    return tuple(parts)


def _content(file: str) -> bytes:
    """The bytes of a file, in few calls, because each releases the interpreter's lock and waits for it again.

    NotReadable for a pipe, a device or a socket in its place.
    """
    try:
        opened = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno == errno.ENXIO:
            check_file(file, os.stat(file))  # noqa: PTH116 - as above
        raise
    try:
        state = os.fstat(opened)
        check_file(file, state)
        size = state.st_size
        data = os.read(opened, size)
        while len(data) < size and (more := os.read(opened, size - len(data))):
            data += more
        return data
    finally:
        os.close(opened)


def _replace(file: str, data: bytes) -> None:
    """Write a file whole or not at all; until then it has the name that zarr gives to such files."""
    aside = f"{file}.{secrets.token_hex(8)}.partial"
    try:
        try:
            opened = open(aside, "xb", buffering=0)  # noqa: PTH123, SIM115 - as above; it is closed below
        except FileNotFoundError:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            opened = open(aside, "xb", buffering=0)  # noqa: PTH123, SIM115 - as above
        with opened:
            rest = memoryview(data)
            while rest:
                rest = rest[opened.write(rest) :]
        os.replace(aside, file)  # noqa: PTH105 - as above
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
