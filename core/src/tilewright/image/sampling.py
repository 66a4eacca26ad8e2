"""Samples of an image: regions that are spread evenly over it, and percentiles of their pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tiling.regions import Region

__all__ = ["covering", "percentiles_of", "sampled"]

PART = 2**18  # pixels


def sampled(shape: Sequence[int], chunks: Sequence[int], pixels: int, blocks: int) -> Iterator[Region]:
    """At most `blocks` regions, spread evenly over an image, each within a storage chunk, with about `pixels` in all.

    They depend on shape and chunks alone. For an image with at most `pixels` pixels they cover the whole image.
    """
    parts = _parts(chunks, PART)
    counts = tuple(-(-n // c) for n, c in zip(shape, parts, strict=True))
    total = math.prod(counts)
    whole = math.prod(shape) <= pixels
    taken = range(total) if whole else _spread(total, min(blocks, total))
    limit = math.prod(parts) if whole else max(1, pixels // len(taken))
    return (_central(np.unravel_index(number, counts), parts, shape, limit) for number in taken)


def covering(shape: Sequence[int], chunks: Sequence[int], pixels: int) -> Iterator[Region]:
    """Regions that hold each pixel of an image once, each of whole storage chunks, of at most about `pixels`.

    A chunk of more is cut into parts.
    """
    parts = list(_parts(chunks, max(1, pixels)))
    for axis in reversed(range(len(parts))):
        parts[axis] = min(max(1, shape[axis]), parts[axis] * max(1, pixels // math.prod(parts)))
    starts = (range(0, n, step) for n, step in zip(shape, parts, strict=True))
    return (
        tuple(slice(start, min(start + step, n)) for start, step, n in zip(corner, parts, shape, strict=True))
        for corner in product(*starts)
    )


def percentiles_of(blocks: Iterable[NDArray[Any]], low: float, high: float) -> tuple[float, float]:
    """The values at two percentiles of the finite pixels of some blocks, as `Image.percentiles` returns them."""
    values = np.concatenate([block[np.isfinite(block)] for block in blocks] or [np.empty(0)])
    if not values.size:
        return 0.0, 1.0
    if values.dtype == bool:
        values = values.astype(np.uint8)  # between which numpy can interpolate
    lower, upper = (float(value) for value in np.percentile(values, (low, high)))
    return (lower, upper) if lower < upper else (float(values.min()), float(values.max()))


def _spread(total: int, count: int) -> list[int]:
    """`count` numbers below `total` with even gaps, shifted so that they do not fall on one column of a grid."""
    golden = (math.sqrt(5) - 1) / 2
    return sorted({int((k + (k * golden) % 1) * total / count) for k in range(count)})


def _parts(chunks: Sequence[int], most: int) -> tuple[int, ...]:
    """The shape of a part of a chunk with at most `most` pixels, because a single chunk may be the whole image."""
    parts = list(chunks)
    while math.prod(parts) > most:
        longest = parts.index(max(parts))
        parts[longest] = -(-parts[longest] // 2)
    return tuple(parts)


def _central(index: Sequence[Any], chunks: Sequence[int], shape: Sequence[int], limit: int) -> Region:
    """The middle of a storage chunk, cut down to at most about `limit` pixels."""
    starts = [int(i) * c for i, c in zip(index, chunks, strict=True)]
    lengths = [min(c, n - s) for s, c, n in zip(starts, chunks, shape, strict=True)]
    while math.prod(lengths) > limit:
        longest = lengths.index(max(lengths))
        shrunk = max(1, min(lengths[longest] - 1, int(lengths[longest] * limit / math.prod(lengths))))
        lengths[longest] = max(shrunk, lengths[longest] // 2, 1)
    offsets = [
        s + (min(c, n - s) - length) // 2 for s, c, n, length in zip(starts, chunks, shape, lengths, strict=True)
    ]
    return tuple(slice(o, o + length) for o, length in zip(offsets, lengths, strict=True))
