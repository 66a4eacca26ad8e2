"""What is measured: label images that are stored (`StoredLabels`) or still in a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...tiling.grid import TileGrid
from ...tiling.regions import Region, lengths
from ..checkpoint.tables import Table
from ..plan import Plan
from ..reading import What
from .write import assembled

__all__ = ["DrawnLabels", "LabelArray", "LabelImage"]


class LabelImage(Protocol):
    """Final labels, read by regions of the grid's axes."""

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def read(self, region: Region, what: What) -> tuple[NDArray[Any], int]:
        """The labels of a region, and its guard. `what` is read, for an error."""

    def guard(self, region: Region, what: What) -> int:
        """A number that changes when a region's labels do. It reads them only if nothing else tells."""


@dataclass(frozen=True, kw_only=True)
class DrawnLabels:
    """The labels of a run, put together from its checkpoint, whose basis tells of a change."""

    plan: Plan
    dtype: np.dtype[Any]

    def read(self, region: Region, what: What) -> tuple[NDArray[Any], int]:  # noqa: ARG002 - nothing that a user stored
        labels = assembled(self.plan, region, self.dtype, *self._recorded)
        return np.zeros(lengths(region), self.dtype) if labels is None else labels, 0

    def guard(self, region: Region, what: What) -> int:  # noqa: ARG002 - as above
        return 0

    @cached_property
    def _recorded(self) -> tuple[Table, NDArray[Any]]:
        return self.plan.pieces, self.plan.checkpoint.load("numbers")

    def __getstate__(self) -> dict[str, Any]:
        return {"plan": self.plan, "dtype": self.dtype}


class LabelArray:
    """The label image as an array of the axes `t`, if it has times, and the spatial ones, for a table's format."""

    def __init__(self, labels: LabelImage, grid: TileGrid) -> None:
        self._labels = labels
        self._axes = sorted(range(len(grid.axes)), key=lambda i: grid.axes[i] != "t")
        self.shape = tuple(grid.shape[i] for i in self._axes)
        self.chunks = tuple(grid.largest[i] for i in self._axes)
        self.dtype = labels.dtype

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """A region, by slices without a step and whole numbers; axes that are left out are whole."""
        given = index if isinstance(index, tuple) else (index,)
        parts = [*(each for each in given if each is not Ellipsis), *[slice(None)] * len(self.shape)][: len(self.shape)]
        kept = tuple(slice(None) if isinstance(part, slice) else 0 for part in parts)
        spans = [
            slice(*part.indices(n)[:2]) if isinstance(part, slice) else slice(part, part + 1)
            for part, n in zip(parts, self.shape, strict=True)
        ]
        region = tuple(spans[self._axes.index(i)] for i in range(len(spans)))
        labels = self._labels.read(region, lambda _: str(spans))[0]
        return labels.astype(self.dtype, copy=False).transpose(self._axes)[kept]
