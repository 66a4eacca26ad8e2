"""Coarse levels built from a finished finer one, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, product
from typing import Any

import numpy as np

from tilewright.abc import Array, Region, cpus

from .layout import LevelLayout
from .sampling import Sampling, downsample, extent

__all__ = ["build", "nearest_source"]

READ = 2**22  # fine pixels in memory at a time; counting the labels of mixed blocks takes some 40 bytes for each


def nearest_source(levels: Sequence[LevelLayout], complete: Sequence[int], target: int) -> tuple[int, list[Sampling]]:
    """The coarsest complete level from which nearest sampling gives what it would give from the finest, and how.

    That holds where one factor divides the other and the coarse pixels' places exist in the level between: a level
    rounded down may lack the last one.
    """
    wanted = levels[target].samplings
    for number in sorted(complete, reverse=True):
        steps = [_between(a, b) for a, b in zip(levels[number].samplings, wanted, strict=True)]
        found = [step for step in steps if step is not None]
        if len(found) == len(steps):
            return number, found
    return 0, list(wanted)


def _between(near: Sampling, far: Sampling) -> Sampling | None:
    if near.factor is None or far.factor is None or far.factor % near.factor:
        return None
    factor = far.factor // near.factor
    if (far.coarse - 1) * factor >= near.coarse:
        return None
    return Sampling(fine=near.coarse, coarse=far.coarse, factor=factor)


def build(source: Array, target: Any, unit: Sequence[int], samplings: tuple[Sampling, ...], method: str) -> None:
    """Fill a coarse level from a finer one, unit by unit; a unit without labels is not written.

    Each CPU has at most one unit of the coarse level and about 4 million pixels of the finer one in memory.
    """

    def fill(region: Region) -> None:
        labels = np.zeros([part.stop - part.start for part in region], target.dtype)
        for piece in _regions(region, _piece(unit, samplings)):
            fine = extent(samplings, piece)
            pixels = np.asarray(source[fine])
            if not pixels.any():  # most of an image of which a region was segmented
                continue
            local = tuple(slice(p.start - r.start, p.stop - r.start) for p, r in zip(piece, region, strict=True))
            labels[local] = downsample(pixels, fine, piece, samplings, method)
        if labels.any():
            target[region] = labels

    regions = _regions(tuple(slice(0, n) for n in target.shape), unit)
    with ThreadPoolExecutor(cpus()) as pool:
        while some := list(islice(regions, 256)):  # a pool takes all that it is given at once
            list(pool.map(fill, some))


def _piece(unit: Sequence[int], samplings: Sequence[Sampling]) -> tuple[int, ...]:
    """A part of a unit whose fine pixels fit into memory."""
    sizes = [min(u, s.coarse) for u, s in zip(unit, samplings, strict=True)]
    ratios = [s.factor or s.fine / s.coarse for s in samplings]
    while math.prod(n * ratio for n, ratio in zip(sizes, ratios, strict=True)) > READ and max(sizes) > 1:
        longest = max(range(len(sizes)), key=lambda axis: (sizes[axis] > 1, sizes[axis] * ratios[axis]))
        sizes[longest] = -(-sizes[longest] // 2)
    return tuple(sizes)


def _regions(whole: Region, step: Sequence[int]) -> Iterator[Region]:
    cuts = (
        [slice(a, min(a + s, part.stop)) for a in range(part.start, part.stop, s)]
        for part, s in zip(whole, step, strict=True)
    )
    return product(*cuts)
