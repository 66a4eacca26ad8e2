"""How what a measurer says of parts of objects goes together: the closed list of merges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidMeasures
from .measurer import Block, Columns, PartialMeasurer, Quantity, Rows

__all__ = ["merged", "unsplit"]

Ints = NDArray[np.int64]
Value = Any  # an array of one row for each object, or Rows


def merged(quantity: Quantity, parts: Iterable[tuple[Ints, Value]], n: int) -> Value:
    """What the parts of n objects are together.

    parts: in the order of blocks, each with the indices of its objects among the n (each once), and its value. Objects
    of index -1 are left out.
    """
    if quantity.merge in ("counts", "rows"):
        rows = _gathered(quantity, parts)
        return _counted(rows) if quantity.merge == "counts" else rows
    width = _width(quantity)
    whole = np.full((n, width), _neutral(quantity), quantity.dtype)
    if quantity.merge == "powers":
        whole[:, len(quantity.exponents[0]) :] = 0
    for index, value in parts:
        kept = index >= 0
        _put(
            quantity, whole, index[kept], np.asarray(value).reshape(-1, width)[kept].astype(quantity.dtype, copy=False)
        )
    return whole[:, 0] if width == 1 else whole


def unsplit(measurer: PartialMeasurer, block: Block) -> Columns:
    """The columns of whole objects in one block, by way of their quantities: the reference that any tiling equals."""
    index = np.arange(block.n)
    said = measurer.partial(block)
    quantities = measurer.quantities(block.facts)
    if set(said) != set(quantities):
        raise InvalidMeasures(f"partial returned {sorted(said)}, but quantities declares {sorted(quantities)}")
    together = {name: merged(each, [(index, said[name])], block.n) for name, each in quantities.items()}
    return measurer.finish({**block.known, **together}, block.facts)


def _width(quantity: Quantity) -> int:
    if quantity.merge != "powers":
        return quantity.width
    return len(quantity.exponents[0]) + len(quantity.exponents)


def _neutral(quantity: Quantity) -> Any:
    """What has no effect on what is put to it."""
    if quantity.merge == "sum":
        return 0
    dtype = np.dtype(quantity.dtype)
    if dtype.kind == "f":
        return -np.inf if quantity.merge == "max" else np.inf
    limits = np.iinfo(dtype)
    return limits.min if quantity.merge == "max" else limits.max


def _put(quantity: Quantity, whole: NDArray[Any], index: Ints, value: NDArray[Any]) -> None:
    """Put the value of a part to what is there; each index occurs once."""
    there = whole[index]
    if quantity.merge == "sum":
        whole[index] = there + value
    elif quantity.merge == "min":
        whole[index] = np.minimum(there, value)
    elif quantity.merge == "max":
        whole[index] = np.maximum(there, value)
    elif quantity.merge == "first":
        earlier = value[:, 0] < there[:, 0]
        whole[index[earlier]] = value[earlier]
    else:
        whole[index] = _powers(quantity.exponents, there, value)


def _powers(exponents: tuple[tuple[int, ...], ...], there: NDArray[Any], value: NDArray[Any]) -> NDArray[Any]:
    """The sum of sums of powers about two points, about the smallest coordinates of both."""
    d = len(exponents[0])
    point = np.minimum(there[:, :d], value[:, :d])
    nothing = (there[:, :d] > value[:, :d]).all(axis=1) & (there[:, d:] == 0).all(axis=1)
    there = np.where(nothing[:, None], np.concatenate([point, np.zeros_like(there[:, d:])], axis=1), there)
    return np.concatenate([point, _moved(exponents, value, point) + _moved(exponents, there, point)], axis=1)


def _moved(exponents: tuple[tuple[int, ...], ...], value: NDArray[Any], point: NDArray[Any]) -> NDArray[Any]:
    """Sums of powers about another point: (x - b)^p is the sum of C(p, k) (a - b)^(p - k) (x - a)^k."""
    d = point.shape[1]
    step = value[:, :d] - point
    sums = np.zeros((len(value), len(exponents)), value.dtype)
    for column, terms in enumerate(_terms(exponents)):
        for factor, source, powers in terms:
            term = value[:, d + source] * factor
            for axis, power in enumerate(powers):
                if power:
                    term = term * step[:, axis] ** power
            sums[:, column] += term
    return sums


@cache
def _terms(exponents: tuple[tuple[int, ...], ...]) -> tuple[tuple[tuple[int, int, tuple[int, ...]], ...], ...]:
    """For each sum its terms: the factor, which of the sums, and the powers of the step along each axis."""
    return tuple(
        tuple(
            (
                math.prod(math.comb(p, k) for p, k in zip(whole, part, strict=True)),
                exponents.index(part),
                tuple(p - k for p, k in zip(whole, part, strict=True)),
            )
            for part in itertools.product(*(range(p + 1) for p in whole))
        )
        for whole in exponents
    )


def _gathered(quantity: Quantity, parts: Iterable[tuple[Ints, Value]]) -> Rows:
    """The rows of all parts by object, those of an object in the order of parts."""
    of, values = [np.zeros(0, np.int64)], [np.zeros((0, quantity.width), quantity.dtype)]
    for index, rows in parts:
        place = index[rows.of]
        kept = place >= 0
        of.append(place[kept])
        values.append(np.asarray(rows.values).reshape(-1, quantity.width)[kept].astype(quantity.dtype, copy=False))
    place, whole = np.concatenate(of), np.concatenate(values)
    order = np.argsort(place, kind="stable")
    return Rows(place[order], whole[order])


def _counted(rows: Rows) -> Rows:
    """Rows with one for each key, which is all numbers but the last, and the sum of their last numbers."""
    of, values = rows
    order = _order(of, values[:, :-1])
    of, values = of[order], values[order]
    if not len(of):
        return Rows(of, values)
    new = np.diff(of, prepend=of[0] - 1) != 0
    for key in values.T[:-1]:
        new[1:] |= key[1:] != key[:-1]
    first = np.flatnonzero(new)
    counts = np.add.reduceat(values[:, -1], first)
    return Rows(of[first], np.column_stack([values[first, :-1], counts]).astype(values.dtype, copy=False))


def _order(of: Ints, keys: NDArray[Any]) -> NDArray[np.intp]:
    """What sorts rows by object and key: by one whole number made of both, where there is one."""
    if keys.dtype.kind in "iu" and len(of):
        low = keys.min(axis=0)
        spans = [int(high) - int(least) + 1 for high, least in zip(keys.max(axis=0), low, strict=True)]
        if math.prod(spans) * (int(of.max()) + 1) < 2**63:
            place = of.copy()
            for key, least, span in zip(keys.T, low, spans, strict=True):
                place = place * span + (key - least).astype(np.int64)
            return np.argsort(place, kind="stable")
    return np.lexsort((*keys[:, ::-1].T, of))
