"""Labels without holes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .expand import Labels
from .numbers import check_least

__all__ = ["FillHoles"]


@dataclass(frozen=True, kw_only=True)
class FillHoles:
    """Given labels with their holes filled, up to a size, as `scipy.ndimage.binary_fill_holes` fills each object's.

    A hole is background that is connected along the axes, does not touch the image's border, and has one object alone
    around it; a single plane is filled as a picture. Objects keep their ids; no pixels are read.

    >>> labels = np.array([[7, 7, 7, 0], [7, 0, 7, 0], [7, 7, 7, 9]], np.uint64)
    >>> FillHoles()(None, given={"nuclei": labels}).tolist()
    [[7, 7, 7, 0], [7, 7, 7, 0], [7, 7, 7, 9]]
    """

    size: int = field(default=32, metadata={"help": "the longest hole that is filled, in pixels along each axis"})
    given: tuple[str] = field(default=("nuclei",), metadata={"help": "the name of the given labels"})

    keeps_ids: ClassVar[bool] = True
    pixels: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_least("size", self.size, 0)

    @property
    def context(self) -> int:
        """The size: a hole of that length which reaches into a tile ends before the edge of what the tile sees."""
        return self.size

    def memory(self, shape: tuple[int, ...], _: np.dtype[Any]) -> int:
        """The bytes that a call takes."""
        return prod(shape) * 64

    def __call__(self, _: None, *, given: Mapping[str, Labels]) -> Labels:
        labels = given[self.given[0]]
        gaps, count = ndimage.label(labels == 0)
        lowest, highest = np.full(count + 1, np.iinfo(np.uint64).max), np.zeros(count + 1, np.uint64)
        for gap, beside in _neighbours(gaps, labels):
            np.minimum.at(lowest, gap, beside)
            np.maximum.at(highest, gap, beside)
        inside = np.array([False, *(self._inside(part, labels.shape) for part in ndimage.find_objects(gaps))])
        filling = np.where(inside & (lowest == highest), highest, np.uint64(0))
        return np.where(gaps > 0, filling[gaps], labels)

    def _inside(self, part: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
        """Whether a gap in that box is small enough, and ends before the edge; an axis of length 1 has no inside."""
        return all(
            n == 1 or (along.start > 0 and along.stop < n and along.stop - along.start <= self.size)
            for along, n in zip(part, shape, strict=True)
        )


def _neighbours(gaps: NDArray[Any], labels: Labels) -> Iterator[tuple[NDArray[Any], Labels]]:
    """Gaps and the labels of pixels beside them, in each direction."""
    for axis in range(gaps.ndim):
        before = tuple(slice(None, -1) if i == axis else slice(None) for i in range(gaps.ndim))
        after = tuple(slice(1, None) if i == axis else slice(None) for i in range(gaps.ndim))
        for one, other in ((before, after), (after, before)):
            edge = (gaps[one] > 0) & (labels[other] > 0)
            yield gaps[one][edge], labels[other][edge]
