"""The runs of a block's core: stretches of one object's pixels along the last axis, some 30 times fewer than pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Block

__all__ = ["Ints", "Runs", "extreme", "total"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Runs:
    """The runs of a block's n objects, in raster order.

    of: (k,) the object of each run, from 0. at: (d, k) its first pixel's coordinates in the image. length: (k,).
    starts: where in the flat core each run starts, all others included. own: (k,) which of these are the k.
    """

    of: Ints
    at: Ints
    length: Ints
    starts: Ints
    own: Ints
    n: int

    @classmethod
    def of_block(cls, block: Block) -> Runs:
        """The runs of a block's core."""
        start, length, number = block.runs
        own = np.flatnonzero((number > 0) & (number <= block.n))
        at = np.stack(np.unravel_index(start[own], [part.stop - part.start for part in block.core]))
        origin = [part.start + inner.start for part, inner in zip(block.place.region, block.core, strict=True)]
        at += np.array(origin)[:, None]
        return cls(of=number[own] - 1, at=at, length=length[own], starts=start, own=own, n=block.n)

    def corner(self) -> Ints:
        """(n, d) the smallest coordinates of each object's pixels."""
        return np.stack([extreme(np.minimum, self.of, at, self.n) for at in self.at], axis=1)

    def stop(self) -> Ints:
        """(n, d) the largest coordinates of each object's pixels, plus 1."""
        last = [*(self.at[:-1] + 1), self.at[-1] + self.length]
        return np.stack([extreme(np.maximum, self.of, at, self.n) for at in last], axis=1)

    def folded(self, ufunc: np.ufunc, pixels: NDArray[Any], dtype: Any = None) -> NDArray[Any]:
        """(k,) what `ufunc` makes of the pixels of each run. pixels: of the core, flat."""
        folded: NDArray[Any] = ufunc.reduceat(pixels, self.starts, dtype=dtype)[self.own]
        return folded

    def spread(self, values: NDArray[Any], size: int) -> NDArray[Any]:
        """A value of each run for each pixel of the core; 0 for all others. size: of the core."""
        everywhere = np.zeros(len(self.starts), values.dtype)
        everywhere[self.own] = values
        return np.repeat(everywhere, np.diff(self.starts, append=size))


def extreme(ufunc: np.ufunc, of: Ints, values: NDArray[Any], n: int) -> NDArray[Any]:
    """(n,) the minimum or maximum of each object's values. Each of the n objects has at least one."""
    result = np.empty(n, values.dtype)
    result[of] = values
    with np.errstate(invalid="ignore"):  # NaN
        ufunc.at(result, of, values)
    return result


def total(of: Ints, values: NDArray[Any], n: int) -> NDArray[Any]:
    """(n,) the sum of each object's values, in their dtype, so that whole numbers stay exact."""
    if values.dtype.kind == "f":
        return np.bincount(of, values, n)
    result = np.zeros(n, values.dtype)
    np.add.at(result, of, values)
    return result
