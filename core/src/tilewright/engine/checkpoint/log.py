"""The checkpoint: the folder in which a run keeps what it has done, so that a killed run goes on.

Everything is a record appended to a pack, one pack for each process that works on the run. A record is a header with
a checksum and its data, so what a kill cut short is recognised and done again; nothing is ever rewritten, and a record
costs the same whether it is the first or the millionth. What is finished is what the packs hold: there is no second
list that could disagree.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import struct
import threading
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

__all__ = ["PART", "Checkpoint", "Place", "Record", "decode", "encode"]

_HEAD = struct.Struct("<4sIQQI")  # magic, kind, number, payload length, table length
_CHECKSUM = struct.Struct("<I")  # of all else
_HEADER_SIZE = _HEAD.size + _CHECKSUM.size
_MAGIC = b"TWr4"
PART = 2**48  # numbers of tiles, blocks or rows of one output; those of the next output come after them
_READ_AT_ONCE = 2**14  # bytes, in which all but the labels of a common tile are
_SYNC_EVERY = 2**26  # bytes that a power cut may cost
_LARGE = 2**14  # bytes, from which an array is compressed by itself
_COMPRESS_FROM = 4096  # bytes; below, the codec's own overhead exceeds what it saves
_KINDS = ("tile", "seams", "drawn", "written", "slices", "decided", "parts", "rows")


class Place(NamedTuple):
    """Where a record lies: pack, offset and length in bytes."""

    pack: int
    offset: int
    size: int


class Record(NamedTuple):
    """A record found in a pack: what it is of, and where it lies."""

    kind: str
    number: int
    place: Place


class Checkpoint:
    """A checkpoint folder: append records, read them, and list what earlier runs appended.

    part: the number of the segmenter's output that records and tables are of, which keeps them apart from others.
    """

    def __init__(self, path: Path, part: int = 0) -> None:
        self.path, self.part = path, part
        self._files: dict[int, FileIO] = {}
        self._tables: dict[str, NDArray[Any]] = {}
        self._pack: _Pack | None = None
        self._lock = threading.Lock()

    def append(self, kind: str, number: int, arrays: Mapping[str, NDArray[Any]]) -> Place:
        """Append one record of named arrays; a large array of zeros takes no space."""
        table, payload = encode(arrays)
        head = _HEAD.pack(_MAGIC, _KINDS.index(kind), self.part * PART + number, len(payload), len(table))
        checksum = _CHECKSUM.pack(zlib.crc32(payload, zlib.crc32(table, zlib.crc32(head))))
        return self._own_pack().append(head + checksum + table + payload)

    def read(self, place: Place, *names: str) -> dict[str, NDArray[Any]]:
        """The named arrays of a record (all of them if none is named)."""
        head = self._bytes(place, 0, min(place.size, _READ_AT_ONCE))
        _, _, _, _, length = _HEAD.unpack_from(head)
        start = _HEADER_SIZE + length
        if len(head) < start:
            head = self._bytes(place, 0, start)

        def data(offset: int, size: int) -> bytes:
            begin, end = start + offset, start + offset + size
            return head[begin:end] if end <= len(head) else self._bytes(place, begin, size)

        return decode(head[_HEADER_SIZE:start], names, data)

    def records(self) -> Iterator[Record]:
        """All records of earlier runs. A pack's torn end is passed over; what it held is not done.

        The packs come in the order in which they were last written to: of two records of one tile, whose pixels changed
        in between, the later one holds.
        """
        for path in sorted((self.path / "packs").glob("*.pack"), key=lambda pack: (pack.stat().st_mtime_ns, pack.name)):
            for record in _scan(path):
                if record.number // PART == self.part:
                    yield record._replace(number=record.number % PART) if self.part else record

    def save(self, name: str, array: NDArray[Any]) -> None:
        """Keep a table for the workers of later steps, whole or not at all."""
        path = self._table(name)
        aside = path.with_suffix(f".{secrets.token_hex(4)}.partial")
        with aside.open("wb") as file:
            np.save(file, array)
        aside.replace(path)
        self._tables.pop(name, None)

    def load(self, name: str) -> NDArray[Any]:
        """A table that was saved, mapped into memory: a worker touches only the rows that it needs."""
        if name not in self._tables:
            path = self._table(name)
            mapped = path.stat().st_size > 4096  # an empty array cannot be mapped
            self._tables[name] = np.load(path, mmap_mode="r" if mapped else None).view(np.ndarray)
        return self._tables[name]

    def close(self) -> None:
        """Close all packs and tables; a later use opens them again."""
        with self._lock:
            for file in self._files.values():
                file.close()
            self._files.clear()
            self._tables.clear()
            if self._pack is not None:
                self._pack.close()
                self._pack = None

    def __del__(self) -> None:
        self.close()  # a worker process is not told that the run is over: it drops the plan

    def _table(self, name: str) -> Path:
        return self.path / (f"{self.part}.{name}.npy" if self.part else f"{name}.npy")

    def _own_pack(self) -> _Pack:
        with self._lock:
            if self._pack is None or self._pack.process != os.getpid():  # a forked child must not append to ours
                self._pack = _Pack(self.path / "packs")
            return self._pack

    def _bytes(self, place: Place, offset: int, size: int) -> bytes:
        file = self._files.get(place.pack) or self._opened(place.pack)
        if hasattr(os, "pread"):
            return os.pread(file.fileno(), size, place.offset + offset)
        with self._lock:  # seeking and reading belong together; the lock is held for a copy from the page cache
            file.seek(place.offset + offset)
            return file.read(size)

    def _opened(self, pack: int) -> FileIO:
        with self._lock:
            if pack not in self._files:
                self._files[pack] = (self.path / "packs" / f"{pack:08x}.pack").open("rb", buffering=0)
            return self._files[pack]


class _Pack:
    """The pack that this process appends to."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)  # a task whose job has ended must not make the checkpoint anew
        self.process = os.getpid()
        self.number = secrets.randbits(32)
        self._file = (folder / f"{self.number:08x}.pack").open("xb", buffering=0)
        self._lock = threading.Lock()
        self._end = self._unsynced = 0

    def append(self, record: bytes) -> Place:
        with self._lock:
            if self._unsynced + len(record) > _SYNC_EVERY:  # before it grows: see `_scan`
                os.fsync(self._file.fileno())
                self._unsynced = 0
            place = Place(self.number, self._end, len(record))
            try:
                self._write(record)
            except OSError:
                self._file.truncate(self._end)  # a disk that is full now may have room later: leave no half record
                raise
            self._end += len(record)
            self._unsynced += len(record)
        return place

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def _write(self, record: bytes) -> None:
        self._file.seek(self._end)
        written = self._file.write(record)
        while written < len(record):
            written += self._file.write(record[written:])


