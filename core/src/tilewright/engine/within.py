"""The region within which a run segments: which pixels and tiles lie in it, and by which rule objects are kept."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import NotReadable
from ..image.lattice import nearest
from ..image.polygons import Polygons
from ..storage.identity import Identity
from ..tiling.grid import Tile, TileGrid
from ..tiling.regions import Region, lengths
from .reading import StoredLabels

__all__ = ["OUTSIDE", "PARTLY", "WHOLLY", "Along", "Area", "Outlines", "Rule", "StoredMask", "Within"]

Rule = Literal["clip", "inside", "touching", "centroid"]

OUTSIDE, PARTLY, WHOLLY = 0, 1, 2  # how much of a tile's core lies in the region
AT_ONCE = 2**22  # pixels of a mask that are read at a time
SMALL = 2**24  # pixels of a mask that is held in memory


@dataclass(frozen=True, kw_only=True)
class Along:
    """Which pixel of a mask is nearest to each pixel of the image along an axis.

    length: of the mask. step: how many of its pixels a pixel of the image is long. first: where among the mask's pixels
    the centre of the image's first one lies.
    """

    length: int
    step: float = 1.0
    first: float = 0.0

    def nearest(self, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
        """The mask's pixels nearest to some of the image."""
        return nearest(self.first + pixels * self.step, self.length)


class Mask(Protocol):
    """A mask over some axes of the image, in pixels of its own."""

    def read(self, region: Region) -> NDArray[np.bool_]: ...
    def state(self) -> int:
        """A number that changes when what it is read from does. NotReadable if that has been removed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outlines:
    """Polygons as a mask of the axes `yx`, in the image's order."""

    polygons: Polygons
    axes: str = "yx"

    def read(self, region: Region) -> NDArray[np.bool_]:
        rows, columns = (region[self.axes.index(axis)] for axis in "yx")
        mask = self.polygons.mask(rows, columns)
        return mask if self.axes == "yx" else mask.T

    def state(self) -> int:
        return 0


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredMask:
    """A label image as a mask: all that is not background."""

    stored: StoredLabels

    def read(self, region: Region) -> NDArray[np.bool_]:
        return self._read(region) if self._whole is None else self._whole[region]

    def state(self) -> int:
        self.stored.source.check()  # chunks that are missing would be read as background
        return self.stored.guard(tuple(slice(0, n) for n in self.stored.grid.shape), _what)

    @cached_property
    def _whole(self) -> NDArray[np.bool_] | None:
        """The whole mask, if it is small: its chunks may be larger than tiles, and would be decoded for each."""
        shape = self.stored.grid.shape
        return self._read(tuple(slice(0, n) for n in shape)) if math.prod(shape) <= SMALL else None

    def _read(self, region: Region) -> NDArray[np.bool_]:
        return self.stored.read(region, _what)[0] > 0

    def __getstate__(self) -> dict[str, Any]:
        return {"stored": self.stored}


def _what(region: Region) -> str:
    return f"{', '.join(f'{part.start}:{part.stop}' for part in region)}, for the region of a run"


@dataclass(frozen=True, kw_only=True, eq=False)
class Area:
    """What a user gives as a region: its name for people, its mask, and how that lies by axis on the image.

    identities: of the files that it is read from; empty for polygons in memory.
    """

    name: str
    mask: Mask
    along: Mapping[str, Along]
    identities: list[Identity]


