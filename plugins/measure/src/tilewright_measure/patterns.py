"""Counts of local patterns: windows of 2 pixels along each axis, and the border pixels' neighbourhoods.

Both are sums over pixels of an object, given the final labels one or two pixels around it, and are whole numbers: so
they are the same for every tiling.
"""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Block, Rows

from .runs import Ints

__all__ = ["CROFTON", "EULER", "PERIMETER", "border_counts", "surface_areas", "window_rows"]

Framed = NDArray[np.int32]


def framed(block: Block, margin: int) -> Framed:
    """The core's labels with `margin` pixels around it; 0 beyond the image."""
    result = np.zeros([part.stop - part.start + 2 * margin for part in block.core], np.int32)
    seen, put = [], []
    for part, length in zip(block.core, block.labels.shape, strict=True):
        start, stop = max(0, part.start - margin), min(length, part.stop + margin)
        seen.append(slice(start, stop))
        put.append(slice(start - part.start + margin, stop - part.start + margin))
    result[tuple(put)] = block.labels[tuple(seen)]
    return result


def window_counts(block: Block) -> Ints:
    """(n, 2**2**d) how often each pattern of an object's pixels fills a window of 2 pixels along each axis.

    A window counts where the object's first pixel in it lies in the core, so each is counted once in the image, of each
    object. Windows that lie wholly in an object are left out: no measure needs them. The pattern's number has a bit
    for each pixel, the highest for the first one.
    """
    labels = framed(block, 1)
    uneven = _uneven(labels)
    # Only windows at the edge of the core have pixels beyond it.
    edge = uneven.copy()
    edge[(slice(1, -2),) * labels.ndim] = False
    uneven &= ~edge
    return _counted(labels, np.flatnonzero(uneven), block.n) + _counted(
        labels, np.flatnonzero(edge), block.n, edge=True
    )


