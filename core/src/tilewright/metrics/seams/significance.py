"""Whether what is seen at seams differs from what is seen away from them: a permutation test and an interval."""

from __future__ import annotations

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

    name: `edges`, `ends` and `sizes` are of the labels alone; `objects` and `steps` of what was segmented again.
    at_seams, elsewhere: hits by chances. low, high: the 95 % confidence interval of their difference (bootstrap).
    p: of a permutation test, not corrected for the other figures. count: the seams or crops that it is from.
    """

    name: str
    at_seams: float
    elsewhere: float
    difference: float
    low: float
    high: float
    p: float
    count: int


def tested(name: str, hits: Floats, chances: Floats, seed: int, *, larger: bool) -> Finding | None:
    """The test of (n, 1 + k) counts: of n seams in the first column, and of k places beside each, away from seams.

    hits: what is counted of each. chances: of how many. If tiling did nothing, the seam is any of its row's places. So
    one place of each row is drawn: do they have as much beyond their row's share, all together, as the seams have?
    larger: whether only more counts; else less does too, and so do few seams that differ much (the sum of squares), and
    the p of both is twice the smaller one. None where there are no chances.
    """
    some = (chances > 0).any(axis=1)
    hits, chances = hits[some], chances[some]
    if not chances[:, 0].sum() or not chances[:, 1:].sum():
        return None
    share = hits.sum(axis=1, keepdims=True) / chances.sum(axis=1, keepdims=True)
    beyond = hits - share * chances
    if larger:
        p = _p(beyond, seed, larger=True)
    else:
        squares = beyond**2 / chances.mean(axis=1, keepdims=True)
        p = min(1.0, 2 * min(_p(beyond, seed, larger=False), _p(squares, seed, larger=True)))
    parts = np.stack([part for each in (hits, chances) for part in (each[:, 0], each[:, 1:].sum(axis=1))], 1)
    here, there = _shares(parts.sum(axis=0))
    low, high = _interval(parts)
    return Finding(
        name=name,
        at_seams=float(here),
        elsewhere=float(there),
        difference=float(here - there),
        low=low,
        high=high,
        p=p,
        count=len(hits),
    )


def _p(values: Floats, seed: int, *, larger: bool) -> float:
    """How often places that are drawn at random, one of each row, have a sum as large as the first ones."""
    random, rows, p = np.random.default_rng(seed), np.arange(len(values)), 1.0
    size = np.positive if larger else np.abs
    seen = size(values[:, 0].sum())
    for rounds in ROUNDS:
        parts = np.diff(np.append(np.arange(0, rounds, max(1, AT_A_TIME // len(values))), rounds))
        reached = 0
        for part in parts.tolist():
            drawn = values[rows, random.integers(0, values.shape[1], (part, len(values)))].sum(axis=1)
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
