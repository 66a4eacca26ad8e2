"""Regions: boxes of pixels, a slice for each axis, with a start and a stop and no step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption

__all__ = ["Region", "box", "common", "cut", "flat_in_image", "indexed", "lengths", "relative"]

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


def indexed(read: Callable[[Region], NDArray[Any]], index: Any, shape: Sequence[int]) -> NDArray[Any]:
    """What `read` returns of a region, for an index of whole numbers, slices and `...`, as in numpy.

    IndexError for any other index, for one with too many entries, and for a whole number outside of the shape.
    """
    parts = _expanded(index, shape)
    spans = tuple(part if isinstance(part, slice) else slice(part, part + 1) for part in parts)
    steps = tuple(slice(None, None, part.step) if isinstance(part, slice) else 0 for part in parts)
    pixels: NDArray[Any] = read(tuple(slice(span.start, span.stop) for span in spans))[steps]
    return pixels


def _expanded(index: Any, shape: Sequence[int]) -> list[int | slice]:
    """An index with an entry for each axis; slices have a start, a stop and a positive step within the image."""
    given = index if isinstance(index, tuple) else (index,)
    before = given.index(...) if any(part is ... for part in given) else len(given)
    after = given[before + 1 :]
    if before + len(after) > len(shape) or any(part is ... for part in after):
        raise IndexError(f"index {index!r} has more entries than the image has axes ({len(shape)})")
    full = (*given[:before], *[slice(None)] * (len(shape) - before - len(after)), *after)
    return [_within(part, length) for part, length in zip(full, shape, strict=True)]


def _within(part: Any, length: int) -> int | slice:
    if isinstance(part, slice):
        start, stop, step = part.indices(length)
        if step < 1:
            raise IndexError(f"step {step} is negative; an image is read forwards")
        return slice(start, max(start, stop), step)
    if isinstance(part, bool | np.bool_) or not isinstance(part, Integral):
        raise IndexError(
            f"{part!r} is not a whole number, a slice or ...; index numpy.asarray(image) for other indices"
        )
    if not -length <= int(part) < length:
        raise IndexError(f"{part} lies outside of an axis of {length} pixels")
    return int(part) % length
