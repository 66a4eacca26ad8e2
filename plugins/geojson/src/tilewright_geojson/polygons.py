"""Polygons out of rings: which rings are holes, and whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .outlines import Point, Ring, simple_rings

__all__ = ["Polygon", "area", "polygons"]


@dataclass(frozen=True, kw_only=True)
class Polygon:
    """An outer ring and its holes."""

    outer: Ring
    holes: list[Ring]


def polygons(rings: Sequence[Ring]) -> list[Polygon]:
    """The polygons of one object: one for each part of it that is connected through sides of pixels.

    No ring passes a point twice; parts that meet at a corner touch there, and so do holes.
    """
    simple = [part for ring in rings for part in simple_rings(ring)]
    found = [Polygon(outer=ring, holes=[]) for ring in simple if area(ring) > 0]
    holes = [ring for ring in simple if area(ring) < 0]
    if len(found) == 1:
        found[0].holes.extend(holes)
    else:
        _share_out(holes, found)
    return found


def area(ring: Ring) -> int:
    """The pixels within an outer ring; within a hole, as a negative number.

    >>> area([(0, 0), (3, 0), (3, 2), (0, 2)]), area([(0, 0), (0, 2), (3, 2), (3, 0)])
    (6, -6)
    """
    total, (x0, y0) = 0, ring[-1]
    for x, y in ring:
        total += x0 * y - x * y0
        x0, y0 = x, y
    return total // 2


def _share_out(holes: list[Ring], found: list[Polygon]) -> None:
    """Give each hole to the polygon that it lies in.

    From the pixel left of a hole's first corner the object goes on to the left up to some ring: the hole's own
    polygon's, or that of another hole of it, which comes first in raster order.
    """
    holes = sorted(holes, key=_first)
    corners = [_first(ring) for ring in holes]
    reached = _rings_left_of([polygon.outer for polygon in found] + holes, corners)
    owner = list(range(len(found)))
    for hole, ring in zip(holes, reached, strict=True):
        owner.append(owner[ring])
        found[owner[ring]].holes.append(hole)


def _rings_left_of(rings: list[Ring], corners: list[Point]) -> list[int]:
    """The ring whose side is the next one to the left in the row of pixels below each corner (y, x)."""
    lengths = [len(ring) for ring in rings]
    points = np.array([point for ring in rings for point in ring], np.int64)
    following = np.array([point for ring in rings for point in (*ring[1:], ring[0])], np.int64)
    upwards = following[:, 1] < points[:, 1]  # the left sides of pixels
    heights = (points - following)[upwards, 1]
    steps = np.arange(heights.sum()) - np.repeat(np.cumsum(heights) - heights, heights)
    rows = np.repeat(following[upwards, 1], heights) + steps
    columns = np.repeat(points[upwards, 0], heights)
    owners = np.repeat(np.repeat(np.arange(len(rings)), lengths)[upwards], heights)
    width = int(points[:, 0].max()) + 1
    keys = rows * width + columns
    order = np.argsort(keys)
    wanted = np.array([y * width + x for y, x in corners], np.int64)
    reached: list[int] = owners[order][np.searchsorted(keys[order], wanted) - 1].tolist()
    return reached


def _first(ring: Ring) -> Point:
    """A ring's first corner in raster order, as (y, x)."""
    return min((y, x) for x, y in ring)
