"""Convex hulls of many objects at once in two dimensions, in whole numbers, and so exact.

A hull is its two chains: the leftmost points of the rows that it turns at, and the rightmost ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Rows

from .runs import Ints, Runs, extreme

__all__ = ["Chain", "Hulls", "corners_of_runs", "hulls_of_points", "rows_of_hulls", "spans", "widened"]

Floats = NDArray[np.float64]


class Chain(NamedTuple):
    """Points by object and row, ascending: (k,) each."""

    of: Ints
    y: Ints
    x: Ints


class Hulls(NamedTuple):
    """The left and the right chain of each object's hull. Both start in its first row and end in its last."""

    left: Chain
    right: Chain


def hulls_of_runs(runs: Runs) -> Hulls:
    """The hulls of the pixels' centres, of runs of two dimensions."""
    order = np.argsort(runs.of, kind="stable")  # by row within an object, as runs are in raster order
    of, y, x = runs.of[order], runs.at[0][order], runs.at[1][order]
    return _of_rows(of, y, x, x + runs.length[order] - 1)


def corners_of_runs(runs: Runs) -> Rows:
    """The pixels at which the hull of each object's pixels turns, of runs of two dimensions."""
    of, y, x = (np.concatenate(both) for both in zip(*hulls_of_runs(runs), strict=True))
    return Rows(of, np.stack([y, x], axis=1))


def hulls_of_points(of: Ints, y: Ints, x: Ints) -> Hulls:
    """The hulls of points in any order."""
    if not len(of):
        return _of_rows(of, y, x, x)
    top, side = y.min(), x.min()
    height, width = np.ptp(y) + 1, np.ptp(x) + 1
    key = np.sort((of * height + y - top) * width + x - side)  # one sort of numbers instead of three of places
    row, x = np.divmod(key, width)
    of, y = np.divmod(row, height)
    return _of_rows(of, y + top, x + side, x + side)


def _of_rows(of: Ints, y: Ints, low: Ints, high: Ints) -> Hulls:
    """The hulls of stretches, sorted by object, row and place."""
    first = np.flatnonzero((np.diff(of, prepend=-1) != 0) | (np.diff(y, prepend=0) != 0))
    last = _ends(first, len(of)) - 1
    left = _turning(Chain(of[first], y[first], low[first]))
    right = _turning(Chain(of[first], y[first], -high[last]))
    return Hulls(left, right._replace(x=-right.x))


def _ends(starts: Ints, size: int) -> Ints:
    """Where each of some stretches ends that follow one another without a gap."""
    return np.append(starts[1:], size)[: len(starts)]


def _turning(chain: Chain) -> Chain:
    """The points of a chain at which its lower hull turns.

    A point on or above the line between its neighbours is no corner, whatever else is one: so all such points go at
    once, until there are none. What does not change any more is left alone.
    """
    done = []
    while len(chain.of):
        of, y, x = chain
        inner = (of[1:-1] == of[:-2]) & (of[1:-1] == of[2:])
        dy, dx = np.diff(y), np.diff(x)
        drop = np.zeros(len(of), bool)
        drop[1:-1] = inner & (dx[:-1] * dy[1:] >= dx[1:] * dy[:-1])
        changed = np.zeros(of[-1] + 1, bool)
        changed[of[drop]] = True
        again = changed[of]
        done.append(Chain(of[~again], y[~again], x[~again]))
        again &= ~drop
        chain = Chain(of[again], y[again], x[again])
    of, y, x = (np.concatenate([each[i] for each in done] or [chain[i]]) for i in range(3))
    order = np.argsort(of, kind="stable")
    return Chain(of[order], y[order], x[order])


def widened(hulls: Hulls) -> Hulls:
    """The hulls with half a pixel more on all four sides of each corner, in half pixels."""
    of, y, x = (np.concatenate(both) for both in zip(*hulls, strict=True))
    offsets = ((-1, 0), (1, 0), (0, -1), (0, 1))
    return hulls_of_points(
        np.tile(of, 4),
        np.concatenate([2 * y + dy for dy, _ in offsets]),
        np.concatenate([2 * x + dx for _, dx in offsets]),
    )


def rows_of_hulls(hulls: Hulls) -> tuple[Ints, Ints, Ints, Ints]:
    """Object, row, first and last pixel of each row of hulls in half pixels; a pixel on the edge is in it."""
    of, y, low = _rows(hulls.left)
    _, _, high = _rows(hulls.right._replace(x=-hulls.right.x))
    return of, y, low, -high


def _rows(chain: Chain) -> tuple[Ints, Ints, Ints]:
    """Of a chain in half pixels, in each row of pixels, the first whole pixel at or behind it."""
    edge = np.flatnonzero(chain.of[1:] == chain.of[:-1])
    y, x = chain.y[edge], chain.x[edge]
    dy, dx = chain.y[edge + 1] - y, chain.x[edge + 1] - x
    first, stop = -(-y // 2), -(-(y + dy) // 2)
    count = stop - first
    each = np.repeat(np.arange(len(edge)), count)
    row = np.arange(len(each)) + np.repeat(first - (np.cumsum(count) - count), count)
    across = x[each] * dy[each] + dx[each] * (2 * row - y[each])
    return chain.of[edge][each], row, -(-across // (2 * dy[each]))


def spans(hulls: Hulls, spacing: tuple[float, ...], n: int) -> tuple[Floats, Floats]:
    """The greatest and the least extent of hulls in half pixels (the Feret diameters), in units."""
    of, points = _corners(hulls)
    start = np.searchsorted(of, np.arange(n))
    size = np.bincount(of, minlength=n)
    scaled = points * (np.array(spacing) / 2)
    local = np.arange(len(of)) - start[of]
    longest, narrowest = np.zeros(len(of)), np.zeros(len(of))
    normal = _normals(scaled[start[of] + (local + 1) % size[of]] - scaled)
    for shift in range(1, size.max(initial=0)):
        here = np.flatnonzero(size[of] > shift)
        there = start[of[here]] + (local[here] + shift) % size[of[here]]
        step = scaled[there] - scaled[here]
        longest[here] = np.maximum(longest[here], np.einsum("kd,kd->k", step, step))
        narrowest[here] = np.maximum(narrowest[here], np.einsum("kd,kd->k", step, normal[here]))
    return np.sqrt(extreme(np.maximum, of, longest, n)), extreme(np.minimum, of, narrowest, n)


def _corners(hulls: Hulls) -> tuple[Ints, Floats]:
    """The corners of each polygon once, in order around it: down the left chain and up the right one."""
    of = np.concatenate([hulls.left.of, hulls.right.of[::-1]])
    points = np.stack([np.concatenate([a, b[::-1]]) for a, b in zip(hulls.left[1:], hulls.right[1:], strict=True)], 1)
    order = np.argsort(of, kind="stable")
    of, points = of[order], points[order]
    first = np.flatnonzero(np.diff(of, prepend=-1))
    following = np.arange(1, len(of) + 1)
    following[_ends(first, len(of)) - 1] = first
    kept = (points != points[following]).any(axis=1)
    return of[kept], points[kept].astype(np.float64)


def _normals(edges: Floats) -> Floats:
    """The unit vectors that point inwards from the edges of a polygon."""
    turned = np.stack([-edges[:, 1], edges[:, 0]], axis=1)
    normals: Floats = turned / np.hypot(*edges.T)[:, None]
    return normals
