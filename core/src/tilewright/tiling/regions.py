"""Regions: boxes of pixels, a slice for each axis, with a start and a stop and no step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption

__all__ = ["Region", "box", "common", "cut", "flat_in_image", "lengths", "relative"]

MAX_ALONG = 2**22  # along one axis: each has a length in memory

Region = tuple[slice, ...]


def lengths(region: Region) -> tuple[int, ...]:
    """The shape of a region."""
    return tuple(part.stop - part.start for part in region)


def relative(region: Region, origin: Region) -> Region:
    """A region in the coordinates of another one that contains it."""
    return tuple(slice(r.start - o.start, r.stop - o.start) for r, o in zip(region, origin, strict=True))


def common(one: Region, other: Region) -> Region | None:
    """The pixels that two regions share, or None if there are none."""
    both = tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
    return both if all(part.start < part.stop for part in both) else None


def box(regions: Sequence[Region]) -> Region:
    """The smallest region that holds some others, one at least."""
    return tuple(slice(min(p.start for p in parts), max(p.stop for p in parts)) for parts in zip(*regions, strict=True))


def cut(length: int, step: int) -> tuple[int, ...]:
    """A length cut into parts of `step` pixels and a rest. InvalidOption for too many parts, as in a broken file."""
    whole, rest = divmod(length, step)
    if whole > MAX_ALONG:
        raise InvalidOption(f"{whole:,} tiles along one axis are more than {MAX_ALONG:,}; choose larger tiles")
    return (step,) * whole + ((rest,) if rest else ())


def flat_in_image(flat: NDArray[np.int64], region: Region, shape: Sequence[int]) -> NDArray[np.int64]:
    """Flat positions in a region, converted to flat positions in an image of a shape."""
    position = np.unravel_index(flat, lengths(region))
    shifted = [p + part.start for p, part in zip(position, region, strict=True)]
    places: NDArray[np.int64] = np.ravel_multi_index(shifted, tuple(shape)).astype(np.int64)
    return places
