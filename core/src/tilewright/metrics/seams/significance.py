"""Whether what is seen at seams differs from what is seen away from them: a permutation test and an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Finding", "tested"]

Floats = NDArray[np.float64]

ROUNDS = (999, 99_999)  # permutations; the second time only if the first gave a p below `CLEAR`
CLEAR = 0.05
AT_A_TIME = 2**20  # values that are drawn at a time
RESAMPLES = 1999


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One figure of a seam check, at seams and elsewhere.

    name: `cover`, `edges`, `ends` and `sizes` are of the labels alone, `objects` and `steps` of crops too.
    at_seams, elsewhere: hits by chances. low, high: the 95 % confidence interval of their difference (bootstrap).
    p: of a permutation test, not corrected for the other figures. least: the smallest p that so few seams can give.
    count: the seams or crops that it is from.
    """

    name: str
    at_seams: float
    elsewhere: float
    difference: float
    low: float
    high: float
    p: float
    least: float
    count: int


def tested(name: str, rows: Sequence[Floats], seed: int, *, larger: bool) -> Finding | None:
    """The test of n rows (1 + k, 2): hits and chances at a seam, and at k places beside it that are away from seams.

    If tiling did nothing, the seam is any of its row's places. So one place of each row is drawn: do they have as many
    hits beyond their row's share, all together, as the seams have? Rows may differ in k.
    larger: whether only more hits count; else fewer do too, and so do few seams that differ much (by the sum of
    squares), and p is twice that of the surer one. None where there are no chances.
    """
    some = [row for row in rows if row[:, 1].any()]
    parts = np.array([[*row[0], *row[1:].sum(axis=0)] for row in some]).reshape(-1, 4)[:, [0, 2, 1, 3]]
    if not (parts[:, 2].any() and parts[:, 3].any()):
        return None
    counts = np.array([len(row) for row in some])
    beyond = [row[:, 0] - row[:, 0].sum() / row[:, 1].sum() * row[:, 1] for row in some]
    if larger:
        p = _p(_padded(beyond), counts, seed, larger=True)
    else:
        squares = [values**2 / row[:, 1].mean() for values, row in zip(beyond, some, strict=True)]
        either = _p(_padded(beyond), counts, seed, larger=False), _p(_padded(squares), counts, seed, larger=True)
        p = min(1.0, 2 * min(either))
    here, there = _shares(parts.sum(axis=0)).tolist()
    low, high = _interval(parts)
    return Finding(
        name=name,
        at_seams=here,
        elsewhere=there,
        difference=here - there,
        low=low,
        high=high,
        p=p,
        least=(1 if larger else 2) * max(float(np.prod(1 / counts)), 1 / (1 + ROUNDS[-1])),
        count=len(some),
    )


def _padded(rows: Sequence[Floats]) -> Floats:
    """Rows of different lengths as one array; what is behind their ends is never drawn."""
    most = max(map(len, rows))
    return np.stack([np.pad(row, (0, most - len(row))) for row in rows])


def _p(values: Floats, counts: NDArray[np.int64], seed: int, *, larger: bool) -> float:
    """How often places that are drawn at random, one of each row, have a sum as large as the first ones."""
    random, rows, p = np.random.default_rng(seed), np.arange(len(values)), 1.0
    size = np.positive if larger else np.abs
    seen = size(values[:, 0].sum())
    for rounds in ROUNDS:
        parts = np.diff(np.append(np.arange(0, rounds, max(1, AT_A_TIME // len(values))), rounds))
        reached = 0
        for part in parts.tolist():
            drawn = values[rows, random.integers(0, counts, (part, len(values)))].sum(axis=1)
            reached += int((size(drawn) >= seen - 1e-9 * abs(seen)).sum())
        p = (1 + reached) / (1 + rounds)
        if p > CLEAR:
            break
    return p


def _shares(parts: Floats) -> Floats:
    """Hits by chances, of sums of hits at seams and elsewhere and chances at seams and elsewhere."""
    shares: Floats = parts[..., :2] / np.maximum(parts[..., 2:], 1e-12)
    return shares


def _interval(parts: Floats) -> tuple[float, float]:
    """The bootstrap's 95 % confidence interval of the difference of both shares; its units are the rows."""
    random = np.random.default_rng(0)
    shares = _shares(parts[random.integers(0, len(parts), (RESAMPLES, len(parts)))].sum(axis=1))
    low, high = np.percentile(shares[:, 0] - shares[:, 1], [2.5, 97.5])
    return float(low), float(high)
