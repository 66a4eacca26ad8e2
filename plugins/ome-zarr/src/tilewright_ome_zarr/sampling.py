"""How the pixels of a coarse level lie on those of a finer one, axis by axis, and the labels that they get."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Region

__all__ = ["Sampling", "downsample", "extent", "project", "sampling"]

FEW = 64  # pixels of a block that are sorted rather than counted by runs


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """One axis: `fine` pixels become `coarse` ones.

    With a `factor`, coarse pixel i stands for the fine pixels from i * factor, and takes its first one: stride
    sampling, whether the level was rounded up or down. Writers of other pyramids leave shapes that no factor explains;
    then coarse pixel i stands for the i-th of `coarse` equal parts, and takes the pixel in its middle.
    """

    fine: int
    coarse: int
    factor: int | None

    def start(self, index: int) -> int:
        """The first fine pixel of a coarse one; of `coarse`, where the last one ends.

        Fine pixels that a level rounded down leaves over belong to no coarse one.
        """
        if self.factor is None:
            return index * self.fine // self.coarse
        return min(index * self.factor, self.fine)

    def starts(self, part: slice) -> NDArray[np.intp]:
        indices = np.arange(part.start, part.stop)
        if self.factor is None:
            return indices * self.fine // self.coarse
        return indices * self.factor

    def picks(self, part: slice) -> NDArray[np.intp]:
        """The fine pixels that nearest sampling takes."""
        if self.factor is not None:
            return self.starts(part)
        middles = (2 * np.arange(part.start, part.stop) + 1) * self.fine // (2 * self.coarse)
        return middles.clip(max=self.fine - 1)

    def project(self, part: slice) -> slice:
        """The coarse pixels whose first fine pixel lies in a part of the fine axis."""
        first, last = (
            min(self.coarse, -(-edge * self.coarse // self.fine) if self.factor is None else -(-edge // self.factor))
            for edge in (part.start, part.stop)
        )
        return slice(first, last)

    def extent(self, part: slice) -> slice:
        """The fine pixels that a part of the coarse axis depends on."""
        middle = int(self.picks(slice(part.stop - 1, part.stop))[0])
        return slice(self.start(part.start), max(self.start(part.stop), middle + 1))


def sampling(fine: int, coarse: int, ratio: float) -> Sampling:
    """The sampling from one length to another, given about how many times larger the pixels are.

    The factor is the integer next to the ratio that explains the lengths (rounded up or down), else next to their
    quotient; none if neither does.
    """
    for factor in (round(ratio if math.isfinite(ratio) else 1), round(fine / coarse), -(-fine // coarse)):
        if factor >= 1 and coarse in (-(-fine // factor), fine // factor):
            return Sampling(fine=fine, coarse=coarse, factor=factor)
    return Sampling(fine=fine, coarse=coarse, factor=None)


def project(samplings: tuple[Sampling, ...], region: Region) -> Region:
    """The region of the coarse level whose pixels begin in a region of the fine one."""
    return tuple(s.project(part) for s, part in zip(samplings, region, strict=True))


def extent(samplings: tuple[Sampling, ...], region: Region) -> Region:
    """The region of the fine level that a region of the coarse one depends on."""
    return tuple(s.extent(part) for s, part in zip(samplings, region, strict=True))


def downsample(
    labels: NDArray[Any], fine: Region, coarse: Region, samplings: tuple[Sampling, ...], method: str
) -> NDArray[Any]:
    """The labels of a coarse region.

    labels: those of the region `fine`, which holds at least `extent(samplings, coarse)`.
    method: `nearest` takes one pixel of each block; `mode` the most frequent label of the block, background counted as
        one, the smallest of equally frequent ones.
    """
    if method == "mode":
        return _mode(labels, fine, coarse, samplings)
    picks = (s.picks(c) - f.start for s, c, f in zip(samplings, coarse, fine, strict=True))
    return labels[np.ix_(*picks)]


def _mode(labels: NDArray[Any], fine: Region, coarse: Region, samplings: tuple[Sampling, ...]) -> NDArray[Any]:
    starts, parts = [], []
    for s, c, f in zip(samplings, coarse, fine, strict=True):
        parts.append(slice(s.start(c.start) - f.start, s.start(c.stop) - f.start))
        starts.append(s.starts(c) - s.start(c.start))
    cropped = labels[tuple(parts)]
    lowest = highest = cropped
    for axis, edges in enumerate(starts):
        lowest = _reduced(np.minimum, lowest, edges, axis)
        highest = _reduced(np.maximum, highest, edges, axis)
    mixed = lowest != highest
    if mixed.any():  # most blocks lie within one object or the background: only the others are counted
        sizes = [np.diff(edges, append=n) for edges, n in zip(starts, cropped.shape, strict=True)]
        few = all((size == size[0]).all() for size in sizes) and math.prod(int(size[0]) for size in sizes) <= FEW
        lowest[mixed] = _by_sorting(cropped, mixed) if few else _most_frequent(cropped, starts, mixed)
    return lowest


def _reduced(ufunc: np.ufunc, labels: NDArray[Any], edges: NDArray[np.intp], axis: int) -> NDArray[Any]:
    """What `ufunc.reduceat` gives along an axis; cells of one length go some ten times as fast."""
    length, step = labels.shape[axis], int(edges[1] - edges[0]) if len(edges) > 1 else labels.shape[axis]
    if not np.array_equal(edges, np.arange(0, length, step)):
        reduced: NDArray[Any] = ufunc.reduceat(labels, edges, axis=axis)
        return reduced
    moved = np.moveaxis(labels, axis, 0)
    found = moved[::step].copy()
    for each in range(1, step):
        part = moved[each::step]
        ufunc(found[: len(part)], part, out=found[: len(part)])
    return np.moveaxis(found, 0, axis)


def _by_sorting(labels: NDArray[Any], mixed: NDArray[np.bool_]) -> NDArray[Any]:
    """The most frequent label of each mixed block, in the blocks' order, of blocks of one size with few pixels."""
    split = [n for cells, whole in zip(mixed.shape, labels.shape, strict=True) for n in (cells, whole // cells)]
    within = [2 * axis + side for side in (0, 1) for axis in range(labels.ndim)]
    blocks = labels.reshape(split).transpose(within)[mixed].reshape(np.count_nonzero(mixed), -1)
    pixels = np.ascontiguousarray(np.sort(blocks, axis=1).T)
    found: NDArray[Any] = pixels[0].copy()
    most = np.ones(len(blocks), np.int64)
    run = most.copy()
    for before, here in pairwise(pixels):
        run = np.where(here == before, run + 1, 1)
        np.copyto(found, here, where=run > most)  # of equally frequent ones the smallest came first
        np.maximum(most, run, out=most)
    return found


def _most_frequent(labels: NDArray[Any], starts: list[NDArray[np.intp]], mixed: NDArray[np.bool_]) -> NDArray[Any]:
    """The most frequent label of each mixed block, in the blocks' order.

    Counted are runs of equal labels along the last axis, of which there are far fewer than pixels.
    """
    at, weights = _runs(labels, starts, mixed)
    flat = np.ravel_multi_index(at, labels.shape)
    cells = [np.searchsorted(edges, places, side="right") - 1 for edges, places in zip(starts, at, strict=True)]
    numbers = (np.cumsum(mixed) - 1)[np.ravel_multi_index(cells, mixed.shape)]
    values = labels.ravel()[flat]
    order = np.lexsort((values, numbers))
    numbers, values, weights = numbers[order], values[order], weights[order]
    begins = np.flatnonzero(np.r_[True, (numbers[1:] != numbers[:-1]) | (values[1:] != values[:-1])])
    counts = np.add.reduceat(weights, begins)
    numbers, values = numbers[begins], values[begins]
    firsts = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]])
    place = np.arange(len(counts))  # taken off, so that of equally frequent ones the smallest, which comes first, wins
    best = np.maximum.reduceat(counts * len(counts) - place, firsts)
    winners: NDArray[Any] = values[-best % len(counts)]
    return winners


def _runs(
    labels: NDArray[Any], starts: list[NDArray[np.intp]], mixed: NDArray[np.bool_]
) -> tuple[tuple[NDArray[np.intp], ...], NDArray[np.intp]]:
    """Where, within mixed blocks, stretches of one label and one block begin along the last axis, and their lengths."""
    counted = mixed
    for axis, edges in enumerate(starts):
        counted = np.repeat(counted, np.diff(edges, append=labels.shape[axis]), axis=axis)
    begins = np.ones(labels.shape, np.bool_)
    np.not_equal(labels[..., 1:], labels[..., :-1], out=begins[..., 1:])
    begins[..., starts[-1]] = True
    flat = np.flatnonzero(begins)
    lengths = np.diff(flat, append=labels.size)
    kept = counted.ravel()[flat]
    return np.unravel_index(flat[kept], labels.shape), lengths[kept]
