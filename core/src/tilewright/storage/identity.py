"""Which bytes an array's pixels are, for three questions: may this be overwritten, has it changed, is it the same."""

from __future__ import annotations

import hashlib
import itertools
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, ChunkFiles, beneath, chunk_files, in_memory, is_zarr, local_folder, unit_of
from .disk import file_state
from .location import Location

if TYPE_CHECKING:
    from .object_store import ChunkObjects

__all__ = ["SMALL", "Identity", "pieces"]

BESIDE = ("labels", "tables")  # what lies in an image's store and is not the image's own
FEW, SMALL = 64, 2**25  # files, and their bytes together, that are read to know whether their content is the same


Stats = Mapping[str, tuple[int, int] | None]


class Snapshot(NamedTuple):
    """The files of an image at one time.

    state: a number that changes with the size or time of a file. size: of all together, in bytes. changed: the last
    change, in ns. content: a digest of all bytes, if they are few.
    """

    state: int
    size: int
    changed: int
    content: str | None


class Identity:
    """What is known of the bytes behind an array.

    data: the array, possibly a view; None for a path that is not opened. path: where it was read from; empty for an
        array that was handed over.
    chunks: the files or objects that tell of each region by itself; None if nothing does.

    For a dask array all arrays in its graph are looked at, in a time that grows with the graph.
    """

    def __init__(self, data: Array | None, path: str = "") -> None:
        self._whole, self._selection = beneath(data)
        # a store that was handed over is known as its array is: its text may be that of another one tomorrow
        self._path = "" if getattr(path, "store", None) is not None else path
        self._behind, self._files = _behind(self._whole), chunk_files(self._whole)

    @cached_property
    def chunks(self) -> ChunkFiles | ChunkObjects | None:
        return self._files or self._objects

    @cached_property
    def _objects(self) -> ChunkObjects | None:
        if self._files is not None or not is_zarr(self._whole):
            return None
        from .object_store import chunk_objects  # most images lie in files

        return chunk_objects(self._whole, self._path)

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Absolute paths of the files and folders that the pixels are read from, as far as the array tells."""
        own = [Path(self._path).absolute()] if self._path and Path(self._path).exists() else []
        return tuple(sorted({*own, *self._behind.files}))

    @cached_property
    def text(self) -> str:
        """A text that names the pixels: the path, else a text of the array; in memory, a digest of the pixels."""
        return (getattr(self._path, "named", self._path) or self._behind.text()) + self._selection

    def state(self) -> int:
        """A number that changes with the size or time of any of the files."""
        return _state(_stats(self.files))

    def snapshot(self) -> Snapshot | None:
        """What is known of the files as they are now; None if there are none, or if regions have guards."""
        if self._objects is not None:
            self._objects.refresh()
        if not self.files or self.chunks is not None:
            return None
        stats = _stats(self.files)  # before the content is read: files that change meanwhile are in another state then
        sizes, times = zip((0, 0), *filter(None, stats.values()), strict=True)
        return Snapshot(state=_state(stats), size=sum(sizes), changed=max(times), content=_content(stats))

    @property
    def known(self) -> bool:
        """Whether a change of the pixels is noticed without reading them.

        It is not for stores that tell no ETag or the like of their objects, such as many web servers, and for arrays of
        unknown classes without `files`. For these a run keeps a digest of every tile's pixels, and reads the pixels
        again before it resumes.
        """
        return self.chunks is not None or bool(self.files) or (self._behind.told and not self._path)

    def content(self) -> str | None:
        """A text that is the same for equal pixels wherever they lie; None if there is none without reading them all.

        It is a digest of the bytes, of pixels in memory and of files that are small together. Of other files it is one
        of their names, sizes and times, as a copy that keeps the times has them too (`cp -a`, `rsync -a`).
        """
        roots = self._behind.files or self.files
        if not roots:
            return self.text if self._behind.told and not self._path else None
        return _movable(roots) + self._selection

    def destroyed_by(self, path: Path) -> Path | None:
        """The file or folder of the pixels that writing at a path would replace: it is the path, or in it, or holds it.

        What lies in an image's `labels` and `tables` does not belong to the image.
        """
        return next((file for file in self.files if _would_destroy(path.resolve(), file.resolve())), None)

    def destroyed_at(self, where: Location) -> str | None:
        """Likewise for what would be written to a bucket: the URL of the pixels, if they were read from one."""
        if not self._path or Location.of(self._path).local is not None:
            return None
        return self._path if _would_destroy(Path(where), Path(self._path)) else None


@dataclass(frozen=True, kw_only=True)
class _Behind:
    """What is known of an array that is not a view.

    files: where it is read from. text: names its pixels. told: whether files or text change with the pixels.
    """

    files: tuple[Path, ...] = ()
    text: Callable[[], str]
    told: bool = True


def _behind(array: Any) -> _Behind:
    name = f"{type(array).__name__} {getattr(array, 'name', '')}"
    if isinstance(array, np.ndarray):
        return _Behind(files=_mapped(array), text=lambda: f"pixels {_digest(pieces(array))}")
    if is_zarr(array):
        return _zarr(array, name)
    if hasattr(array, "__dask_graph__"):
        return _dask(array, name)
    if isinstance(files := getattr(array, "files", None), tuple):
        return _Behind(files=tuple(Path(file).absolute() for file in files), text=lambda: name)
    if type(array).__module__.startswith("h5py."):
        return _Behind(files=(Path(os.fsdecode(array.file.filename)).absolute(),), text=lambda: name)
    return _Behind(text=lambda: name, told=False)


def _mapped(array: NDArray[Any]) -> tuple[Path, ...]:
    return (Path(array.filename).absolute(),) if isinstance(array, np.memmap) and array.filename else ()


def _zarr(array: Any, name: str) -> _Behind:
    """A zarr array: the folder or archive of its store, or a digest of its pixels if the store is in memory."""
    store, within = array.store, array.path
    kind, root = type(store).__name__, local_folder(store)
    if kind == "MemoryStore":
        return _Behind(text=lambda: f"pixels {_digest(_read(array))}")
    if root is None and kind != "ZipStore":
        return _Behind(text=lambda: f"{name} {store} {within}", told=False)
    folder = Path(store.path).absolute() if root is None else root.absolute() / within
    return _Behind(files=(folder,), text=lambda: f"{name} {folder} {within}")


def _dask(array: Any, name: str) -> _Behind:
    """A dask array: the arrays in its graph. Dask's own name of an array in memory is a digest of it."""
    held = list(_held(array.__dask_graph__()))
    others = [_behind(each) for each in held if not isinstance(each, np.ndarray)]
    mapped = [file for each in held if isinstance(each, np.ndarray) for file in _mapped(each)]
    return _Behind(
        files=(*mapped, *(file for each in others for file in each.files)),
        text=lambda: " ".join([name, *sorted({each.text() for each in others})]),
        told=all(each.told for each in others),
    )


