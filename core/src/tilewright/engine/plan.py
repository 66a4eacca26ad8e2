"""The plan of a run: everything that its tasks need to know, light enough to be sent to every worker."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..abc.traits import MergerTraits
from ..components.blame import whose
from ..components.isolation import describe
from ..errors import ComponentFailed, InvalidLabels, NotReadable, SegmenterFailed
from ..io.source import Source
from ..labels.runs import checked
from ..tiling.axes import SPATIAL, spatial
from ..tiling.grid import Tile, TileGrid
from ..tiling.placement import Placement, widened
from ..tiling.regions import Region, lengths, relative
from .checkpoint.log import Checkpoint
from .checkpoint.tables import Table

__all__ = ["Plan"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run: the source, the grid of its tiles, the components, and the checkpoint that keeps what is done.

    workdir: where the writer builds its output, on the destination's file system.
    axes: those in which the segmenter is handed a tile. located: whether it is told where a tile lies.
    joining: what the merger declares.
    digests: whether each tile's pixels are known by a digest, because nothing else tells that they have changed.
    connectivity: that of the merger: what touches by it within a core is one object; the fullest if it declares none.
    context: by axis of the grid, pixels around a tile's outer region that the segmenter sees too. Their labels are
        dropped.
    min_size: objects with fewer pixels, once joined, are dropped.
    empty: a tile without a pixel above this value is not segmented.
    same_ids: objects to which the segmenter gave equal ids in different tiles are one.
    join_z: the IoU from which objects of consecutive slices are one; None if slices are not linked.
    on_error, retries: whether a tile that fails ends the run or is left as background, and how often it is tried again.
    basis: a number that stands for the tiles as they are recorded; joins that were made on another basis do not count.
    """

    source: Source
    grid: TileGrid
    segmenter: Callable[..., Any]
    merger: Callable[..., Any]
    context: tuple[int, ...]
    checkpoint_path: Path
    workdir: Path
    axes: str = ""
    located: bool = False
    joining: MergerTraits = field(default_factory=MergerTraits)
    digests: bool = False
    connectivity: int = 1
    min_size: int = 0
    empty: float | None = None
    same_ids: bool = False
    join_z: float | None = None
    on_error: Literal["raise", "skip"] = "raise"
    retries: int = 0
    basis: int = 0

    @cached_property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self.checkpoint_path)

    @cached_property
    def tiles(self) -> Table:
        """The table of segmented tiles, once all are: for the steps after segmenting."""
        return Table.load(self.checkpoint, "tiles")

    def segmented(self, basis: int) -> Plan:
        """The plan of the step after segmenting, without an array or weights that need not be sent to them."""
        return replace(self, source=Source(), segmenter=_not_needed, basis=basis)

    @property
    def owning(self) -> bool:
        """Whether the merger says which tile draws an object, so that whole outer regions are kept."""
        return self.joining.owns

    @property
    def measuring(self) -> bool:
        """Whether it matters how many pixels an object has."""
        return self.owning or self.min_size > 0 or self.join_z is not None

    def seen(self, tile: Tile) -> Region:
        """What the segmenter is handed: the tile's outer region and its context."""
        return widened(tile.outer, self.context, self.grid.shape) if any(self.context) else tile.outer

    def guard(self, tile: Tile) -> int:
        """A number that changes when the tile's stored pixels do, found without reading them.

        0 for what has no files of its own for a region: arrays in memory and single files, whose state is part of the
        run's record, and whatever is known by the `digest` of its pixels.
        """
        whole, channels = self.source.whole, self.source.channels
        chunks = whole.identity.chunks
        if chunks is None:
            return 0
        parts = dict(zip(self.grid.axes, self.seen(tile), strict=True))
        parts["c"] = slice(channels, channels + 1) if isinstance(channels, int) else slice(0, whole.size("c"))
        return chunks.state(tuple(parts[axis] for axis in whole.axes))

    def digest(self, pixels: NDArray[Any]) -> int:
        """A number that changes with a tile's pixels, where nothing else does; 0 where something else does."""
        if not self.digests:
            return 0
        return int.from_bytes(hashlib.blake2b(pixels.tobytes(), digest_size=7).digest(), "big")

    def pixels(self, tile: Tile) -> NDArray[Any]:
        """Read what the segmenter is handed of a tile, in its axes."""
        image = self.source.opened
        parts = dict(zip(self.grid.axes, self.seen(tile), strict=True))
        try:
            block = image.read(tuple(parts.get(axis, slice(None)) for axis in image.axes))
        except Exception as error:
            where = image.source or image.name
            raise NotReadable(
                f"{where} cannot be read at {self._where(tile)}: {type(error).__name__}: {error}"
            ) from error
        self.source.check()
        kept = [axis for axis in image.axes if axis in self.axes]
        block = block.reshape([n for n, axis in zip(block.shape, image.axes, strict=True) if axis in kept])
        missing = [axis for axis in self.axes if axis not in kept]
        block = block.reshape((1,) * len(missing) + block.shape)
        order = [*missing, *kept]
        return np.ascontiguousarray(block.transpose([order.index(axis) for axis in self.axes]))

    def segment(self, tile: Tile, pixels: NDArray[Any]) -> NDArray[Any] | None:
        """Hand a tile to the segmenter, once, and return its labels over the outer region, in the grid's axes.

        None if the tile is empty. NaN is not above anything, and does not hide what is.
        """
        if self.empty is not None and not (pixels > self.empty).any():
            return None
        own = spatial(self.axes)
        shape = tuple(n for n, axis in zip(pixels.shape, self.axes, strict=True) if axis in SPATIAL)
        try:
            labels = self._called(pixels, tile)
        except KeyboardInterrupt:
            raise
        except ImportError as error:  # the same for every tile, so no tile is at fault
            who = whose("segmenter", self.segmenter)
            raise ComponentFailed(f"{who} cannot import what it needs: {describe(error)}") from error
        except BaseException as error:  # SystemExit and panics too, which would end the process without a word
            raise SegmenterFailed(f"{self._blame(tile)} raised {describe(error)}") from error
        try:
            found = checked(labels, shape)
        except InvalidLabels as error:
            raise InvalidLabels(f"{self._blame(tile)} {error}") from error.__cause__
        order = [own.index(axis) for axis in self.grid.axes if axis in own]
        order += [i for i in range(len(own)) if i not in order]
        seen = self.seen(tile)
        labels = found.transpose(order).reshape(lengths(seen))
        return labels if seen == tile.outer else np.ascontiguousarray(labels[relative(tile.outer, seen)])

    def _called(self, pixels: NDArray[Any], tile: Tile) -> Any:
        """What the segmenter returns, which is told where the tile lies if it asks to be."""
        if not self.located:
            return self.segmenter(pixels)
        parts = dict(zip(self.grid.axes, zip(self.seen(tile), self.grid.shape, strict=True), strict=True))
        axes = spatial(self.axes)
        region, shape = zip(*(parts.get(axis, (slice(0, 1), 1)) for axis in axes), strict=True)
        return self.segmenter(pixels, Placement(axes=axes, region=region, shape=shape))

    def batch(self, pixels: int) -> int:
        """Tiles to a task: as many small ones as make so many pixels."""
        return max(1, pixels // max(1, math.prod(self.grid.largest)))

    def _blame(self, tile: Tile) -> str:
        return f"{whose('segmenter', self.segmenter)}, {self._where(tile)}:"

    def _where(self, tile: Tile) -> str:
        spans = zip(self.grid.axes, tile.outer, strict=True)
        return f"tile {tile.index} ({', '.join(f'{axis} {part.start}:{part.stop}' for axis, part in spans)})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("checkpoint", "tiles")}


def _not_needed(*_: Any) -> Any:
    raise AssertionError("a tile was handed to the segmenter after all tiles had been segmented")
