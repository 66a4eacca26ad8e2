"""Contiguous numbers for labels that have gaps: `relabel_sequential_array` and `relabel_sequential_zarr`."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AlreadyExists, InvalidLabels, NotReadable, OutputBusy
from ..storage.arrays import direct
from ..storage.disk import fitting
from ..storage.lock import LOCK, hold, released
from ..storage.replace import recover, replace_folder
from .ids import SortedIds
from .stored import stored_array

__all__ = ["relabel_sequential_array", "relabel_sequential_zarr"]

OURS = "tilewright-relabel"


def relabel_sequential_array(labels: NDArray[Any]) -> NDArray[Any]:
    """Renumber labels 1..N in the order of their ids; background stays 0, also where there is none.

    labels: any shape and integer dtype. The result is uint16, or the next wider unsigned dtype that holds N.
    InvalidLabels for a negative label or a dtype that is not of integers.

    >>> relabel_sequential_array(np.array([0, 500000, 500000, 7]))
    array([0, 2, 2, 1], dtype=uint16)
    >>> relabel_sequential_array(np.array([5, 7]))
    array([1, 2], dtype=uint16)
    """
    array = np.asarray(labels)
    _check(array, "labels")
    ids, numbers = np.unique(array, return_inverse=True)
    count = np.count_nonzero(ids)
    if count == len(ids):  # there is no background that would take the number 0
        numbers = numbers + 1
    dtype = np.result_type(np.uint16, np.min_scalar_type(count))
    return numbers.reshape(array.shape).astype(dtype)


def relabel_sequential_zarr(store_path: str | Path, component: str = "labels") -> int:
    """Renumber the labels of a zarr array 1..N in the order of their ids, in place, and return N.

    Everything else of the array stays: dtype, chunks, codecs, attributes. One chunk or shard is read at a time, and
    what is kept besides is as long as the number of objects, on the disk where that is much.

    The new array is built beside the old one and put into its place at once. After a kill the labels are the old ones
    or the new ones, whole; the same call does it anew. Labels that are 1..N already are not written again.

    InvalidLabels for a negative label or floats; NotReadable if there is no such array; OutputBusy while another
    process is at it.
    """
    path = Path(store_path) / component
    with _alone(path) as work:
        source = stored_array(Path(store_path), component)
        ids = _ids(source, path, work)
        count = len(ids)
        if count and int(ids[-1]) != count:
            _write(source, ids, path, work / "new")
            replace_folder(work / "new", path)
    return count


@contextmanager
def _alone(path: Path) -> Iterator[Path]:
    """A folder beside the array to work in, cleared of what a kill left: the labels are old ones, or whole new ones.

    OutputBusy while another process relabels the array; it would put its labels in place of half of these.
    """
    work = path.with_name(fitting(path.name, f".{OURS}"))
    if _is_foreign(work):
        raise AlreadyExists(f"{work} is in the way of relabelling {path}, and was not made by it; move it away")
    if not path.parent.is_dir():
        raise NotReadable(f"there is no folder {str(path.parent)!r}, so there is no zarr array {path.name!r} in it")
    try:
        taken = hold(work)
    except OutputBusy as busy:
        raise OutputBusy(f"{path} is being relabelled by another process ({busy})") from None
    try:
        (work / OURS).touch()
        recover(work / "new", path)
        shutil.rmtree(work / "new", ignore_errors=True)
        yield work
    finally:
        if path.exists() or not (work / "new").exists():
            shutil.rmtree(work / "new", ignore_errors=True)
            # What tells that the folder is ours goes last.
            for file in sorted(filter(Path.is_file, work.iterdir()), key=lambda file: file.name == OURS):
                file.unlink()
        released(work, taken)


def _is_foreign(work: Path) -> bool:
    """Whether a folder was not made by a relabelling, which may have been killed right behind making it."""
    held = {each.name for each in work.iterdir()} if work.is_dir() else set()
    others = {name for name in held if name.partition(".")[0] != LOCK}
    return work.exists() and OURS not in held and (not work.is_dir() or bool(others))


def _ids(source: Any, path: Path, work: Path) -> NDArray[np.uint64]:
    _check(np.zeros(0, source.dtype), str(path))
    ids, pixels = SortedIds(work), direct(source)
    for region in _blocks(source):
        block = pixels[region]
        _check(block, str(path))
        ids.add(block)
    return ids.table()


def _write(source: Any, ids: NDArray[np.uint64], path: Path, new: Path) -> None:
    """The array renumbered, with metadata that is the old one's file by file, whatever they say."""
    import zarr

    new.mkdir()
    for name in ("zarr.json", ".zarray", ".zattrs"):
        if (path / name).exists():
            shutil.copyfile(path / name, new / name)
    target, pixels = zarr.open_array(new, mode="r+"), direct(source)
    for region in _blocks(source):
        block = pixels[region]
        here, place = np.unique(block, return_inverse=True)
        numbers = np.searchsorted(ids, here.astype(np.uint64)).astype(source.dtype) + source.dtype.type(1)
        numbers[here == 0] = 0
        target[region] = numbers[place].reshape(block.shape)


def _blocks(array: Any) -> Iterator[tuple[slice, ...]]:
    """The array's shards or chunks."""
    steps = array.shards or array.chunks
    axes = [range(0, n, step) for n, step in zip(array.shape, steps, strict=True)]
    for starts in itertools.product(*axes):
        yield tuple(slice(s, min(s + step, n)) for s, step, n in zip(starts, steps, array.shape, strict=True))


def _check(labels: NDArray[Any], what: str) -> None:
    if labels.dtype.kind not in "bui":
        raise InvalidLabels(f"{what} has dtype {labels.dtype}; labels are whole numbers, so store them as such")
    if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
        raise InvalidLabels(f"{what} holds the negative label {labels.min()}; 0 is background, objects are positive")