def _counted(labels: Framed, start: Ints, n: int, *, edge: bool = False) -> Ints:
    """The counts of the windows that start at flat places."""
    places = list(itertools.product(range(2), repeat=labels.ndim))
    steps = np.array(places) @ (np.array(labels.strides) // labels.itemsize)
    corners = [labels.ravel()[start + step] for step in steps]
    equal = {pair: corners[pair[0]] == corners[pair[1]] for pair in itertools.combinations(range(len(places)), 2)}
    position = np.unravel_index(start, labels.shape) if edge else ()
    counts = np.zeros(n << len(places), np.int64)
    for k, place in enumerate(places):
        own = (corners[k] > 0) & (corners[k] <= n)
        for where, step, length in zip(position, place, labels.shape, strict=edge):
            own &= (where + step > 0) & (where + step < length - 1)
        code = np.full(len(start), 1 << (len(places) - 1 - k), np.uint8)
        for other in {*range(len(places))} - {k}:
            same = equal[min(k, other), max(k, other)]
            code |= same.view(np.uint8) << np.uint8(len(places) - 1 - other)
            if other < k:
                own &= ~same
        mine = corners[k][own].astype(np.int64) - 1
        counts += np.bincount((mine << len(places)) + code[own], minlength=len(counts))
    return counts.reshape(n, 1 << len(places))


def window_rows(block: Block) -> Rows:
    """The same as rows of a pattern's number and its count, without those that do not occur."""
    counts = window_counts(block)
    of, code = np.nonzero(counts)
    return Rows(of, np.stack([code, counts[of, code]], axis=1))


def _uneven(labels: Framed) -> NDArray[np.bool_]:
    """Where a window starts that has more than one label; of the labels' shape, False where no window fits.

    A window has one label if its first pixel has that of the next one along the first axis, both of these those of
    their next ones along the second axis, and so on.
    """
    uneven = np.zeros(labels.shape, bool)
    inner = uneven[(slice(0, -1),) * labels.ndim]
    for axis in range(labels.ndim):
        ahead = np.moveaxis(labels, axis, 0)
        step = np.moveaxis(ahead[1:] != ahead[:-1], 0, axis)
        for before in itertools.product(range(2), repeat=axis):
            place = (*before, *(0,) * (labels.ndim - axis))
            inner |= step[tuple(slice(p, p + size) for p, size in zip(place, inner.shape, strict=True))]
    return uneven


def border_counts(block: Block) -> Ints:
    """(n, 50) how often each neighbourhood occurs among an object's border pixels in the core, in two dimensions.

    A border pixel has one of another label among its 4 neighbours. The neighbourhood's number is 1, plus 2 for each of
    these that is a border pixel of the same object, plus 10 for each diagonal one (Benkrid and Crookes, Design and FPGA
    implementation of a perimeter estimator, 2000).
    """
    labels = framed(block, 2)
    inner, width = labels[1:-1, 1:-1], labels.shape[1] - 2
    uneven = labels[1:, 1:-1] != labels[:-1, 1:-1]
    sideways = labels[1:-1, 1:] != labels[1:-1, :-1]
    border = np.where(uneven[1:] | uneven[:-1] | sideways[:, 1:] | sideways[:, :-1], inner, 0)
    core = np.zeros(border.shape, bool)
    core[1:-1, 1:-1] = (border[1:-1, 1:-1] > 0) & (border[1:-1, 1:-1] <= block.n)
    at, flat = np.flatnonzero(core), border.ravel()
    mine = flat[at]
    code = np.ones(len(at), np.int64)
    for y, x in itertools.product((-1, 0, 1), repeat=2):
        if (y, x) != (0, 0):
            code += (flat[at + y * width + x] == mine) * (10 if y and x else 2)
    return np.bincount((mine.astype(np.int64) - 1) * 50 + code, minlength=50 * block.n).reshape(block.n, 50)


def _perimeter() -> Ints:
    """(50, 2) of each neighbourhood, how many halves of 1 and of the diagonal it adds to the perimeter."""
    weights = np.zeros((50, 2), np.int64)
    weights[[5, 7, 15, 17, 25, 27]] = 2, 0
    weights[[21, 33]] = 0, 2
    weights[[13, 23]] = 1, 1
    return weights


PERIMETER = _perimeter()


def _occupied(d: int) -> NDArray[np.bool_]:
    """(2**2**d, 2, …) the pixels of each pattern."""
    codes, n = np.arange(2**2**d), 2**d
    return (codes[:, None] >> np.arange(n)[::-1] & 1).astype(bool).reshape(-1, *(2,) * d)


def _euler(d: int) -> Ints:
    """What each pattern adds to 2**d times the Euler number, where pixels that share a corner are connected.

    A window is a corner of the pixels' grid. The cells of the grid that end there (the corner, edges, faces, pixels)
    are in the object if a pixel around them is; one of dimension j has 2**j corners, and the sign of (-1)**j.
    """
    filled, result = _occupied(d), np.zeros(2**2**d, np.int64)
    for cell in itertools.product((0, 1, None), repeat=d):
        around = filled[:, *(slice(None) if side is None else side for side in cell)]
        dimension = sum(side is not None for side in cell)
        result += (-1) ** dimension * 2 ** (d - dimension) * around.reshape(len(filled), -1).any(axis=1)
    return result


EULER = {d: _euler(d) for d in (2, 3)}


def _crofton() -> Ints:
    """(16, 2) how many pairs along the axes, and diagonal ones, have one pixel in the object."""
    p = _occupied(2).astype(np.int64)
    axes = [p[:, 0, 0] != p[:, 0, 1], p[:, 1, 0] != p[:, 1, 1], p[:, 0, 0] != p[:, 1, 0], p[:, 0, 1] != p[:, 1, 1]]
    return np.stack([sum(axes, np.zeros(16, np.int64)), abs(p[:, 0, 0] - p[:, 1, 1]) + abs(p[:, 0, 1] - p[:, 1, 0])], 1)


CROFTON = _crofton()


@cache
def surface_areas(spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """(256,) the area that each pattern of three dimensions has in scikit-image's marching cubes, in units."""
    from skimage.measure import marching_cubes, mesh_surface_area

    areas = np.zeros(256)
    for code, filled in enumerate(_occupied(3)):
        if 0 < code < 255:
            vertices, faces, _, _ = marching_cubes(filled.astype(np.float64), 0.5, spacing=spacing)
            areas[code] = mesh_surface_area(vertices, faces)
    return areas
