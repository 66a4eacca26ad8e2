"""Reading a region of an image or of labels in the axes that a component asks for, and whether it has changed since."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..components.isolation import describe
from ..errors import InvalidLabels, InvalidPixels, NotReadable, TransformFailed
from ..io.source import Source
from ..labels.runs import checked
from ..storage.arrays import footprint
from ..storage.identity import Snapshot
from ..storage.location import Location
from ..tiling.grid import TileGrid
from ..tiling.regions import Region, box, lengths, relative

__all__ = [
    "Readable",
    "Stored",
    "StoredLabels",
    "What",
    "combined",
    "digest_of",
    "guard_of",
    "guarded",
    "pixels_of",
    "pixels_together",
]

What = Callable[[Region], str]

SKIP = ", or leave such tiles out: on_error='skip' (--on-error skip)"
WASTE = 2  # what regions are read together with, in times their own pixels


class Readable(Protocol):
    """What a region is read of, such as a plan: a source, the grid whose axes a region has, and how changes show."""

    @property
    def source(self) -> Source: ...
    @property
    def grid(self) -> TileGrid: ...
    @property
    def files(self) -> Snapshot | None: ...
    @property
    def digests(self) -> bool: ...


def guard_of(plan: Readable, region: Region) -> int:
    """A number that changes when a region's stored pixels do, found without reading them.

    0 for what has no files of its own for a region: arrays in memory and whole files, which are part of the run's
    record, and whatever is known by the `digest_of` its pixels. But files that a later run would know by their content
    may be in another state by now, and no run reuses what was read from them then.
    """
    whole, image = plan.source.whole, plan.source.opened
    chunks = whole.identity.chunks
    if chunks is None:
        if plan.files is None or not plan.files.content:
            return 0
        state = whole.identity.state()
        return 0 if state == plan.files.state else state
    parts = dict(zip(plan.grid.axes, region, strict=True))
    full = (parts.get(axis, slice(0, n)) for axis, n in zip(image.axes, image.shape, strict=True))
    return chunks.state(footprint(image.data, tuple(full)))


def digest_of(plan: Readable, pixels: NDArray[Any]) -> int:
    """A number that changes with pixels, where nothing else does; 0 where something else does."""
    if not plan.digests:
        return 0
    return int.from_bytes(hashlib.blake2b(pixels.tobytes(), digest_size=7).digest(), "big")


def combined(guards: Sequence[int]) -> int:
    """One guard for several."""
    return int.from_bytes(hashlib.blake2b(repr(guards).encode(), digest_size=7).digest(), "big")


def guarded(
    plan: Readable, region: Region, axes: str, what: Callable[[Region], str], otherwise: str = SKIP
) -> tuple[NDArray[Any], int]:
    """What `pixels_of` returns, and the guard of the region, which is made first: what changes meanwhile is noticed."""
    guard = guard_of(plan, region)
    pixels = pixels_of(plan, region, axes, what, otherwise)
    return pixels, guard + digest_of(plan, pixels)


def pixels_of(
    plan: Readable, region: Region, axes: str, what: Callable[[Region], str], otherwise: str = SKIP
) -> NDArray[Any]:
    """Read a region in some axes; those that the image lacks have length 1. NotReadable says `what` is read.

    otherwise: what else the user may do but repair the image.
    """
    return _in_axes(plan, _read(plan, region, what, otherwise), axes)


def pixels_together(
    plan: Readable, regions: Sequence[Region], axes: str, what: Callable[[Region], str]
) -> Iterator[NDArray[Any]]:
    """What `pixels_of` returns of each region, in their order.

    Regions near each other are read at once, in the box around them: several may lie in one chunk, which would be
    decoded for each of them.
    """
    around = box(regions)
    if len(regions) == 1 or math.prod(lengths(around)) > WASTE * sum(math.prod(lengths(r)) for r in regions):
        yield from (pixels_of(plan, region, axes, what) for region in regions)
        return
    block = _read(plan, around, what)
    for region in regions:
        parts = dict(zip(plan.grid.axes, relative(region, around), strict=True))
        own = block[tuple(parts.get(axis, slice(None)) for axis in plan.source.opened.axes)]
        yield _in_axes(plan, own.copy(), axes)  # a network may write into it, and regions overlap


def _read(plan: Readable, region: Region, what: Callable[[Region], str], otherwise: str = SKIP) -> NDArray[Any]:
    """A region in the image's axes."""
    image = plan.source.opened
    parts = dict(zip(plan.grid.axes, region, strict=True))
    try:
        block = image.read(tuple(parts.get(axis, slice(None)) for axis in image.axes))
    except (TransformFailed, InvalidPixels) as error:
        raise type(error)(f"{error}, {what(region)}") from error.__cause__
    except Exception as error:
        if Location.of(image.source).local is None:
            from ..storage.remote_errors import explained

            raise NotReadable(explained(error, image.source, f"read at {what(region)}") + otherwise) from error
        raise NotReadable(
            f"{image.source or image.name} cannot be read at {what(region)}: {describe(error)}; repair it{otherwise}"
        ) from error
    plan.source.check()
    return block


def _in_axes(plan: Readable, block: NDArray[Any], axes: str) -> NDArray[Any]:
    """A block of the image in some axes; it has length 1 along the others."""
    missing, kept, order = _arranged(plan.source.opened.axes, axes)
    block = block.reshape((1,) * missing + tuple(block.shape[i] for i in kept))
    return np.ascontiguousarray(block.transpose(order))


@cache
def _arranged(here: str, wanted: str) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """How many of some axes a block lacks, which of its own it keeps, and where each wanted one is among all these."""
    kept = tuple(i for i, axis in enumerate(here) if axis in wanted)
    missing = [axis for axis in wanted if axis not in here]
    among = [*missing, *(here[i] for i in kept)]
    return len(missing), kept, tuple(among.index(axis) for axis in wanted)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """An image with the shape of the labels along the grid's axes; the rest as in `Plan`."""

    source: Source
    grid: TileGrid
    files: Snapshot | None = None
    digests: bool = False

    @classmethod
    def of(cls, source: Source, grid: TileGrid) -> Any:
        identity = source.whole.identity
        return cls(source=source, grid=grid, files=identity.snapshot(), digests=not identity.known)

    def pixels(self, region: Region, axes: str, what: What) -> tuple[NDArray[Any], int]:
        """The pixels of a region in some axes, native and new, and its guard."""
        pixels, guard = guarded(self, region, axes, what, "")
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False), guard

    def pixels_guard(self, region: Region, axes: str, what: What) -> int:
        """The guard of a region as it is now."""
        return self.pixels(region, axes, what)[1] if self.digests else guard_of(self, region)


class StoredLabels(Stored):
    """Labels of any integers, or of floats that are whole numbers."""

    @property
    def dtype(self) -> np.dtype[Any]:
        stored = self.source.whole.dtype
        return stored if stored.kind == "u" else np.dtype(np.uint64)

    def read(self, region: Region, what: What, axes: str | None = None) -> tuple[NDArray[Any], int]:
        """The labels of a region in some axes, by default the grid's, and the guard of the region."""
        labels, guard = self.pixels(region, self.grid.axes if axes is None else axes, what)
        try:
            return checked(labels, labels.shape), guard
        except InvalidLabels as error:
            image = self.source.whole
            raise InvalidLabels(f"{image.source or image.name}, {what(region)}, {error}") from error.__cause__

    def guard(self, region: Region, what: What) -> int:
        return self.pixels_guard(region, self.grid.axes, what)
