"""Convex hulls in three dimensions, by Qhull, one object after the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import cdist

from tilewright.abc import Rows

from .runs import Ints, Runs

__all__ = ["corners_of_runs", "volume_and_span"]

Floats = NDArray[np.float64]

TOLERANCE = 1e-10  # scikit-image's: how far beyond the hull a pixel still counts
FEW = 12  # points of which no hull is made: they are as few as its corners
DISTANCES = 2**22  # at a time
HALF = np.array([step for axis in np.eye(3) / 2 for step in (axis, -axis)])


def corners_of_runs(runs: Runs) -> Rows:
    """The pixels at which the hull of each object's pixels turns; of flat objects all ends of runs."""
    ends = np.stack([runs.at, runs.at]).transpose(2, 0, 1)  # (k, 2, 3)
    ends[:, 1, 2] += runs.length - 1
    of = [np.zeros(0, np.int64)]
    values = [np.zeros((0, 3), np.int64)]
    for number, points in _by_object(Rows(np.repeat(runs.of, 2), ends.reshape(-1, 3))):
        kept = _corners(points)
        of.append(np.full(len(kept), number))
        values.append(kept)
    return Rows(np.concatenate(of), np.concatenate(values))


def volume_and_span(corners: Rows, spacing: tuple[float, ...], n: int) -> tuple[Floats, Floats]:
    """How many pixels each object's hull holds, and its greatest extent in units, as scikit-image has both.

    Of flat objects (of one plane or line) Qhull has no hull: as in scikit-image the volume is 0; the extent is NaN.
    """
    volume, span = np.zeros(n), np.full(n, np.nan)
    for number, points in _by_object(corners):
        hull = _hull(points)
        if hull is None:
            continue
        ends = _filled(_hull_of_edges(points[hull.vertices]), points.min(axis=0), points.max(axis=0))
        volume[number] = (ends[1::2, 2] - ends[::2, 2] + 1).sum()
        span[number] = _longest(_hull_of_edges(_corners(ends)), spacing)
    return volume, span


def _by_object(rows: Rows) -> Iterator[tuple[int, Ints]]:
    """Each object with its distinct points."""
    order = np.argsort(rows.of, kind="stable")
    of, values = rows.of[order], rows.values[order]
    bounds = [*np.flatnonzero(np.diff(of, prepend=-1)).tolist(), len(of)]
    for start, stop in itertools.pairwise(bounds):
        yield int(of[start]), np.unique(values[start:stop], axis=0)


def _hull(points: NDArray[np.generic]) -> ConvexHull | None:
    try:
        return ConvexHull(points)
    except QhullError:  # flat, or fewer than four points
        return None


def _corners(points: Ints) -> Ints:
    hull = _hull(points) if len(points) > FEW else None
    return points if hull is None else points[hull.vertices]


def _hull_of_edges(corners: Ints) -> ConvexHull:
    """The hull of the middles of the faces of the pixels at the corners."""
    return ConvexHull(np.unique((corners[:, None] + HALF).reshape(-1, 3), axis=0))


def _filled(hull: ConvexHull, low: Ints, high: Ints) -> Ints:
    """(2 k, 3) the first and the last pixel of each line of pixels in a hull: memory of its face, not its volume."""
    z, y = (grid.ravel() for grid in np.mgrid[low[0] : high[0] + 1, low[1] : high[1] + 1])
    first, last = np.full(len(z), float(low[2])), np.full(len(z), float(high[2]))
    for a, b, c, offset in hull.equations:
        room = TOLERANCE - (a * z + b * y + offset)
        if c > 0:
            np.minimum(last, room / c, out=last)
        elif c < 0:
            np.maximum(first, room / c, out=first)
        else:
            last[room <= 0] = -np.inf
    first, last = np.ceil(first), np.floor(last)
    inside = first <= last
    ends: Ints = np.stack([z, y, first, z, y, last], axis=1)[inside].reshape(-1, 3).astype(np.int64)
    return ends


def _longest(hull: ConvexHull, spacing: tuple[float, ...]) -> float:
    points = hull.points[hull.vertices] * spacing
    step = max(1, DISTANCES // len(points))
    return max(float(cdist(points[start : start + step], points).max()) for start in range(0, len(points), step))