@dataclass(frozen=True, kw_only=True, eq=False)
class Within:
    """A region of an image.

    rule: which objects are kept: `clip` keeps of each object what lies in the region, the others keep whole objects.
    name: what the region is made from, for people.
    axes: the image's, without `c`. along: by those of them that the mask has; it is the same all along the others.
    mask: None once all tiles are segmented.
    cover: (tiles,) `OUTSIDE`, `PARTLY` or `WHOLLY`. digest: of the region's pixels, and state: of the mask's files when
        both were found.
    """

    rule: Rule
    name: str
    axes: str
    along: Mapping[str, Along]
    mask: Mask | None
    cover: NDArray[np.uint8]
    digest: str
    state: int

    @classmethod
    def over(cls, grid: TileGrid, area: Area, rule: Rule) -> Within:
        """The region over the tiles of a grid. All of the mask that lies on the image is read once."""
        state = area.mask.state()  # before it is read: what changes meanwhile is noticed
        cover, digest = _covered(grid, area.along, area.mask)
        known = {name: getattr(area, name) for name in ("name", "mask", "along")}
        return cls(rule=rule, axes=grid.axes, cover=cover, digest=digest, state=state, **known)

    @property
    def record(self) -> dict[str, str]:
        """The rule and the region's pixels, as the fingerprint has them."""
        return {"rule": self.rule, "pixels": self.digest}

    @property
    def clips(self) -> bool:
        """Whether labels outside are cut, rather than objects kept whole."""
        return self.rule == "clip"

    def is_cut(self, tile: Tile) -> bool:
        """Whether a tile's core lies partly in the region."""
        return bool(self.cover[tile.number] == PARTLY)

    def check(self) -> None:
        """NotReadable if the mask has been removed or changed since the run was planned."""
        if self.mask is not None and self.mask.state() != self.state:
            raise NotReadable(
                f"the region {self.name} has changed since the run began; re-run the same command when it is complete"
            )

    def decided(self) -> Within:
        """The same without its mask, for steps that need it no more."""
        return replace(self, mask=None)

    def inside(self, tile: Tile) -> NDArray[np.bool_]:
        """Which pixels of a tile's core lie in the region."""
        cover, shape = self.cover[tile.number], lengths(tile.core)
        return self.read(tile.core) if cover == PARTLY else np.full(shape, cover == WHOLLY)

    def read(self, region: Region) -> NDArray[np.bool_]:
        """Which pixels of a region of the image lie in this one."""
        assert self.mask is not None
        parts = zip(self.axes, region, strict=True)
        pixels = [self.along[a].nearest(np.arange(part.start, part.stop)) for a, part in parts if a in self.along]
        block = self.mask.read(tuple(slice(int(along[0]), int(along[-1]) + 1) for along in pixels))
        block = block[np.ix_(*(along - along[0] for along in pixels))]
        missing = [i for i, axis in enumerate(self.axes) if axis not in self.along]
        return np.broadcast_to(np.expand_dims(block, missing), lengths(region))

    def holds(self, grid: TileGrid, points: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether pixels of the image, (n, axes), lie in the region."""
        index = [np.searchsorted(np.cumsum(c), points[:, i], side="right") for i, c in enumerate(grid.cores)]
        numbers = np.ravel_multi_index(index, grid.counts)
        holds: NDArray[np.bool_] = self.cover[numbers] == WHOLLY
        order = np.argsort(numbers, kind="stable")
        for here in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
            if len(here) and self.cover[numbers[here[0]]] == PARTLY:
                core = grid[int(numbers[here[0]])].core
                places = points[here] - [part.start for part in core]
                holds[here] = self.read(core)[tuple(places.T)]
        return holds


def _covered(grid: TileGrid, along: Mapping[str, Along], mask: Mask) -> tuple[NDArray[np.uint8], str]:
    """How much of each tile lies in the region, and a digest of what was read, line by line of tiles."""
    spans = [_spans(cores, along[axis]) for axis, cores in zip(grid.axes, grid.cores, strict=True) if axis in along]
    cover = np.zeros([len(starts) for starts, _ in spans], np.uint8)
    digest = hashlib.blake2b(repr(sorted(along.items())).encode(), digest_size=16)
    *leading, (starts, stops) = spans
    for index in np.ndindex(cover.shape[:-1]):
        box = tuple(slice(int(s[i]), int(e[i])) for (s, e), i in zip(leading, index, strict=True))
        for tiles in _stretches(starts, stops, math.prod(lengths(box))):
            part = slice(int(starts[tiles.start]), int(stops[tiles.stop - 1]))
            block = mask.read((*box, part))
            if not block.any():
                continue
            digest.update(repr((box, part)).encode() + np.packbits(block).tobytes())
            along_last = block.reshape(-1, block.shape[-1]).view(np.uint8).sum(axis=0, dtype=np.uint32)
            line = np.concatenate([[0], np.cumsum(along_last, dtype=np.int64)])
            pixels = line[stops[tiles] - part.start] - line[starts[tiles] - part.start]
            whole = pixels == (stops[tiles] - starts[tiles]) * math.prod(lengths(box))
            cover[(*index, tiles)] = np.where(whole, WHOLLY, np.where(pixels > 0, PARTLY, OUTSIDE))
    missing = [i for i, axis in enumerate(grid.axes) if axis not in along]
    everywhere = np.broadcast_to(np.expand_dims(cover, missing), grid.counts)
    return np.ascontiguousarray(everywhere).ravel(), digest.hexdigest()


def _spans(cores: tuple[int, ...], along: Along) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Along an axis, where the pixels of the mask that lie on each tile's core start and stop."""
    stops = np.cumsum(np.array(cores, np.int64))
    return along.nearest(stops - np.array(cores)), along.nearest(stops - 1) + 1


def _stretches(starts: NDArray[np.int64], stops: NDArray[np.int64], height: int) -> list[slice]:
    """Tiles along the last axis in stretches whose pixels are read at a time."""
    if not len(starts):
        return []
    size = max(1, AT_ONCE // max(1, height * int((stops - starts).max())))
    return [slice(i, min(i + size, len(starts))) for i in range(0, len(starts), size)]
