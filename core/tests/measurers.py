"""Measurers of every kind, in few lines, whose values in whole numbers are exact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tilewright.abc import Block, Column, Columns, Facts, Quantity, Rows, unsplit


def summed(block: Block, weights: Any = None) -> NDArray[Any]:
    """For each of the block's objects the sum over its pixels in the core."""
    labels = block.labels[block.core].ravel()
    weights = None if weights is None else weights[block.core].ravel()
    return np.bincount(labels, weights=weights, minlength=block.n + 1)[1 : block.n + 1]


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Pixels of an object, and the sum of each channel."""

    calls: str = ""

    def columns(self, facts: Facts) -> dict[str, Column]:
        return {"area": Column(dtype="int64")} | {f"sum-{name}": Column(dtype="int64") for name in facts.channels}

    def quantities(self, facts: Facts) -> dict[str, Quantity]:
        return {"area": Quantity(dtype="int64"), "sum": Quantity(dtype="int64", width=len(facts.channels))}

    def partial(self, block: Block) -> dict[str, Any]:
        if self.calls:
            with Path(self.calls).open("ab", buffering=0) as file:
                file.write(b".")
        assert block.pixels is not None
        sums = [summed(block, channel).astype(np.int64) for channel in block.pixels]
        return {"area": summed(block), "sum": np.stack(sums, axis=1)}

    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Columns:
        sums = merged["sum"].reshape(len(merged["area"]), len(facts.channels))
        return {"area": merged["area"]} | {f"sum-{name}": sums[:, i] for i, name in enumerate(facts.channels)}

    def __call__(self, block: Block) -> Columns:
        return unsplit(self, block)


@dataclass(frozen=True, kw_only=True)
class Above:
    """Pixels above the object's own mean, for which its mean has to be known."""

    after: Sums = field(default_factory=Sums)

    def columns(self, facts: Facts) -> dict[str, Column]:
        return {"above": Column(dtype="uint32")}

    def quantities(self, facts: Facts) -> dict[str, Quantity]:
        return {"above": Quantity(dtype="int64")}

    def partial(self, block: Block) -> dict[str, Any]:
        assert block.pixels is not None
        mean = np.zeros(len(block.ids) + 1)
        mean[1 : block.n + 1] = block.known[f"sum-{block.facts.channels[0]}"] / block.known["area"]
        return {"above": summed(block, block.pixels[0] > mean[block.labels]).astype(np.int64)}

    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Columns:
        return {"above": merged["above"] * (merged["area"] > 0)}

    def __call__(self, block: Block) -> Columns:
        return unsplit(self, block)


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """How many other objects an object touches, and the sum of the given ids that lie on it; looks at labels alone."""

    pixels: bool = False
    halo: int = 1
    given: tuple[str, ...] = ("nuclei",)

    def columns(self, facts: Facts) -> dict[str, Column]:
        return {"neighbours": Column(dtype="int64"), "nuclei": Column(dtype="int64")}

    def quantities(self, facts: Facts) -> dict[str, Quantity]:
        return {
            "area": Quantity(dtype="int64"),
            "touching": Quantity(merge="counts", dtype="uint64", width=2),
            "others": Quantity(merge="rows", dtype="uint64"),
        }

    def partial(self, block: Block) -> dict[str, Any]:
        pairs = np.concatenate([np.zeros((0, 2), np.intp), *_faces(block)])
        values = np.stack([block.ids[pairs[:, 1] - 1], np.ones(len(pairs), np.uint64)], axis=1)
        labels, nuclei = block.labels[block.core], block.given["nuclei"][block.core]
        on = (labels > 0) & (nuclei > 0)
        return {
            "area": summed(block),
            "touching": Rows(pairs[:, 0] - 1, values),
            "others": Rows(labels[on] - 1, nuclei[on][:, None]),
        }

    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Columns:
        n, others = len(merged["area"]), merged["others"]
        nuclei = np.zeros(n, np.int64)
        np.add.at(nuclei, others.of, others.values[:, 0].astype(np.int64))
        return {"neighbours": np.bincount(merged["touching"].of, minlength=n), "nuclei": nuclei}

    def __call__(self, block: Block) -> Columns:
        return unsplit(self, block)


def _faces(block: Block) -> Iterator[NDArray[np.intp]]:
    """The numbers on both sides of all faces between two objects, of which the first is in the core."""
    inner = np.zeros(block.labels.shape, bool)
    inner[block.core] = True
    for axis in range(block.labels.ndim):
        before, after = (
            tuple(part if i == axis else slice(None) for i in range(block.labels.ndim))
            for part in (slice(None, -1), slice(1, None))
        )
        for here, there in ((before, after), (after, before)):
            one, other = block.labels[here], block.labels[there]
            kept = (one != other) & (one > 0) & (other > 0) & inner[here]
            yield np.stack([one[kept], other[kept]], axis=1)


@dataclass(frozen=True, kw_only=True)
class Holes:
    """Holes of an object, which has to be seen whole; looks at labels alone."""

    pixels: bool = False
    calls: str = ""

    def columns(self, facts: Facts) -> dict[str, Column]:
        return {"holes": Column(dtype="int32"), "width": Column(unit="pixel")}

    def __call__(self, block: Block) -> Columns:
        if self.calls:
            with Path(self.calls).open("ab", buffering=0) as file:
                file.write(b"." * block.n)
        masks = [block.labels == number for number in range(1, block.n + 1)]
        holes = [ndimage.label(np.pad(~mask, 1, constant_values=True))[1] - 1 for mask in masks]
        return {
            "holes": np.array(holes, np.int64),
            "width": np.array([mask.any(tuple(range(mask.ndim - 1))).sum() for mask in masks], float),
        }
