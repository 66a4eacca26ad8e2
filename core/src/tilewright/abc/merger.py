"""The contract of a merger: what it is shown of a seam, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..tiling.grid import Tile
from ..tiling.regions import Region

__all__ = [
    "NOTHING",
    "BatchMerger",
    "Copies",
    "Decision",
    "Evidence",
    "Merger",
    "OwningMerger",
    "Seam",
    "upheld",
]

Labels = NDArray[np.unsignedinteger[Any]]
Ints = NDArray[np.signedinteger[Any]]
Bools = NDArray[np.bool_]

NOTHING = -1
"""The worth of a copy that draws nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Seam:
    """Two tiles that meet, with their labels where they do. `lower` comes first in raster order.

    offset: `upper.index - lower.index`; entries other than 0 are the axes across which the tiles meet (one for a
        face, two for an edge, three for a corner).
    labels: the two tiles' labels over the same pixels or the same facing planes, arrays of one shape, 0 is background
        and other numbers are the tile's own. They are the facing planes of the two cores (length 1 along each axis of
        the offset); for a merger that has `decide` they cover `region`, which both tiles' outer regions share.
    region: in pixels of the image; None for faces.
    """

    lower: Tile
    upper: Tile
    offset: tuple[int, ...]
    labels: tuple[Labels, Labels]
    region: Region | None = None


class Merger(Protocol):
    """A component that looks at one seam and says which labels are one object: `merger(seam) -> pairs`.

    Only what pixels of the two cores say counts, so such a merger needs no halo. It may declare `diagonals: int`: tiles
    that meet across more axes than this are not a seam to it; if it declares none, all are.
    """

    def __call__(self, seam: Seam, /) -> NDArray[Any] | Sequence[Sequence[int]]:
        """Whole numbers of shape (n, 2): label in `lower`, label in `upper`, none of them 0; the two are one object.

        A label that is not on the seam, or another shape, becomes InvalidLabels.
        """


class BatchMerger(Merger, Protocol):
    """A merger that can judge many seams in one go, which small tiles are many of.

    It is asked where its `diagonals` is 1, so that every seam is a shared face. If a class overrides `__call__`, it has
    to override `many` too, or `many` is not used.
    """

    def many(self, faces: Sequence[tuple[Labels, Labels]], /) -> NDArray[np.int64]:
        """What the merger says of seams that are faces, given by the labels on both sides of each, of one shape.

        Whole numbers of shape (n, 3): place of the seam in `faces`, ascending, label in lower, label in upper.
        """


class OwningMerger(Protocol):
    """A merger that compares what two tiles saw in the region that both read, and decides which one draws an object.

    It is shown the labels over `seam.region` instead of two planes, and needs a halo. It may declare `diagonals` too.
    """

    def __call__(self, seam: Seam, /) -> NDArray[Any] | Sequence[Sequence[int]]:
        """Whole numbers of shape (n, 5), a row for each pair of labels that share pixels.

        Columns: label in `lower`, label in `upper`, pixels that both have, and pixels that either has in the region.
        """

    def decide(self, copies: Copies, evidence: Evidence, /) -> Decision:
        """Which copies are drawn, and which of them are one object that no tile saw whole.

        It is asked for a block of tiles at a time, with the copies of the tiles around it and the rows between them. It
        decides what it can and leaves the rest open; if that is a copy of the block, it is asked again with more of the
        tiles around. What it decides of a copy must be what it would decide if it were shown the whole run.
        """


@dataclass(frozen=True, kw_only=True, eq=False)
class Copies:
    """Copies of some tiles that lie together, an entry each, in the order of the tiles and of the ids therein.

    area, core_area: pixels in the tile's outer region and in its core.
    margin: pixels between the copy's bounding box and the nearest edge of the outer region that is not the image's
        border; 0 says that the copy is cut, and the largest int64 that no such edge is nearer than the widest overlap
        of two tiles is wide.
    known: whether all copies that share pixels with this one are shown, with the evidence.
    """

    area: Ints
    core_area: Ints
    margin: Ints
    known: Bools

    def __len__(self) -> int:
        return len(self.area)

    def at(self, places: Ints) -> Copies:
        """Some of them."""
        return Copies(**{each.name: getattr(self, each.name)[places] for each in fields(self)})


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """Pairs of copies from two tiles that share pixels, an entry for each pair.

    lower, upper: the two copies, by their place in `Copies`; the lower one comes first there.
    shared: pixels that both have.
    seen_lower, seen_upper: pixels of either in the region that both tiles looked at.
    """

    lower: Ints
    upper: Ints
    shared: Ints
    seen_lower: Ints
    seen_upper: Ints

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union within the region that both tiles saw."""
        return self.shared / (self.seen_lower + self.seen_upper - self.shared)

    def containment(self) -> NDArray[np.float64]:
        """The share of the smaller one that the other holds, within the region that both tiles saw."""
        return self.shared / np.minimum(self.seen_lower, self.seen_upper)


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """What is drawn, an entry for each copy.

    worth: of the copies that have a pixel, the one of the greatest worth draws it, of equal ones the first; `NOTHING`
        draws nothing.
    open: what cannot be said from what was shown. What is not open must not change if more is shown.
    links: rows of two copies, the lower first, that are one object which no tile saw whole. What is linked, directly or
        through others, is drawn together, if at all: see `upheld`.
    """

    worth: Ints
    open: Bools
    links: Ints

    def fault(self, count: int) -> str:
        """What is wrong with it as a decision on so many copies; empty if nothing is."""
        links = np.atleast_1d(self.links)
        shapes = {"worth": (count,), "open": (count,), "links": (len(links), 2)}
        for name, shape in shapes.items():
            found, flags = np.asarray(getattr(self, name)), name == "open"
            if found.dtype.kind not in ("b" if flags else "iu") or found.shape != shape:
                wanted = "booleans" if flags else "whole numbers"
                return f"{name} is {found.dtype} of shape {found.shape}; of {count} copies it is {wanted} of {shape}"
        wrong = links[(links[:, 0] >= links[:, 1]) | (links < 0).any(axis=1) | (links >= count).any(axis=1)]
        return f"links has {wrong[0].tolist()}; it has two of the {count} copies, the lower first" if len(wrong) else ""


def upheld(group: Ints, area: Ints, core_area: Ints) -> Bools:
    """Whether linked copies are drawn: if what a group's tiles hold in their cores makes up half of its largest copy.

    The cores partition the image, so for a segmenter that is right the cores hold the whole object.
    """
    in_core = np.bincount(group, weights=core_area, minlength=len(group))
    largest = np.zeros(len(group), np.int64)
    np.maximum.at(largest, group, area)
    share: Bools = 2 * in_core >= largest
    return share[group]
