"""The built-in mergers, `touch` and `overlap`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..abc.merger import Copies, Decision, Evidence, Labels, Seam
from ..errors import InvalidOption
from ..labels.pairs import count_pairs

__all__ = ["Overlap", "Touch"]


@dataclass(frozen=True, kw_only=True)
class Touch:
    """Labels that touch across a seam are one object. This is exact for connected components.

    `connectivity` must be that of the segmenter: 1 joins pixels that share a face, 2 also pixels that share an edge, up
    to the number of spatial dimensions (as in `scipy.ndimage.generate_binary_structure`).

    >>> from tilewright import TileGrid
    >>> grid = TileGrid.regular("yx", shape=(2, 2), tile=(1, 2), halo=(0, 0))
    >>> faces = np.array([[1, 0]], np.uint8), np.array([[0, 1]], np.uint8)
    >>> seam = Seam(lower=grid[0], upper=grid[1], offset=(1, 0), labels=faces)
    >>> Touch()(seam).tolist(), Touch(connectivity=2)(seam).tolist()
    ([], [[1, 1]])
    """

    connectivity: int = field(default=1, metadata={"help": "1: shared faces; 2: edges too; 3: corners too"})

    def __post_init__(self) -> None:
        if self.connectivity < 1:
            raise InvalidOption(f"connectivity must be at least 1, not {self.connectivity}")

    @property
    def diagonals(self) -> int:
        """Tiles that meet across more axes than this have no pixels that touch each other."""
        return self.connectivity

    def __call__(self, seam: Seam) -> NDArray[np.int64]:
        lower, upper = seam.labels
        steps: list[tuple[int, ...]] = [(0,) if o else (-1, 0, 1) for o in seam.offset]
        free = self.connectivity - sum(map(bool, seam.offset))
        found = [count_pairs(lower[here], upper[there])[:, :2] for here, there in _shifts(steps, free, lower.shape)]
        pairs = np.concatenate(found) if found else np.zeros((0, 2), np.int64)
        pairs = pairs[(pairs > 0).all(axis=1)]
        return np.unique(pairs, axis=0) if len(found) > 1 else pairs

    def many(self, faces: Sequence[tuple[Labels, Labels]]) -> NDArray[np.int64]:
        """The pairs of many faces with connectivity 1: rows of the face's place, label in lower, label in upper.

        A face of small tiles has a thousand pixels, for which some thirty calls of numpy take longer than the work.
        """
        if not faces:
            return np.zeros((0, 3), np.int64)
        lower, upper = (np.concatenate([face[side].ravel() for face in faces]) for side in (0, 1))
        both = np.flatnonzero((lower > 0) & (upper > 0))
        ends = np.searchsorted(both, np.cumsum([face[0].size for face in faces]))
        place = np.repeat(np.arange(len(faces)), np.diff(ends, prepend=0))
        rows = _changing(place, lower[both], upper[both])  # along a face the same pair comes many times in a row
        return _changing(*rows[np.lexsort(rows.T[::-1])].T)


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Two tiles' views of an object, in the region that both saw, are one object, drawn from the best view.

    It is for segmenters that return instances (StarDist, Cellpose): touching cells stay apart. It needs a halo of at
    least one pixel, better the context that the network needs plus the size of a typical object. An object that a tile
    sees whole is drawn from the tile that sees it best; objects that no tile sees whole are united. The rule and its
    numbers are in `builtin.ownership`.
    """

    best_at: int = field(
        default=12,
        metadata={"help": "pixels from a tile's edge beyond which all views of an object are equally good"},
    )
    free: float = field(
        default=0.7, metadata={"help": "share of its pixels that better views must leave to a view that is drawn"}
    )
    same: float = field(default=0.3, metadata={"help": "IoU, where both tiles looked, from which cut views are united"})

    def __call__(self, seam: Seam) -> NDArray[np.int64]:
        """Columns: label in lower, label in upper, pixels shared, pixels of either in the region that both saw."""
        lower, upper = seam.labels
        counts = count_pairs(lower, upper)
        seen_lower = _sums(counts[:, 0], counts[:, 2])
        seen_upper = _sums(counts[:, 1], counts[:, 2])
        both = counts[(counts[:, 0] > 0) & (counts[:, 1] > 0)]
        return np.column_stack([both, seen_lower[both[:, 0]], seen_upper[both[:, 1]]])

    def decide(self, copies: Copies, evidence: Evidence) -> Decision:
        """Which copies are drawn, in which order, and which of them are one object."""
        from .ownership import Rule, decide  # most runs are joined by `touch`

        return decide(copies, evidence, Rule(best_at=self.best_at, free=self.free, same=self.same))


def _sums(labels: NDArray[np.int64], pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.bincount(labels, weights=pixels).astype(np.int64)


def _shifts(
    steps: list[tuple[int, ...]], free: int, shape: tuple[int, ...]
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Pairs of windows of two facing planes; pixels at the same place of a pair touch each other."""
    for shift in itertools.product(*steps):
        if sum(map(bool, shift)) <= free:
            here = tuple(slice(max(0, -s), n - max(0, s)) for s, n in zip(shift, shape, strict=True))
            there = tuple(slice(max(0, s), n - max(0, -s)) for s, n in zip(shift, shape, strict=True))
            yield here, there


def _changing(*columns: NDArray[Any]) -> NDArray[np.int64]:
    """The rows that differ from the row before."""
    fresh = np.zeros(len(columns[0]), np.bool_)
    fresh[:1] = True
    for column in columns:
        fresh[1:] |= column[1:] != column[:-1]
    return np.column_stack([column[fresh] for column in columns]).astype(np.int64)
