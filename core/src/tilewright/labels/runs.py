"""Label blocks as runs: checking what a segmenter returned, and giving each object a small id of its own.

A run is a stretch of equal values along the flattened block. A block of a megapixel has some ten thousand runs, so
counting by runs costs little. No array here is as long as the largest id.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidLabels
from ..tiling.regions import Region

__all__ = ["Runs", "checked", "checked_outputs", "run_starts", "smallest_dtype", "spread", "spread_part"]

IdArray = NDArray[np.int64]
Labels = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Runs:
    """The objects of a label block, numbered 1..n by their first pixel in raster order.

    block: the labels. same: whether the numbers are the ids of the block.
    values, lengths: the object's number and the number of pixels of each run, in the smallest dtypes; `spread` makes
        the block of them.
    first: for each object the flat position of its first pixel in the block, ascending.
    """

    block: NDArray[np.integer[Any]]
    same: bool
    values: Labels
    lengths: Labels
    first: IdArray

    @cached_property
    def labels(self) -> NDArray[np.integer[Any]]:
        """The block with the objects' numbers, read-only: it may be the block that was given."""
        as_it_is = self.same and np.can_cast(self.block.dtype, np.int64)  # numpy reckons uint64 with others as floats
        labels = self.block.view() if as_it_is else spread(self.values, self.lengths, self.block.shape)
        labels.setflags(write=False)
        return labels

    @cached_property
    def area(self) -> IdArray:
        """The number of pixels of each object."""
        counts = np.bincount(self.values, weights=self.lengths, minlength=len(self.first) + 1)[1:]
        return counts.astype(np.int64)

    @classmethod
    def of(cls, block: NDArray[Any]) -> Runs:
        """The runs of a block of non-negative integers, of any dtype and with any ids."""
        flat = np.ascontiguousarray(block).ravel()
        starts = run_starts(flat)
        whole = flat.reshape(block.shape)
        if len(starts) < 2 and not flat.any():  # as most tiles of a sparse image
            lengths = np.full(len(starts), flat.size, smallest_dtype(flat.size))
            return cls(
                block=whole, same=True, values=np.zeros_like(lengths, np.uint8), lengths=lengths, first=starts[:0]
            )
        lengths = np.diff(starts, append=flat.size)
        first_run, of_run, same = _objects(flat[starts])
        return cls(
            block=whole,
            same=same,
            values=of_run.astype(smallest_dtype(len(first_run))),
            lengths=lengths.astype(smallest_dtype(int(lengths.max()))),
            first=starts[first_run],
        )


