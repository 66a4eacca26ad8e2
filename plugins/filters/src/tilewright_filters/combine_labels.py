"""One label image of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["CombineLabels"]

Labels = NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class CombineLabels:
    """The union, the difference or the intersection of two given label images, pixel by pixel.

    A pixel of the union has the first label, or the second where there is no first; equal ids of both are one object.
    The difference has the first labels where there is no second, the intersection where there is one. Objects keep
    their ids; no pixels are read.

    >>> one, other = np.array([1, 1, 0, 0], np.uint64), np.array([0, 8, 8, 0], np.uint64)
    >>> [CombineLabels(method=m)(None, given={"first": one, "second": other}).tolist() for m in ("union", "difference")]
    [[1, 1, 8, 0], [1, 0, 0, 0]]
    """

    method: Literal["union", "difference", "intersection"] = field(
        default="union", metadata={"help": "what is made of both"}
    )
    given: tuple[str, str] = field(
        default=("first", "second"), metadata={"help": "the names of the given labels, in this order"}
    )

    keeps_ids: ClassVar[bool] = True
    pixels: ClassVar[bool] = False

    def __call__(self, _: None, *, given: Mapping[str, Labels]) -> Labels:
        first, second = (given[name] for name in self.given)
        if self.method == "union":
            return np.where(first > 0, first, second)
        return np.where((second > 0) == (self.method == "intersection"), first, np.uint64(0))
