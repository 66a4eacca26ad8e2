"""Outlines of objects along the edges of their pixels, exactly.

An edge is one side of one pixel, directed so that the pixel lies on its right as y points down: along a row's upper
side it goes to larger x, and an outer ring turns the way that GeoJSON wants (RFC 7946, 3.1.6). It is kept as one
number, `vertex * 4 + direction`, where the vertices of the whole plane are numbered in rows. Vertex and direction tell
the pixel, so the edges of all objects can be followed at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Edges", "Rings", "Tracer", "simple_rings"]

Keys = NDArray[np.int64]
Point = tuple[int, int]
Ring = list[Point]

EAST, SOUTH, WEST, NORTH = range(4)
TURNS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Edges:
    """Edges and the object that each belongs to, in the order of their keys."""

    keys: Keys
    ids: NDArray[Any]


Rings = tuple[int, list[Ring]]
"""An object's id and its closed outlines: corners (x, y), the first not repeated."""


@dataclass(frozen=True, kw_only=True)
class Tracer:
    """Finds and follows edges in a plane of that width."""

    width: int

    @property
    def steps(self) -> Keys:
        """How far the vertex is to which each direction leads."""
        return np.array([1, self.width + 1, -1, -self.width - 1], np.int64)

    def edges(self, labels: NDArray[Any], y: int, x: int) -> Edges:
        """The edges of all objects of a block whose first pixel is at (y, x), as if nothing lay around the block."""
        padded = np.pad(labels, 1)
        middle = padded[1:-1, 1:-1]
        sides = (padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2])
        starts = ((0, 0), (0, 1), (1, 1), (1, 0))  # of the upper, right, lower and left side, from the pixel
        keys, ids = [], []
        for direction, (side, (down, right)) in enumerate(zip(sides, starts, strict=True)):
            rows, columns = np.nonzero((middle != side) & (middle != 0))
            vertices = (rows + y + down) * (self.width + 1) + (columns + x + right)
            keys.append(vertices * TURNS + direction)
            ids.append(middle[rows, columns])
        joined = np.concatenate(keys).astype(np.int64)
        order = np.argsort(joined, kind="stable")
        return Edges(keys=joined[order], ids=np.concatenate(ids)[order])

    def joined(self, keys: Keys) -> Keys:
        """The edges of one object out of those of its parts: what two parts have between them is no edge."""
        keys = np.sort(keys)
        vertices, directions = keys // TURNS, keys % TURNS
        opposite = (vertices + self.steps[directions]) * TURNS + (directions + 2) % TURNS
        return keys[~_among(keys, opposite)]

    def rings(self, edges: Edges) -> Iterator[Rings]:
        """The outlines of each object, objects in the order of their first edge.

        Where two pixels of an object meet at a corner only, the outline stays with its pixel.
        """
        if not len(edges.keys):
            return
        corners = self._corners(edges)
        found: dict[int, list[Ring]] = {}
        for first, ring in corners.cycles():
            found.setdefault(corners.ids[first], []).append(ring)
        yield from found.items()

    def _corners(self, edges: Edges) -> _Corners:
        keys = edges.keys
        vertices, directions = keys // TURNS, keys % TURNS
        following = self._following(keys, vertices + self.steps[directions], directions)
        turning = np.empty(len(keys), bool)
        turning[following] = directions[following] != directions
        while not turning[following].all():  # each round doubles the stretch that is leapt over
            following = np.where(turning[following], following, following[following])
        taken = np.flatnonzero(turning)
        numbers = np.cumsum(turning) - 1
        y, x = np.divmod(vertices[taken], self.width + 1)
        return _Corners(
            points=list(zip(x.tolist(), y.tolist(), strict=True)),
            following=numbers[following[taken]].tolist(),
            ids=edges.ids[taken].tolist(),
        )

    def _following(self, keys: Keys, ends: Keys, directions: Keys) -> Keys:
        """The index of the edge after each: to the right where there is one (the same pixel's), else straight on."""
        following = np.full(len(keys), -1, np.int64)
        for turn in (1, 0, 3):
            candidates = ends * TURNS + (directions + turn) % TURNS
            places = np.searchsorted(keys, candidates).clip(max=len(keys) - 1)
            fits = (following < 0) & (keys[places] == candidates)
            following[fits] = places[fits]
        return following


@dataclass(frozen=True, kw_only=True, eq=False)
class _Corners:
    """Where outlines turn, and the corner that follows each."""

    points: list[Point]
    following: list[int]
    ids: list[int]

    def cycles(self) -> Iterator[tuple[int, Ring]]:
        """Each closed outline with the index of its first corner."""
        seen = bytearray(len(self.points))
        for first in range(len(self.points)):
            ring, at = [], first
            while not seen[at]:
                seen[at] = 1
                ring.append(self.points[at])
                at = self.following[at]
            if ring:
                yield first, ring


def simple_rings(ring: Ring) -> list[Ring]:
    """A ring cut at the points that it passes twice, into rings that pass each of their points once."""
    if len(set(ring)) == len(ring):
        return [ring]
    found, path = [], Ring()
    places: dict[Point, int] = {}
    for point in ring:
        if point in places:
            start = places[point]
            loop, path = path[start:], path[:start]
            for passed in loop:
                del places[passed]
            found.append(loop)
        places[point] = len(path)
        path.append(point)
    return [*found, path]


def _among(keys: Keys, wanted: Keys) -> NDArray[np.bool_]:
    places = np.searchsorted(keys, wanted).clip(max=max(0, len(keys) - 1))
    among: NDArray[np.bool_] = keys[places] == wanted
    return among
