"""The geometry of labels at seams: what their facing planes show, against planes away from seams."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...tiling.grid import TileGrid
from ...tiling.regions import Region, lengths

__all__ = ["Line", "extents", "facts_of", "lines_of"]

Labels = NDArray[Any]

ALONG = {1: 1, 2: 512, 3: 64}  # pixels along a seam that are looked at, by the axes along which objects join
DEPTH = 256  # pixels on either side of it at most
BESIDE = 7  # planes on either side that the seam's is compared with
LEAST_DEPTH = 12  # pixels on either side; in tiles narrower than twice that no place is away from seams


@dataclass(frozen=True, kw_only=True)
class Line:
    """A part of the seam between two neighbouring tiles.

    lower, upper: the two tiles, by their number. axis: across which of the grid's axes it lies. at: the first plane of
    the upper tile's core. span: the part, as a region of the image; along `axis` it is the two cores' nearer halves.
    """

    lower: int
    upper: int
    axis: int
    at: int
    span: Region

    @property
    def middle(self) -> int:
        """The plane of the seam within the span."""
        return self.at - int(self.span[self.axis].start)


def lines_of(grid: TileGrid, count: int, random: np.random.Generator) -> Iterator[Line]:
    """At most `count` seams of a grid, drawn at random without replacement; those of narrow tiles are left out."""
    axes = [i for i, axis in enumerate(grid.axes) if axis not in grid.separate]
    steps = {axis: tuple(int(i == axis) for i in range(len(grid.axes))) for axis in axes}
    sizes = [math.prod(n - s for n, s in zip(grid.counts, steps[axis], strict=True)) for axis in axes]
    total = sum(sizes)
    drawn = random.choice(total, total, replace=False) if total <= 2**20 else random.integers(0, total, 4 * count)
    made = 0
    for number in map(int, drawn):
        which = int(np.searchsorted(np.cumsum(sizes), number, side="right"))
        axis = axes[which]
        shape = [n - s for n, s in zip(grid.counts, steps[axis], strict=True)]
        index = tuple(map(int, np.unravel_index(number - sum(sizes[:which]), shape)))
        line = _line(grid, index, axis, random)
        if line is not None and made < count:
            made += 1
            yield line


def _line(grid: TileGrid, index: Sequence[int], axis: int, random: np.random.Generator) -> Line | None:
    lower = grid.at(index)
    upper = grid.at([i + (n == axis) for n, i in enumerate(index)])
    at = upper.core[axis].start
    depth = min(DEPTH, *(length // 2 for length in (lengths(lower.core)[axis], lengths(upper.core)[axis])))
    if depth < LEAST_DEPTH or {lower.number, upper.number} & set(grid.left_out):
        return None
    most = ALONG[len(grid.axes) - len(grid.separate)]
    span = tuple(_part(part, most, random) for part in lower.core)
    return Line(
        lower=lower.number,
        upper=upper.number,
        axis=axis,
        at=at,
        span=(*span[:axis], slice(at - depth, at + depth), *span[axis + 1 :]),
    )


def _part(core: slice, most: int, random: np.random.Generator) -> slice:
    """A part of a core, at a place drawn at random if it is longer than that."""
    length = min(most, core.stop - core.start)
    start = int(random.integers(core.start, core.stop - length + 1))
    return slice(start, start + length)


def facts_of(line: Line, labels: Labels) -> dict[str, NDArray[np.float64]]:
    """What the planes of a seam's surroundings show: for each fact (1 + k, 2) hits and chances, the seam's own first.

    labels: of the line's span.

    cover: pixels of two facing planes, if there is any object; hits are foreground.
    edges: pairs of facing pixels of which at least one is foreground; hits are those with different labels.
    ends: objects with pixels in either plane; hits are those that have none in the other.
    sizes: the same objects; hits are the pixels that they have near the planes.
    """
    planes = np.moveaxis(labels, line.axis, 0)
    depth = line.middle
    near, any_object = max(1, depth // 8), bool(labels.any())
    # At equal distances, the seam among them: planes near each other are alike, and it must be as near as any.
    offsets = [0, *(sign * (n * depth // (BESIDE + 1)) for n in range(1, BESIDE + 1) for sign in (-1, 1))]
    rows = [_facts(planes, depth + offset, near, any_object) for offset in offsets]
    return {name: np.array([row[name] for row in rows], float) for name in rows[0]}


def _facts(planes: Labels, at: int, near: int, any_object: bool) -> dict[str, tuple[float, float]]:
    before, after = planes[at - 1], planes[at]
    foreground = (before > 0) | (after > 0)
    ids, others = np.unique(before[before > 0]), np.unique(after[after > 0])
    both = np.union1d(ids, others)
    beside = planes[max(0, at - near) : at + near]
    pixels = np.isin(beside, both) if len(both) else np.zeros(1, bool)
    return {
        "cover": (float((before > 0).sum() + (after > 0).sum()), float((before.size + after.size) * any_object)),
        "edges": (float((foreground & (before != after)).sum()), float(foreground.sum())),
        "ends": (float(len(np.setxor1d(ids, others))), float(len(both))),
        "sizes": (float(pixels.sum()), float(len(both))),
    }


def extents(labels: Labels) -> list[int]:
    """The longest side of each object that lies whole within a block of labels."""
    from scipy import ndimage

    _, numbered = np.unique(labels, return_inverse=True)
    numbered = numbered.reshape(labels.shape) + int(labels.min(initial=1) > 0)
    boxes = [box for box in ndimage.find_objects(numbered) if box is not None]
    within = [slice(int(n > 1), n - int(n > 1)) for n in labels.shape]
    whole = [
        box for box in boxes if all(w.start <= b.start and b.stop <= w.stop for b, w in zip(box, within, strict=True))
    ]
    return [max(lengths(box)) for box in whole]
