"""Many seams at once for the merger `touch` where only shared faces join.

A seam of small tiles has a thousand pixels, and some thirty numpy calls for so few take longer than the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..mergers import Touch
from ..seams import Seam

__all__ = ["can_batch", "touching"]


def can_batch(merger: Callable[..., Any]) -> bool:
    """Whether `touching` says what that merger says."""
    return type(merger) is Touch and merger.connectivity == 1


def touching(seams: Sequence[Seam]) -> list[NDArray[np.int64]]:
    """What `Touch(connectivity=1)` says of each of these seams, all of which are faces."""
    lower, upper = (np.concatenate([seam.labels[side].ravel() for seam in seams]) for side in (0, 1))
    both = np.flatnonzero((lower > 0) & (upper > 0))
    seam = np.repeat(np.arange(len(seams)), [each.labels[0].size for each in seams])[both]
    rows = np.column_stack([seam, lower[both], upper[both]]).astype(np.int64)
    fresh = np.ones(len(rows), np.bool_)
    fresh[1:] = (rows[1:] != rows[:-1]).any(axis=1)  # along a face the same pair comes many times in a row
    rows = rows[fresh]
    rows = rows[np.lexsort(rows.T[::-1])]
    fresh = np.ones(len(rows), np.bool_)
    fresh[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    rows = rows[fresh]
    return np.split(rows[:, 1:], np.searchsorted(rows[:, 0], np.arange(1, len(seams))))
