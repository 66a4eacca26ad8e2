"""Moments: sums of products of powers of coordinates, from runs, and what scikit-image derives of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .runs import Ints, Runs

__all__ = [
    "Exponents",
    "central",
    "centre",
    "entry",
    "every",
    "grid",
    "hu",
    "inertia",
    "normalized",
    "scaled",
    "sums",
    "up_to",
    "weighted_sums",
]

Exponents = tuple[tuple[int, ...], ...]
Floats = NDArray[np.float64]

ORDER = 3  # scikit-image's


def up_to(order: int, d: int) -> Exponents:
    """The exponents whose sum is at most `order`."""
    return tuple(each for each in itertools.product(range(order + 1), repeat=d) if sum(each) <= order)


def every(d: int) -> Exponents:
    """The exponents of scikit-image's moments: each at most 3."""
    return tuple(itertools.product(range(ORDER + 1), repeat=d))


def sums(runs: Runs, corner: Ints, exponents: Exponents) -> Floats:
    """(n, len(exponents)) sums over pixels of products of powers of their distances from a corner of each object."""
    place = (runs.at - corner.T[:, runs.of]).astype(np.float64)
    along = [_below(power, place[-1] + runs.length) - _below(power, place[-1]) for power in _last(exponents)]
    return _multiplied(runs, place, along, exponents)


def weighted_sums(runs: Runs, corner: Ints, exponents: Exponents, weights: Floats) -> Floats:
    """The same, each pixel times its weight. weights: of the core, flat.

    Within a run, powers are of the distance from its first pixel, which is small, and then moved to the corner.
    """
    place = (runs.at - corner.T[:, runs.of]).astype(np.float64)
    steps = np.arange(len(weights)) - runs.spread(runs.starts[runs.own], len(weights))
    within = [runs.folded(np.add, weights)]
    for _ in _last(exponents)[1:]:
        weights = weights * steps
        within.append(runs.folded(np.add, weights))
    along = [
        sum(math.comb(power, k) * place[-1] ** (power - k) * within[k] for k in range(power + 1))
        for power in _last(exponents)
    ]
    return _multiplied(runs, place, along, exponents)


def _last(exponents: Exponents) -> range:
    """The powers along the last axis."""
    return range(max(each[-1] for each in exponents) + 1)


def _below(power: int, stop: Floats) -> Floats:
    """The sum of i**power over the whole numbers from 0 up to `stop`, which is left out (Faulhaber)."""
    if power == 0:
        return stop
    if power == 2:
        return stop * (stop - 1) * (2 * stop - 1) / 6
    triangle = stop * (stop - 1) / 2
    return triangle if power == 1 else triangle**2


def _multiplied(runs: Runs, place: Floats, along: Sequence[Any], exponents: Exponents) -> Floats:
    """Sums over runs of what they have along the last axis times powers along the others."""
    result = np.empty((runs.n, len(exponents)))
    for column, powers in enumerate(exponents):
        value = along[powers[-1]]
        for axis, power in enumerate(powers[:-1]):
            if power:
                value = value * place[axis] ** power
        result[:, column] = np.bincount(runs.of, value, runs.n)
    return result


def grid(values: Floats, exponents: Exponents) -> Floats:
    """(n, p, …) sums as an array with an axis for each coordinate's power; 0 where there is none."""
    d, side = len(exponents[0]), 1 + max(map(max, exponents))
    result = np.zeros((len(values), *(side,) * d))
    for column, powers in enumerate(exponents):
        entry(result, powers)[:] = values[:, column]
    return result


def entry(grid: Floats, powers: Sequence[int]) -> Floats:
    """(n,) what a grid has at the powers of the coordinates."""
    place: Any = (slice(None), *powers)
    values: Floats = grid[place]
    return values


def centre(moments: Floats) -> Floats:
    """(n, d) the centroid from the corner, in pixels."""
    d = moments.ndim - 1
    first = np.stack([entry(moments, row) for row in np.eye(d, dtype=int).tolist()], axis=1)
    return first / entry(moments, (0,) * d)[:, None]


def scaled(moments: Floats, spacing: NDArray[np.float64]) -> Floats:
    """Moments in units instead of pixels."""
    for axis, step in enumerate(spacing):
        powers = step ** np.arange(moments.shape[1 + axis])
        moments = moments * powers.reshape(-1, *(1,) * (len(spacing) - 1 - axis))
    return moments


def central(moments: Floats, centre: Floats) -> Floats:
    """Moments about another point than the corner. centre: (n, d), from the corner, in pixels.

    The first move is by whole pixels, which is exact while sums are below 2**53; the second by less than one.
    """
    near = np.rint(centre)
    about = _moved(_moved(moments, near), centre - near)
    entry(about, (0,) * centre.shape[1])[:] = entry(moments, (0,) * centre.shape[1])  # also where there is no centre
    return about


def _moved(moments: Floats, step: Floats) -> Floats:
    """Moments about a point that is `step` further: (x - s)^p is the sum of C(p, k) (-s)^(p - k) x^k."""
    for axis in range(step.shape[1]):
        back = -step[:, axis].reshape(-1, *(1,) * (step.shape[1] - 1))
        planes = np.moveaxis(moments, 1 + axis, 0)
        moved = [sum(math.comb(p, k) * back ** (p - k) * planes[k] for k in range(p + 1)) for p in range(len(planes))]
        moments = np.moveaxis(np.array(moved), 0, 1 + axis)
    return moments


def _orders(moments: Floats) -> Ints:
    """The sum of the powers at each place of a grid."""
    orders: Ints = np.indices(moments.shape[1:]).sum(axis=0)
    return orders


def normalized(about: Floats, spacing: Sequence[float]) -> Floats:
    """scikit-image's normalized central moments; NaN where the powers' sum is less than 2. about: in units."""
    orders, d = _orders(about), about.ndim - 1
    mass = entry(about, (0,) * d).reshape(-1, *(1,) * d)
    result = about / float(min(spacing)) ** orders / mass ** (orders / d + 1)
    result[:, orders < 2] = np.nan
    return result


def hu(nu: Floats) -> Floats:
    """(n, 7) Hu's invariants of normalized central moments (IRE Trans. Inf. Theory 8, 1962, p. 185)."""
    n20, n02, n11 = nu[:, 2, 0], nu[:, 0, 2], nu[:, 1, 1]
    a, b = nu[:, 3, 0] - 3 * nu[:, 1, 2], 3 * nu[:, 2, 1] - nu[:, 0, 3]
    c, e = nu[:, 3, 0] + nu[:, 1, 2], nu[:, 2, 1] + nu[:, 0, 3]
    turned, skewed = c * (c**2 - 3 * e**2), e * (3 * c**2 - e**2)
    return np.stack(
        [
            n20 + n02,
            (n20 - n02) ** 2 + 4 * n11**2,
            a**2 + b**2,
            c**2 + e**2,
            a * turned + b * skewed,
            (n20 - n02) * (c**2 - e**2) + 4 * n11 * c * e,
            b * turned - a * skewed,
        ],
        axis=1,
    )


def inertia(about: Floats) -> Floats:
    """(n, d, d) the inertia tensor of central moments in units."""
    d = about.ndim - 1
    unit = np.eye(d, dtype=int)
    mass = entry(about, (0,) * d)
    second = np.stack([entry(about, (unit[i] + unit[j]).tolist()) for i, j in np.ndindex(d, d)], axis=1).reshape(
        -1, d, d
    )
    trace = np.trace(second, axis1=1, axis2=2)[:, None, None]
    result: Floats = (np.eye(d) * trace - second) / mass[:, None, None]
    return result
