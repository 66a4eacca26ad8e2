"""The windows of a network in batches, and which of them a region of the image depends on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..tiling.regions import Region
from ..tiling.windows import WindowGrid

__all__ = ["Batches"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Batches:
    """The windows of all sets of a network in batches: `size` consecutive ones of a set go through it together."""

    grids: tuple[WindowGrid, ...]
    size: int

    @cached_property
    def _first(self) -> list[int]:
        """The first batch of each set, and the number of all."""
        return list(itertools.accumulate((-(-len(grid) // self.size) for grid in self.grids), initial=0))

    def __len__(self) -> int:
        return self._first[-1]

    def windows(self, batch: int) -> tuple[int, range]:
        """The set of a batch, and the numbers of its windows."""
        which = int(np.searchsorted(self._first, batch, "right")) - 1
        start = (batch - self._first[which]) * self.size
        return which, range(start, min(start + self.size, len(self.grids[which])))

    def of(self, which: int, windows: Ints) -> Ints:
        """The batch of each of some windows of a set."""
        return self._first[which] + windows // self.size

    def meeting(self, region: Region) -> dict[int, int]:
        """The batches, ascending, with windows that say something of a region of the image, and how many they are."""
        windows = [self.of(which, grid.meeting(region)) for which, grid in enumerate(self.grids)]
        batches, counts = np.unique(np.concatenate(windows), return_counts=True)
        return dict(zip(batches.tolist(), counts.tolist(), strict=True))

    def uses(self, along: Sequence[Sequence[slice]]) -> Ints:
        """For each batch the sum of its counts in `meeting`, over all regions made of one part along each axis."""
        return np.concatenate([np.add.reduceat(g.uses(along), np.arange(0, len(g), self.size)) for g in self.grids])
