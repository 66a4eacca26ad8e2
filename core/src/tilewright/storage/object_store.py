"""The objects of a store that is not in folders: their states, conditional writes, and the chunks of zarr arrays."""

from __future__ import annotations

import datetime
import itertools
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Protocol

from ..errors import TilewrightError
from ..tiling.regions import Region
from .arrays import is_zarr, unit_of
from .location import Location
from .remote_errors import remote

__all__ = ["ChunkObjects", "Conflict", "Objects", "chunk_objects", "location_objects", "objects_of", "updated"]

HEADS = 16  # requests at a time, where a store cannot list
NEW = ""  # as the state of an object that is not there
TRIES = 20


class Conflict(TilewrightError, RuntimeError):
    """An object was changed by another process since its state was read."""


class Objects(Protocol):
    """The objects of a store. A state is an ETag or the like, which changes with the object; None without one."""

    conditional: bool
    """Whether `write` can be made to depend on a state."""

    def state(self, key: str) -> str | None:
        """The state of an object; None if it is not there, or the store tells none."""

    def modified(self, key: str) -> datetime.datetime | None:
        """When an object was written, by the store's clock; None if it is not there, or the store does not tell."""

    def states(self, folder: str) -> Mapping[str, str] | None:
        """The states of the objects in a folder, by key; None if the store cannot list."""

    def read(self, key: str) -> tuple[bytes, str] | None:
        """An object and its state; None if it is not there."""

    def write(self, key: str, data: bytes, state: str | None = None) -> None:
        """Put an object. Conflict if a state is given and the object's is another."""

    def below(self, prefix: str) -> Iterator[str]:
        """The keys of all objects below a folder."""

    def delete(self, keys: list[str]) -> None:
        """Remove objects."""


def objects_of(store: Any) -> Objects | None:
    """The objects of a zarr store; None for one in folders, in memory or in an archive."""
    match type(store).__name__:
        case "ObjectStore":
            return _Obstore(store.store)
        case "FsspecStore":
            return _Fsspec(store)
    return None


def updated(objects: Objects, key: str, change: Callable[[bytes | None], bytes | None]) -> None:
    """Change an object by what it holds, again if another process changed it meanwhile; None leaves it as it is."""
    for _ in range(TRIES):
        found = objects.read(key)
        data, state = found or (None, NEW)
        new = change(data)
        if new is None or new == data:
            return
        try:
            objects.write(key, new, state if objects.conditional else None)
        except Conflict:
            continue
        return
    raise Conflict(f"{key} is being changed by other processes all the time; re-run the same command to resume")


class _Obstore:
    def __init__(self, store: Any) -> None:
        import obstore

        self._obstore, self._store = obstore, store
        self._lists = type(store).__name__ != "HTTPStore"
        self.conditional = self._lists and type(store).__name__ != "LocalStore"

    def state(self, key: str) -> str | None:
        try:
            return _state_of(self._obstore.head(self._store, key))
        except FileNotFoundError:
            return None

    def modified(self, key: str) -> datetime.datetime | None:
        try:
            return self._obstore.head(self._store, key)["last_modified"]
        except FileNotFoundError:
            return None

    def states(self, folder: str) -> Mapping[str, str] | None:
        if not self._lists:
            return None
        listed = self._obstore.list_with_delimiter(self._store, folder)["objects"]
        return {each["path"]: state for each in listed if (state := _state_of(each)) is not None}

    def read(self, key: str) -> tuple[bytes, str] | None:
        try:
            found = self._obstore.get(self._store, key)
        except FileNotFoundError:
            return None
        return bytes(found.bytes()), _state_of(found.meta) or NEW

    def write(self, key: str, data: bytes, state: str | None = None) -> None:
        errors, mode = self._obstore.exceptions, "overwrite"
        condition: Any = mode if state is None else "create" if state == NEW else {"e_tag": state}
        try:
            self._obstore.put(self._store, key, data, mode=condition, use_multipart=False)
        except (errors.AlreadyExistsError, errors.PreconditionError) as error:
            raise Conflict(f"{key} was changed by another process") from error
        except (errors.NotSupportedError, NotImplementedError):
            self.conditional = False
            self._obstore.put(self._store, key, data)

    def below(self, prefix: str) -> Iterator[str]:
        for batch in self._obstore.list(self._store, prefix):
            yield from (each["path"] for each in batch)

    def delete(self, keys: list[str]) -> None:
        if keys:
            self._obstore.delete(self._store, keys)


def _state_of(meta: Mapping[str, Any]) -> str | None:
    found = meta.get("e_tag") or meta.get("version")
    return str(found) if found else None