def spread(values: NDArray[Any], lengths: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    """The block of some runs: each value repeated by its run's length, in raster order."""
    return np.repeat(values, lengths).reshape(shape)


def spread_part(values: NDArray[Any], lengths: NDArray[Any], shape: Sequence[int], part: Region) -> NDArray[Any]:
    """A region of the block of some runs. Of a small one, such as a halo, no more is made than its pixels."""
    size = math.prod(each.stop - each.start for each in part)
    if 16 * size > math.prod(shape):  # measured: to look up the run of a pixel takes as long as to make 16 pixels
        return spread(values, lengths, shape)[part]
    ends = np.cumsum(lengths, dtype=np.int64)
    flat = np.ravel_multi_index(np.ix_(*(np.arange(each.start, each.stop) for each in part)), tuple(shape))
    found: NDArray[Any] = values[np.searchsorted(ends, flat, side="right")]
    return found


def _objects(values: NDArray[Any]) -> tuple[IdArray, NDArray[Any], bool]:
    """The first run of each object, ascending; the number of each run's object; whether the numbers are the ids.

    values: the id of each run. Most segmenters number in raster order already. Otherwise ids that are not larger than
    the number of runs are looked up in a table, and larger ones are sorted, which takes twice as long.
    """
    highest = np.maximum.accumulate(values)
    first_run = run_starts(highest)[int(values[0] == 0) :]
    if len(first_run) == highest[-1]:  # it grew so often: each time by one
        return first_run, values, True
    return *(_looked_up if highest[-1] <= max(len(values), 1024) else _sorted)(values), False


def _looked_up(values: NDArray[Any]) -> tuple[IdArray, IdArray]:
    place = np.full(int(values.max()) + 1, -1, np.int64)
    place[values[::-1]] = np.arange(len(values) - 1, -1, -1)  # of equal ids the last one stays: the first run
    first_run = np.sort(place[1:][place[1:] >= 0])
    place[values[first_run]] = np.arange(1, len(first_run) + 1)
    place[0] = 0
    return first_run, place[values]


def _sorted(values: NDArray[Any]) -> tuple[IdArray, IdArray]:
    ids, first_run, of_run = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(np.where(ids == 0, -1, first_run), kind="stable")
    number = np.empty(len(ids), np.int64)
    number[order] = np.arange(len(ids)) + (ids[order[0]] != 0)
    return first_run[order[ids[order] != 0]], number[of_run]


def run_starts(flat: NDArray[Any]) -> IdArray:
    """Where the runs of a flat array begin."""
    return np.concatenate((np.zeros(min(1, flat.size), np.int64), np.flatnonzero(flat[1:] != flat[:-1]) + 1))


def smallest_dtype(largest: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The smallest unsigned dtype that holds a number."""
    return np.dtype(np.min_scalar_type(largest))


def checked(labels: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """What a segmenter returned, as an array of non-negative integers of the given shape.

    Booleans, and floats that are whole numbers, are taken; what is masked is background. InvalidLabels for anything
    else; the caller adds the segmenter and the tile.
    """
    if labels is None:
        raise InvalidLabels(f"returned None for pixels whose spatial shape is {shape}")
    try:
        array = labels.filled(0) if hasattr(labels, "filled") else np.asarray(labels)  # numpy.ma takes 6 ms to import
    except Exception as error:  # a tensor on a GPU has errors of its own for it
        raise InvalidLabels(f"returned {type(labels).__name__}, which is not an array ({error})") from error
    if array.shape != shape:
        raise InvalidLabels(f"returned shape {array.shape} for pixels whose spatial shape is {shape}")
    if array.dtype.kind == "f":
        return _whole(array)
    if array.dtype.kind == "b":
        return array.view(np.uint8)
    if array.dtype.kind not in "iu":
        raise InvalidLabels(f"returned dtype {array.dtype}; labels are integers")
    if array.dtype.kind == "i" and array.size and array.min() < 0:
        raise InvalidLabels(f"returned the negative label {array.min()}; 0 is background, objects are positive")
    return array


def checked_outputs(labels: Any, shape: tuple[int, ...], names: Sequence[str]) -> list[NDArray[Any]]:
    """What a segmenter returned, each output `checked`, in the order of their names; one if it declares no names."""
    if not names:
        try:
            return [checked(labels, shape)]
        except InvalidLabels:
            if not isinstance(labels, Mapping):
                raise
            returned = tuple(map(str, labels))
            raise InvalidLabels(
                f"returned a mapping, but declares no outputs; declare outputs = {returned!r}"
            ) from None
    if not isinstance(labels, Mapping):
        raise InvalidLabels(
            f"returned {type(labels).__name__}, but declares outputs = {tuple(names)!r}; return a mapping of these "
            "names to labels"
        )
    if set(labels) != set(names):
        raise InvalidLabels(
            f"returned the outputs {', '.join(map(repr, labels)) or 'of an empty mapping'}, but declares outputs = "
            f"{tuple(names)!r}; return labels for each of these names and no other"
        )
    outputs = []
    for name in names:
        try:
            outputs.append(checked(labels[name], shape))
        except InvalidLabels as error:
            raise InvalidLabels(f"{error}, as its output {name!r}") from error.__cause__
    return outputs


def _whole(array: NDArray[Any]) -> NDArray[Any]:
    bad = ~np.isfinite(array)
    if bad.any():
        raise InvalidLabels(f"returned {array[bad][0]}; labels are finite whole numbers")
    if array.dtype.itemsize < 4:
        array = array.astype(np.float32)  # float16 cannot be compared with 2^64
    bad = (array < 0) | (array >= 2.0**64) | (array != np.floor(array))
    if bad.any():
        raise InvalidLabels(f"returned {array[bad][0]}; labels are whole numbers from 0 to 2^64-1")
    return array.astype(np.uint64)