def _held(graph: Any) -> Iterator[Any]:
    """The arrays that a graph's tasks read."""
    for task in graph.values():
        arguments = getattr(task, "args", ())
        parts = (getattr(part, "value", None) for part in (arguments if isinstance(arguments, tuple) else ()))
        for value in (task, getattr(task, "value", None), *parts):
            if hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, np.generic):
                yield value


def pieces(array: NDArray[Any], most: int = 2**22) -> Iterator[bytes]:
    """The bytes of an array in raster order, at most `most` at a time: it may be a memory map of a large file."""
    if array.nbytes <= most or not array.ndim:
        yield array.tobytes()
        return
    step = most // max(1, array[:1].nbytes)
    for start in range(0, len(array), max(1, step)):
        yield from pieces(array[start : start + step] if step else array[start], most)


def _read(array: Any) -> Iterator[bytes]:
    """The bytes of an array, one chunk at a time."""
    unit = unit_of(array) or array.shape
    spans = [
        [slice(at, min(at + step, n)) for at in range(0, n, step)] for step, n in zip(unit, array.shape, strict=True)
    ]
    return (in_memory(array[region]).tobytes() for region in itertools.product(*spans))


def _digest(parts: Iterator[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _state(files: Stats) -> int:
    return sum(zlib.crc32(repr(each).encode()) for each in files.items())  # in any order


def _movable(roots: Sequence[Path]) -> str:
    """A digest of files and of what is in folders, by their names from there, but for the labels of an image there."""
    names = {
        file: f"{number} {name}"
        for number, root in enumerate(roots)
        for file in _stats([root])
        if next(iter(Path(name := os.path.relpath(file, root)).parts), "") not in BESIDE
    }
    files = {file: file_state(file) for file in names}
    known = [(name, files[file]) for file, name in sorted(names.items(), key=lambda each: each[1])]
    return _content(files, names) or _digest(iter([repr(known).encode()]))


def _content(files: Stats, names: Mapping[str, str] | None = None) -> str | None:
    """A digest of what is in files, and of their paths or names; None if that is much, or not in regular files."""
    sizes = {file: state[0] for file, state in sorted(files.items()) if state}
    if len(files) > FEW or sum(sizes.values()) > SMALL or not all(Path(file).is_file() for file in files):
        return None
    try:
        named = {file: os.fsencode(names[file] if names else file) for file in sizes}
        return _digest(
            part for file in sorted(sizes, key=named.__getitem__) for part in (named[file], _begin(file, sizes[file]))
        )
    except OSError:  # it went away just now
        return None


def _begin(file: str, size: int) -> bytes:
    """So many bytes of a file: one that grows is not read for ever."""
    with Path(file).open("rb") as opened:
        return opened.read(size)


def _stats(paths: Sequence[Path]) -> Stats:
    """The states of files, and of the files in folders."""
    files = [str(path) for path in paths if not path.is_dir()]
    for path in paths:
        files += [f"{folder}/{name}" for folder, _, names in os.walk(path) for name in names]
    return {file: file_state(file) for file in files}


def _would_destroy(path: Path, source: Path) -> bool:
    if source.is_relative_to(path):
        return True
    inside = path.relative_to(source).parts if path.is_relative_to(source) else ()
    return bool(inside) and (inside[0] not in BESIDE or len(inside) == 1)