class _Fsspec:
    conditional = False

    def __init__(self, store: Any) -> None:
        fs = getattr(store.fs, "sync_fs", store.fs)
        if getattr(fs, "asynchronous", False):  # it answers to zarr's own loop alone
            fs = type(fs)(*fs.storage_args, **{**fs.storage_options, "asynchronous": False, "loop": None})
        self._root, self._fs = str(store.path).rstrip("/"), fs

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}" if self._root else key

    def _key(self, path: str) -> str:
        return path.lstrip("/").removeprefix(self._root.lstrip("/")).lstrip("/")

    def state(self, key: str) -> str | None:
        self._fs.invalidate_cache()
        try:
            return _of_info(self._fs.info(self._path(key)))
        except FileNotFoundError:
            return None

    def modified(self, key: str) -> datetime.datetime | None:
        self._fs.invalidate_cache()
        try:
            when: datetime.datetime = self._fs.modified(self._path(key))
        except (FileNotFoundError, NotImplementedError):
            return None
        return when

    def states(self, folder: str) -> Mapping[str, str] | None:
        if {"http", "https"} & set(_texts(self._fs.protocol)):
            return None
        self._fs.invalidate_cache()
        try:
            listed = self._fs.ls(self._path(folder), detail=True)
        except FileNotFoundError:
            return {}
        return {self._key(each["name"]): state for each in listed if (state := _of_info(each)) is not None}

    def read(self, key: str) -> tuple[bytes, str] | None:
        try:
            return self._fs.cat_file(self._path(key)), NEW
        except FileNotFoundError:
            return None

    def write(self, key: str, data: bytes, state: str | None = None) -> None:  # noqa: ARG002 - it has no conditions
        self._fs.pipe_file(self._path(key), data)

    def below(self, prefix: str) -> Iterator[str]:
        return map(self._key, self._fs.find(self._path(prefix)))

    def delete(self, keys: list[str]) -> None:
        for key in keys:
            self._fs.rm_file(self._path(key))


def _texts(protocol: str | tuple[str, ...]) -> tuple[str, ...]:
    return (protocol,) if isinstance(protocol, str) else protocol


def _of_info(info: Mapping[str, Any]) -> str | None:
    """What fsspec's file systems tell of an object: S3's ETag, Google's generation, the time of one in memory.

    The time of a web server's file has whole seconds, which is too coarse to tell two versions apart.
    """
    found = [str(info[name]) for name in ("ETag", "etag", "e_tag", "generation", "created") if info.get(name)]
    return " ".join((*found, str(info.get("size")))) if found else None


class ChunkObjects:
    """The objects of a zarr array outside of folders: one for each shard if it has shards, else for each chunk.

    The folders that hold a tile's objects are listed once, because each request may take a tenth of a second. What
    changes after that has an older state in a record than it would have now, so it is done again by the next run.
    """

    def __init__(self, array: Any, objects: Objects, unit: tuple[int, ...], where: str) -> None:
        self._objects, self._root, self._unit = objects, array.path, unit
        self._key, self._where = array.metadata.encode_chunk_key, where
        self._listed: dict[str, Mapping[str, str] | None] = {}

    def state(self, region: Region) -> int:
        """A number made from the states of a region's objects, which changes when its pixels are written."""
        spans = [range(part.start // n, -(-part.stop // n)) for part, n in zip(region, self._unit, strict=True)]
        keys = [self._below(self._key(place)) for place in itertools.product(*spans)]
        with remote(self._where):
            folders = {folder: self._states(folder) for folder in {key.rpartition("/")[0] for key in keys}}
            listed = [folders[key.rpartition("/")[0]] for key in keys]
            if None in listed:
                with ThreadPoolExecutor(HEADS) as pool:
                    states = list(pool.map(self._objects.state, keys))
            else:
                states = [each.get(key) for each, key in zip(listed, keys, strict=True) if each is not None]
        return zlib.crc32(repr(states).encode())

    def gone(self) -> bool:
        """Whether there is no array any more."""
        with remote(self._where):
            return all(self._objects.state(self._below(name)) is None for name in ("zarr.json", ".zarray"))

    def refresh(self) -> None:
        """Forget what was listed: another run begins."""
        self._listed.clear()

    @cached_property
    def stated(self) -> bool:
        """Whether the store tells states of objects."""
        with remote(self._where):
            return not self.gone()

    def _states(self, folder: str) -> Mapping[str, str] | None:
        if folder not in self._listed:
            self._listed[folder] = self._objects.states(folder)
        return self._listed[folder]

    def _below(self, key: str) -> str:
        return f"{self._root}/{key}" if self._root else key


def chunk_objects(data: Any, where: str) -> ChunkObjects | None:
    """The objects of a zarr array with a regular grid in a store that tells their states; None for any other data.

    where: for errors.
    """
    objects = objects_of(data.store) if is_zarr(data) else None
    unit = unit_of(data) if objects is not None else None
    if objects is None or not unit or not isinstance(unit[0], int):
        return None
    chunks = ChunkObjects(data, objects, unit, where or str(data.store))
    return chunks if chunks.stated else None


def location_objects(where: Location) -> tuple[Objects, str]:
    """The objects of the store of a location, and the location's place among them."""
    store, place = where.opened(read_only=False)
    objects = objects_of(store)
    assert objects is not None, where
    return objects, place