def _scan(path: Path) -> Iterator[Record]:
    pack, end = int(path.stem, 16), path.stat().st_size
    with path.open("rb") as file:
        offset = 0
        while offset + _HEADER_SIZE <= end:
            file.seek(offset)
            head = file.read(_HEAD.size)
            magic, kind, number, payload, table = _HEAD.unpack(head)
            (checksum,) = _CHECKSUM.unpack(file.read(_CHECKSUM.size))
            size = _HEADER_SIZE + table + payload
            if magic != _MAGIC or kind >= len(_KINDS) or offset + size > end:
                return
            # older bytes have been synced to the disk; only the last ones, or one record that is larger, can be torn
            recent = offset + size > end - _SYNC_EVERY
            if recent and zlib.crc32(file.read(table + payload), zlib.crc32(head)) != checksum:
                return
            yield Record(_KINDS[kind], number, Place(pack, offset, size))
            offset += size


def encode(arrays: Mapping[str, NDArray[Any]]) -> tuple[bytes, bytes]:
    """A record's named arrays as bytes: a table of them, and their data. Small ones are compressed together.

    A tile has ten small arrays. The codec lets go of the interpreter's lock in every call, and to wait until a thread
    that segments gives it back takes longer than to compress them.
    """
    small = [name for name, array in arrays.items() if array.nbytes < _LARGE]
    small.sort(key=lambda name: -arrays[name].itemsize)  # so that each lies where its type may lie
    stored, together = _packed(b"".join(arrays[name].tobytes() for name in small))
    large = {name: _large(array) for name, array in arrays.items() if array.nbytes >= _LARGE}
    sections = {name: (arrays[name].dtype.str, arrays[name].shape, "together", arrays[name].nbytes) for name in small}
    sections |= {
        name: (arrays[name].dtype.str, arrays[name].shape, how, len(data)) for name, (how, data) in large.items()
    }
    table = json.dumps([stored, len(together), sections])
    return table.encode(), b"".join([together, *(data for _, data in large.values())])


def decode(table: bytes, names: Collection[str], data: Callable[[int, int], bytes]) -> dict[str, NDArray[Any]]:
    """The named arrays (all of them if none is named), which cannot be written to.

    data: returns so many bytes of the data from an offset; it is asked for what is needed.
    """
    stored, end, sections = json.loads(table)
    wanted = sections.keys() & names if names else sections.keys()
    together = _unpacked(stored, data(0, end)) if any(sections[name][2] == "together" for name in wanted) else b""
    arrays, at = {}, 0
    for name, (dtype, shape, how, size) in sections.items():
        if how == "together":
            if name in wanted:
                arrays[name] = _array(together, dtype, shape, at)
            at += size
            continue
        if name in wanted:
            zeros = how == "zeros"
            arrays[name] = np.zeros(shape, dtype) if zeros else _array(_unpacked(how, data(end, size)), dtype, shape)
        end += size
    return arrays


def _array(raw: bytes, dtype: str, shape: Sequence[int], at: int = 0) -> NDArray[Any]:
    # numpy's frombuffer refuses types that are pointers; its ndarray would follow those of a record that somebody made.
    return np.frombuffer(raw, dtype, math.prod(shape), at).reshape(shape)


def _packed(raw: bytes) -> tuple[str, bytes]:
    return ("raw", raw) if len(raw) < _COMPRESS_FROM else ("lz4", blosc.compress(raw, b"lz4", 1, blosc.NOSHUFFLE))


def _large(array: NDArray[Any]) -> tuple[str, bytes]:
    if not array.any():
        return "zeros", b""
    return "lz4", blosc.compress(np.asarray(array, order="C"), b"lz4", 1, blosc.SHUFFLE)


def _unpacked(stored: str, data: bytes) -> bytes:
    raw: bytes = blosc.decompress(data) if stored == "lz4" else data
    return raw
