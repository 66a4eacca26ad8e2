"""Exact quantiles by radix selection: a digit of the values at a time, from the highest on.

A pass counts, in each object, the values' next digits among those values that have the bits which are decided already;
the counts say which digit the value of each rank has. Values of 16 bits are two digits of 8 bits: what is counted in
one pass over digits of 16 bits is nearly as many rows as there are pixels, and a second look at the pixels costs less.
Wider values are digits of 16 bits, so that there are two passes for 32 bits and four for 64.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Block, Column, Columns, Facts, Quantity, Rows, unsplit

from .runs import Ints, Runs
from .values import from_order, in_order

__all__ = ["LAST", "RankPass", "quantiles"]

LAST = 3  # the number of the last pass: 64 bits are four


class Ranks(NamedTuple):
    """(n, channels, ranks) the decided bits of the value of each rank, and its rank among the values with these bits.

    Each quantile lies between two ranks, which may be the same. pixels: (n,) how many there are.
    """

    prefix: NDArray[np.uint64]
    rank: Ints
    pixels: Ints


def _bits(facts: Facts) -> int:
    """The bits of a digit."""
    return 16 if _size(facts) > 2 else 8


def _size(facts: Facts) -> int:
    """The bytes of a value."""
    return 1 if facts.dtype is None else facts.dtype.itemsize


def _before(facts: Facts, number: int) -> int:
    """How many passes have decided bits before this one; -1 if it has none to decide."""
    digits = _size(facts) * 8 // _bits(facts)
    return max(-1, number - (LAST + 1 - digits))


def _first_ranks(pixels: Ints, fractions: tuple[float, ...], channels: int, nan: NDArray[np.bool_]) -> Ranks:
    """The ranks on both sides of each quantile, from 0; the last one where there is a NaN, which is the greatest."""
    low = np.floor(np.multiply.outer(pixels - 1, np.array(fractions))).astype(np.int64)
    both = np.stack([low, np.minimum(low + 1, pixels[:, None] - 1)], axis=2).reshape(len(pixels), 1, 2 * len(fractions))
    rank = np.where(nan[:, :, None], (pixels - 1)[:, None, None], np.repeat(both, channels, axis=1))
    return Ranks(np.zeros(rank.shape, np.uint64), rank, pixels)


def _first_with(prefix: NDArray[np.uint64]) -> Ints:
    """For each rank the first one that has the same bits: what is counted for that one is counted once."""
    first: Ints = np.argmax(prefix[..., :, None] == prefix[..., None, :], axis=-1)
    return first


def counts_of(block: Block, number: int, before: Ranks | None, ranks: int) -> Rows:
    """Rows of a slot (channel and rank in one number), the next digit of a value, and how many pixels have it."""
    runs, bits = Runs.of_block(block), _bits(block.facts)
    index = np.repeat(runs.of, runs.length)
    of, rows = [np.zeros(0, np.int64)], [np.zeros((0, 3), np.int64)]
    assert block.pixels is not None  # it is measured only where there is an image
    for channel, pixels in enumerate(block.pixels):
        flat = pixels[block.core].reshape(-1)
        values = in_order(flat[runs.spread(np.ones(len(runs.of), bool), flat.size)])
        high = values >> values.dtype.type(bits * (LAST - number))
        for rank, mine in _chosen(high, index, before, channel, bits):
            digit = high[mine] & high.dtype.type((1 << bits) - 1)
            key, count = _occurrences((index[mine] << bits) | digit.astype(np.int64), block.n << bits)
            of.append(key >> bits)
            rows.append(np.stack([np.full(len(key), channel * ranks + rank), key & ((1 << bits) - 1), count], axis=1))
    return Rows(np.concatenate(of), np.concatenate(rows))


def _occurrences(keys: Ints, end: int) -> tuple[Ints, Ints]:
    """The distinct keys, ascending, and how often each occurs. All are below `end`; in a table if it is small."""
    if end > 4 * len(keys):
        return np.unique(keys, return_counts=True)
    count = np.bincount(keys)
    key = np.flatnonzero(count)
    return key, count[key]


def _chosen(high: Any, index: Ints, before: Ranks | None, channel: int, bits: int) -> Iterator[tuple[int, Any]]:
    """Each rank of a channel for which digits are counted, and of which values."""
    if before is None:
        yield 0, slice(None)
        return
    prefix = before.prefix[:, channel].astype(high.dtype)
    upper, first = high >> high.dtype.type(bits), _first_with(prefix)
    for rank in range(prefix.shape[1]):
        mine = np.flatnonzero(upper == prefix[:, rank][index])
        yield rank, mine[first[index[mine], rank] == rank]


def decided(rows: Rows, before: Ranks | None, fractions: tuple[float, ...], n: int, facts: Facts) -> Ranks:
    """What the counts of a pass decide. rows: by object, slot and bits, ascending."""
    of, (slot, digit, count) = rows.of, rows.values.T
    channels, ranks = len(facts.channels), 2 * len(fractions)
    if before is None:
        pixels = np.zeros(n, np.int64)
        np.add.at(pixels, of, count * (slot == 0))
        nan = np.zeros((n, channels), bool)
        if np.dtype(facts.dtype).kind == "f":
            greatest = digit == (1 << _bits(facts)) - 1  # no other value than NaN has such a first digit
            nan[of[greatest], slot[greatest] // ranks] = True
        before = _first_ranks(pixels, fractions, channels, nan)
    slots = np.arange(channels)[:, None] * ranks + _first_with(before.prefix)
    wanted = np.arange(n)[:, None, None] * channels * ranks + slots
    up_to = np.cumsum(count)
    start = np.searchsorted(of * channels * ranks + slot, wanted)
    target = np.append(0, up_to)[start] + before.rank
    row = np.searchsorted(up_to, target, side="right")
    prefix = (before.prefix << np.uint64(_bits(facts))) | digit[row].astype(np.uint64)
    return Ranks(prefix, target - (up_to - count)[row], before.pixels)


def quantiles(ranks: Ranks, fractions: tuple[float, ...], facts: Facts) -> NDArray[np.float64]:
    """(n, channels, fractions) the quantiles, between the values of two ranks in proportion, as numpy has them."""
    values = from_order(ranks.prefix, np.dtype(facts.dtype))
    low, high = values[..., ::2], values[..., 1::2]
    place = np.multiply.outer(ranks.pixels - 1, np.array(fractions))
    part = np.broadcast_to((place - np.floor(place))[:, None], low.shape)
    with np.errstate(invalid="ignore"):  # between infinities
        return np.where((part == 0) | (low == high), low, (1 - part) * low + part * high)


@dataclass(frozen=True, kw_only=True)
class RankPass:
    """One pass over the pixels. fractions: of the quantiles, from 0 to 1. number: 0, 1, 2; the last is its caller's.

    It has columns and quantities only where there are bits to decide for it.
    """

    fractions: tuple[float, ...]
    number: int

    @property
    def after(self) -> RankPass | None:
        """The pass before."""
        return RankPass(fractions=self.fractions, number=self.number - 1) if self.number else None

    def columns(self, facts: Facts, /) -> Mapping[str, Column]:
        """What is decided, as columns of whole numbers."""
        if _before(facts, self.number) < 0:
            return {}
        names = [f"{c}-{r}" for c in range(len(facts.channels)) for r in range(2 * len(self.fractions))]
        prefixes = {f"prefix-{name}": Column(dtype="uint64") for name in names}
        return {
            "pixels": Column(dtype="int64"),
            **prefixes,
            **{f"rank-{name}": Column(dtype="int64") for name in names},
        }

    def known(self, columns: Columns, facts: Facts, /) -> Ranks | None:
        """What the passes before this one have decided; None if it is the first."""
        if _before(facts, self.number) < 1:
            return None
        shape = (-1, len(facts.channels), 2 * len(self.fractions))
        prefix, rank = (
            np.stack([values for name, values in columns.items() if name.startswith(kind)], axis=-1).reshape(shape)
            for kind in ("prefix-", "rank-")
        )
        return Ranks(prefix, rank, columns["pixels"])

    def quantities(self, facts: Facts, /) -> Mapping[str, Quantity]:
        """The counts."""
        return {"digits": Quantity(merge="counts", dtype="int64", width=3)} if _before(facts, self.number) >= 0 else {}

    def partial(self, block: Block, /) -> Mapping[str, Any]:
        """The counts of a block."""
        if not self.quantities(block.facts):
            return {}
        known = self.known(block.known, block.facts)
        return {"digits": counts_of(block, self.number, known, 2 * len(self.fractions))}

    def ranks(self, merged: Mapping[str, Any], facts: Facts, n: int) -> Ranks:
        """What is decided after this pass."""
        return decided(merged["digits"], self.known(merged, facts), self.fractions, n, facts)

    def finish(self, merged: Mapping[str, Any], facts: Facts, /) -> Columns:
        """The columns."""
        if not self.quantities(facts):
            return {}
        known = merged["digits"].of
        n = len(merged["pixels"]) if "pixels" in merged else int(known.max(initial=-1)) + 1
        ranks = self.ranks(merged, facts, n)
        flat = (each.reshape(n, len(facts.channels) * 2 * len(self.fractions)).T for each in ranks[:2])
        names = list(self.columns(facts))
        return dict(zip(names, [ranks.pixels, *next(flat), *next(flat)], strict=True))

    def __call__(self, block: Block, /) -> Columns:
        """The columns of whole objects; the passes before are made if nothing is known of them."""
        if self.after is not None and not block.known:
            block = dataclasses.replace(block, known=self.after(block))
        return unsplit(self, block)
