"""Where in the image the pixels lie that a segmenter is handed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .regions import Region

__all__ = ["Placement", "widened"]


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where in the image a tile's pixels lie, for a segmenter whose labels depend on it.

    axes: the spatial axes of the pixels, in their order. region: the pixels, as slices of the image along these axes.
    shape: the image's shape along them. An axis that the image does not have has length 1.
    core: the part of the region that is the tile's own. What lies elsewhere is in the core of another tile, and labels
        there serve to find out which objects are the same. Left out, it is all of the region.
    t: of a segmenter's pixels the index along the image's axis t; 0 if there is none, and for a transform.

    >>> place = Placement(axes="yx", region=(slice(0, 60), slice(40, 100)), shape=(100, 100))
    >>> place.at_border("y"), place.at_border("x")
    ((True, False), (False, True))
    """

    axes: str
    region: Region
    shape: tuple[int, ...]
    core: Region = ()
    t: int = 0

    def __post_init__(self) -> None:
        if not self.core:
            object.__setattr__(self, "core", self.region)

    @classmethod
    def whole(cls, axes: str, shape: Sequence[int]) -> Placement:
        """The placement of a whole image."""
        return cls(axes=axes, region=tuple(slice(0, n) for n in shape), shape=tuple(shape))

    def at_border(self, axis: str) -> tuple[bool, bool]:
        """Whether the pixels start, and whether they stop, at the image's border along an axis."""
        part, length = self.region[self.axes.index(axis)], self.shape[self.axes.index(axis)]
        return part.start == 0, part.stop == length


def widened(region: Region, context: Sequence[int], shape: Sequence[int]) -> Region:
    """A region with `context` more pixels on both sides of each axis, clipped at the image's border."""
    return tuple(
        slice(max(0, part.start - more), min(length, part.stop + more))
        for part, more, length in zip(region, context, shape, strict=True)
    )
