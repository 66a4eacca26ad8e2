"""The levels of labels as arrays: the coarse ones have one pixel of each block of the level before."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import zarr
from numpy.typing import NDArray

from tilewright.abc import LabelSpec, Region

__all__ = ["Chunked", "build", "create", "largest", "picks", "plane_shapes", "tiles"]

R = TypeVar("R")
Chunked: TypeAlias = zarr.Array[Any]

COARSEST = 512  # pixels along the longer of y and x at which a pyramid of our own ends
SPAN = 2048  # pixels of the finer level along y and x in memory at a time, for each thread


def create(folder: Path, shape: tuple[int, ...], tile: int, dtype: np.dtype[Any]) -> Chunked:
    """The array in a folder whose chunks are tiles of planes: new, or as an earlier try left it."""
    chunks = (1,) * (len(shape) - 2) + tuple(max(1, min(tile, n)) for n in shape[-2:])
    return zarr.open_array(folder, mode="a", shape=shape, dtype=dtype, chunks=chunks, fill_value=0)


def plane_shapes(spec: LabelSpec, *, pyramid: bool) -> list[tuple[int, int]]:
    """The shape of each level's planes: the image's own levels where it has some, else halves, rounded up.

    Planes keep their number: a level that is coarser along z alone is no level here, and z stays as fine as it is.
    """
    finest = (spec.shape[-2], spec.shape[-1])
    shapes = [finest]
    if not pyramid:
        return shapes
    for level in spec.levels[1:]:
        shape = (level.shape[-2], level.shape[-1])
        if min(shape) >= 1 and shape != shapes[-1] and all(n <= m for n, m in zip(shape, shapes[-1], strict=True)):
            shapes.append(shape)
    while len(spec.levels) < 2 and max(shapes[-1]) > COARSEST:
        shapes.append((-(-shapes[-1][0] // 2), -(-shapes[-1][1] // 2)))
    return shapes


def picks(fine: int, coarse: int) -> NDArray[np.intp]:
    """The fine pixels that coarse ones take along one axis.

    The first of each block, where a whole factor explains the lengths, rounded up or down; else the middle one of each
    of as many equal parts.

    >>> picks(7, 4), picks(7, 3), picks(7, 5)
    (array([0, 2, 4, 6]), array([0, 2, 4]), array([0, 2, 3, 4, 6]))
    """
    factor = max(1, round(fine / coarse))
    if coarse in (fine // factor, -(-fine // factor)):
        return np.arange(coarse) * factor
    return (2 * np.arange(coarse) + 1) * fine // (2 * coarse)


def build(finest: Chunked, shapes: Sequence[tuple[int, int]], tile: int, folder: Path) -> list[Chunked]:
    """All levels, the finest first, each made from the one before it; earlier ones in the folder are replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    levels = [finest]
    for number, shape in enumerate(shapes[1:], 1):
        level = create(folder / str(number), (*finest.shape[:-2], *shape), tile, finest.dtype)
        sampling = _Sampling(fine=levels[-1], coarse=level)
        _each(sampling.fill, tiles(level))
        levels.append(level)
    return levels


def largest(labels: Chunked) -> int:
    """The largest id."""

    def of(region: Region) -> int:
        return int(np.asarray(labels[region]).max(initial=0))

    return max(_each(of, tiles(labels)), default=0)


def tiles(labels: Chunked) -> Iterator[Region]:
    """The regions of an array's chunks, plane by plane, in rows."""
    cuts = ([slice(a, min(a + c, n)) for a in range(0, n, c)] for n, c in zip(labels.shape, labels.chunks, strict=True))
    return itertools.product(*cuts)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sampling:
    """One level made from the one before."""

    fine: Chunked
    coarse: Chunked

    def fill(self, region: Region) -> None:
        """Fill a chunk; one without labels is not written."""
        labels = np.zeros([part.stop - part.start for part in region], self.coarse.dtype)
        down, across = (picks(n, m) for n, m in zip(self.fine.shape[-2:], self.coarse.shape[-2:], strict=True))
        rows, columns = (range(part.start, part.stop) for part in region[-2:])
        for part in itertools.product(_parts(down, rows), _parts(across, columns)):
            ys, xs = down[part[0]], across[part[1]]
            fine = np.asarray(self.fine[(*region[:-2], slice(ys[0], ys[-1] + 1), slice(xs[0], xs[-1] + 1))])
            y, x = (slice(p.start - r.start, p.stop - r.start) for p, r in zip(part, (rows, columns), strict=True))
            labels[..., y, x] = fine[..., ys - ys[0], :][..., xs - xs[0]]
        if labels.any():
            self.coarse[region] = labels


def _parts(taken: NDArray[np.intp], whole: range) -> Iterator[slice]:
    """Stretches of coarse pixels whose fine ones lie within `SPAN`."""
    start = whole.start
    while start < whole.stop:
        end = int(np.searchsorted(taken, taken[start] + SPAN))
        stop = min(max(end, start + 1), whole.stop)
        yield slice(start, stop)
        start = stop


def _each(work: Callable[[Region], R], regions: Iterator[Region]) -> list[R]:
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, regions))
