"""The objects of a label image by their table: which are shown, and how they are distributed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.table import Table
from ..errors import InvalidOption

__all__ = ["NEEDED", "SHOWN", "Objects"]

Numbers = NDArray[np.number]

NEEDED = ("label", "num_pixels", "bbox-0")
ODD = ("extent", "eccentricity", "solidity")  # with the size and intensities, what makes an object odd
SHOWN = 8  # of each kind


@dataclass(frozen=True, kw_only=True)
class Objects:
    """Rows of a table. axes: spatial, of the labels, in their order. boxes: (n, axes, 2) first pixel and end."""

    axes: str
    label: NDArray[np.uint64]
    time: NDArray[np.int64]
    pixels: NDArray[np.int64]
    boxes: NDArray[np.int64]
    columns: Mapping[str, Numbers]
    units: Mapping[str, str]

    @classmethod
    def of(cls, table: Table, axes: str) -> Objects:
        """InvalidOption for a table that lacks what `size` measures."""
        missing = [name for name in NEEDED if name not in table.columns]
        if missing:
            raise InvalidOption(
                f"the table {str(table.path)!r} has no column {missing[0]!r}; measure size too, or leave the table out"
            )
        ends = np.stack([table[f"bbox-{n}"] for n in range(2 * len(axes))], axis=-1).astype(np.int64)
        chosen = [name for name in table.columns if name in ODD or name.startswith("intensity_mean")]
        area = ["area"] if "area" in table.columns else []
        return cls(
            axes=axes,
            label=table["label"].astype(np.uint64),
            time=table["t"].astype(np.int64) if "t" in table.columns else np.zeros(len(table), np.int64),
            pixels=table["num_pixels"].astype(np.int64),
            boxes=ends.reshape(-1, 2, len(axes)).transpose(0, 2, 1),
            columns={name: table[name] for name in (*area, *chosen)},
            units={name: table.columns[name].unit for name in (*area, *chosen)},
        )

    def __len__(self) -> int:
        return len(self.label)

    def box(self, row: int) -> dict[str, slice]:
        return {axis: slice(int(a), int(b)) for axis, (a, b) in zip(self.axes, self.boxes[row], strict=True)}

    def groups(self, tile: Mapping[str, int]) -> dict[str, list[int]]:
        """The rows that are shown, by kind. tile: the length of tiles by axis; empty if it is not known."""
        random = np.random.default_rng(0)
        size = np.argsort(self.pixels, kind="stable")
        seams = np.flatnonzero(self._across(tile))
        groups = {
            "at random": _some(np.arange(len(self)), random),
            "across a seam": _some(seams, random),
            "largest": size[::-1][:SHOWN],
            "smallest": size[:SHOWN],
            "oddest": np.argsort(-self._oddness(), kind="stable")[:SHOWN],
        }
        return {name: [int(row) for row in rows] for name, rows in groups.items() if len(rows)}

    def _across(self, tile: Mapping[str, int]) -> NDArray[np.bool_]:
        """The objects that lie in several tiles."""
        across = np.zeros(len(self), bool)
        for number, axis in enumerate(self.axes):
            if length := tile.get(axis, 0):
                across |= self.boxes[:, number, 0] // length != (self.boxes[:, number, 1] - 1) // length
        return across

    def _oddness(self) -> NDArray[np.float64]:
        """How far each object is from the median, in median deviations of all, over all that is known of it."""
        sizes = np.log(np.maximum(1, self.pixels))
        figures: Sequence[Numbers] = [sizes, *(values for name, values in self.columns.items() if name != "area")]
        oddness = np.zeros(len(self))
        for values in figures if len(self) else ():
            away = np.abs(values.astype(np.float64) - np.nanmedian(values))
            oddness += np.nan_to_num(away / (np.nanmedian(away) or 1.0))
        return oddness

    def density(self, shape: Mapping[str, int], cells: int) -> NDArray[np.float64]:
        """Objects by the place of their middles in y and x, in cells of equal sides, at most so many along an axis."""
        lengths = [shape[axis] for axis in "yx"]
        side = max(1, -(-max(lengths) // cells))
        middles = [self.boxes[:, self.axes.index(axis)].sum(axis=1) // 2 // side for axis in "yx"]
        counts = np.zeros([-(-length // side) for length in lengths])
        np.add.at(counts, tuple(middles), 1)
        return counts


def _some(rows: NDArray[np.intp], random: np.random.Generator) -> NDArray[np.intp]:
    return np.sort(random.choice(rows, min(SHOWN, len(rows)), replace=False)) if len(rows) else rows
