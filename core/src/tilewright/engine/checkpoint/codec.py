"""A record's named arrays as bytes: small ones are compressed together, each large one by itself.

A tile has ten small arrays. The codec lets go of the interpreter's lock in every call, and to wait until a thread that
segments gives it back takes longer than to compress them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

__all__ = ["decode", "encode"]

_LARGE = 2**14  # bytes
_COMPRESS_FROM = 4096  # bytes; below, the codec's own overhead exceeds what it saves


def encode(arrays: Mapping[str, NDArray[Any]]) -> tuple[bytes, bytes]:
    """The table of the arrays, and their data."""
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
