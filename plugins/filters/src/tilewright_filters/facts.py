"""Facts of whole objects, measured once before the first tile: how large they are, and which borders they touch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Block, Column, Columns, Facts, Quantity, lengths, unsplit

__all__ = ["SizeAndBorders"]


@dataclass(frozen=True, kw_only=True)
class SizeAndBorders:
    """A measurer: the pixels of each object, and for each axis of the labels whether it touches the image's border."""

    pixels: bool = False

    def columns(self, facts: Facts, /) -> Mapping[str, Column]:
        """The number of pixels, and `border-y` for the axis y; an axis of length 1 has no border."""
        return {"size": Column(dtype="int64")} | {f"border-{axis}": Column(dtype="bool") for axis in facts.axes}

    def quantities(self, facts: Facts, /) -> Mapping[str, Quantity]:
        """The pixels, and the first and the last one along each axis."""
        d = len(facts.axes)
        return {
            "size": Quantity(dtype="int64"),
            "first": Quantity(merge="min", dtype="int64", width=d),
            "last": Quantity(merge="max", dtype="int64", width=d),
        }

    def partial(self, block: Block, /) -> Mapping[str, NDArray[Any]]:
        """The same of the part of each object in a block's core."""
        runs, d = block.runs, len(block.facts.axes)
        own = runs.number > 0
        number, length = runs.number[own] - 1, runs.length[own]
        places = np.stack(np.unravel_index(runs.start[own], lengths(block.core)), axis=1)
        places += [part.start for part in block.place.core]
        first = np.full((block.n, d), np.iinfo(np.int64).max)
        last = np.zeros((block.n, d), np.int64)
        np.minimum.at(first, number, places)
        places[:, -1] += length - 1
        np.maximum.at(last, number, places)
        return {"size": np.bincount(number, length, block.n).astype(np.int64), "first": first, "last": last}

    def finish(self, merged: Mapping[str, Any], facts: Facts, /) -> Columns:
        """The columns, from the pixels that are known of all parts."""
        shape = np.array(facts.shape)
        ends = [merged[name].reshape(-1, len(shape)) for name in ("first", "last")]
        border = ((ends[0] == 0) | (ends[1] == shape - 1)) & (shape > 1)
        return {"size": merged["size"]} | {f"border-{axis}": border[:, i] for i, axis in enumerate(facts.axes)}

    __call__ = unsplit
