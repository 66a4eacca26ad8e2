"""What a merger is shown of a seam, and what it returns."""

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
    """Two tiles that meet, with the labels of both where they meet. `lower` comes first in raster order.

    offset: `upper.index - lower.index`; the tiles meet across the axes whose entries are not 0 (one for a face, two
        for an edge, three for a corner).
    labels: the labels of `lower` and of `upper`, arrays of one shape; 0 is background, other numbers are the tile's
        own. They are the facing planes of the two cores, of length 1 along each axis of the offset. For a merger that
        has `decide` they are the labels of both tiles over `region`.
    region: the pixels of the image that both outer regions share, for a merger that has `decide`; else None.
    """

    lower: Tile
    upper: Tile
    offset: tuple[int, ...]
    labels: tuple[Labels, Labels]
    region: Region | None = None


class Merger(Protocol):
    """A component that looks at one seam and returns which labels are one object: `merger(seam) -> pairs`.

    It is shown labels of the two cores, so it needs no halo. It may declare `diagonals: int`: it is not called for
    tiles that meet across more axes than this. Without it, it is called for all tiles that meet.
    """

    def __call__(self, seam: Seam, /) -> NDArray[Any] | Sequence[Sequence[int]]:
        """Whole numbers of shape (n, 2), a row for each pair that is one object: label in `lower`, label in `upper`.

        No label is 0. A label that is not on the seam, or another shape, becomes InvalidLabels.
        """


class BatchMerger(Merger, Protocol):
    """A merger that can look at many seams in one call, which is faster where tiles are small.

    `many` is called instead of `__call__` if `diagonals` is 1, so that every seam is a face. A class that overrides
    `__call__` has to override `many` too; else `many` is not called.
    """

    def many(self, faces: Sequence[tuple[Labels, Labels]], /) -> NDArray[np.int64]:
        """The pairs of many faces, as `__call__` returns them for each.

        faces: for each seam the labels of `lower` and of `upper`, two arrays of one shape.

        Returns whole numbers of shape (n, 3): the seam's place in `faces`, ascending; label in `lower`; label in
        `upper`.
        """


class OwningMerger(Protocol):
    """A merger that compares what two tiles saw in the region that both read, and decides which tile draws an object.

    It is shown the labels over `seam.region` and needs a halo. It may declare `diagonals` as `Merger`. The built-in
    `overlap` is one; `tilewright.builtin.ownership` documents its rule.
    """

    def __call__(self, seam: Seam, /) -> NDArray[Any] | Sequence[Sequence[int]]:
        """Whole numbers of shape (n, 5), a row for each pair of labels that share pixels.

        Columns: label in `lower`, label in `upper`, pixels that both have, and pixels that either has in the region.
        """

    def decide(self, copies: Copies, evidence: Evidence, /) -> Decision:
        """Which copies are drawn, and which of them are one object that no tile saw whole.

        It is called for a block of tiles, with the copies of the block and of the tiles around it, and the rows of
        `__call__` between them. It decides what it can and leaves the rest open. If a copy of the block is left open,
        it is called again with more of the tiles around. Its decision on a copy must be the one that it would take if
        it were shown the whole run.
        """


@dataclass(frozen=True, kw_only=True, eq=False)
class Copies:
    """Copies from some tiles that lie together: an entry for each copy, by tile and then by id.

    A copy is one tile's view of an object.

    area, core_area: its pixels in the tile's outer region, and in the tile's core.
    margin: pixels between its bounding box and the nearest edge of the outer region that is not the image's border. 0:
        the copy is cut off. The largest int64: every such edge is further away than two tiles overlap.
    known: whether all copies that share pixels with it are shown, with the evidence.
    """

    area: Ints
    core_area: Ints
    margin: Ints
    known: Bools

    def __len__(self) -> int:
        return len(self.area)

    def at(self, places: Ints) -> Copies:
        """The copies at some places, in that order."""
        return Copies(**{each.name: getattr(self, each.name)[places] for each in fields(self)})


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """Pairs of copies from two tiles that share pixels: an entry for each pair.

    lower, upper: the two copies, by their place in `Copies`; `lower` is less than `upper`.
    shared: pixels that both have.
    seen_lower, seen_upper: the pixels of each in the region that both tiles saw. The rest of its area is what the copy
        has beyond the outer region of the other tile.
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
        """The part of the smaller copy that the other one covers, 0 to 1, within the region that both tiles saw."""
        return self.shared / np.minimum(self.seen_lower, self.seen_upper)


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """Which copies are drawn: an entry for each copy.

    worth: a pixel is drawn by the copy of the greatest worth that has it, and by the first of equal ones. A copy of
        worth `NOTHING` is not drawn; what it has in its own tile's core and no drawn copy has goes to the object that
        draws most of it there, or is counted as not drawn if none does.
    open: whether the copies that were shown are too few to decide. A copy that is not open must get the same worth and
        links if more is shown.
    links: shape (n, 2), rows of two copies, the lower first, that are one object which no tile saw whole. Copies that
        are linked, directly or through others, are drawn together or not at all (`upheld`).
    """

    worth: Ints
    open: Bools
    links: Ints

    def fault(self, count: int) -> str:
        """What is wrong with it as a decision on `count` copies; empty if nothing is."""
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
    """Whether linked copies are drawn: the cores of their tiles must hold at least half of the largest of them.

    group: for each copy, the number of the object that it is linked to. area, core_area: as in `Copies`.

    The cores partition the image, so if the segmenter is right the cores hold the whole object.
    """
    in_core = np.bincount(group, weights=core_area, minlength=len(group))
    largest = np.zeros(len(group), np.int64)
    np.maximum.at(largest, group, area)
    share: Bools = 2 * in_core >= largest
    return share[group]
