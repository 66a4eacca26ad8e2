"""The plan of a run: everything that its tasks need to know, light enough to be sent to every worker."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..abc.traits import MergerTraits, lean
from ..io.source import Source
from ..storage.identity import Snapshot
from ..tiling.axes import spatial
from ..tiling.grid import Tile, TileGrid
from ..tiling.placement import widened
from ..tiling.regions import Region
from .checkpoint.log import Checkpoint
from .checkpoint.predictions import Predictions
from .checkpoint.tables import Table
from .reading import StoredLabels

if TYPE_CHECKING:
    from ..abc.network import Prediction
    from ..tiling.windows import Windows
    from .batches import Batches
    from .within import Within

__all__ = ["Plan"]

MADE_ANEW = ("checkpoint", "tiles", "batches", "network")  # in each process


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run: the source, the grid of its tiles, the components, and the checkpoint that keeps what is done.

    workdir: where the writer builds its output, on the destination's file system.
    axes: those in which the segmenter is handed a tile. located: whether it is told where a tile lies.
    given: label images that it is handed too, by name. pixels: whether it looks at pixels.
    keeps_ids: whether its labels are final ids, so that nothing is joined or numbered.
    joining: what the merger declares.
    files: what the image's files were when the run was planned; None if there are none, or if regions have guards.
    digests: whether each tile's pixels are known by a digest, because nothing else tells that they have changed.
    connectivity: that of the merger: what touches by it within a core is one object; the fullest if it declares none.
    context: by axis of the grid, pixels around a tile's outer region that the segmenter sees too. Their labels are
        dropped.
    min_size: objects with fewer pixels, once joined, are dropped.
    empty: a tile without a pixel above this value is not segmented.
    same_ids: objects to which the segmenter gave equal ids in different tiles are one.
    join_z: the IoU from which objects of consecutive slices are one; None if slices are not linked.
    on_error, retries: whether a tile that fails ends the run or is left as background, and how often it is tried again.
    windows, predicts, batch, gpu: of a network (`abc.network`): its sets of windows, what it says of each, how many go
        through it at once, and whether it runs on a GPU. Without windows the segmenter is called with the pixels of
        each tile.
    predictions_path: the folder in which what it says is kept: while tiles need it, or all of it (keep_predictions), up
        to `most_kept` bytes.
    wanted: the numbers, ascending, of the tiles that are segmented, as far as they are known.
    within: the region that the run is restricted to; None if it is not.
    decode_options: those of the segmenter's options of which what it says is independent.
    outputs: the names of the label images that the segmenter returns; none if it returns one alone.
    part: the number of the output that steps after segmenting work on.
    shared: the record of components that were prepared once, on several images; None if there are none.
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
    given: Mapping[str, StoredLabels] = field(default_factory=dict)
    pixels: bool = True
    keeps_ids: bool = False
    joining: MergerTraits = field(default_factory=MergerTraits)
    files: Snapshot | None = None
    digests: bool = False
    connectivity: int = 1
    min_size: int = 0
    empty: float | None = None
    same_ids: bool = False
    join_z: float | None = None
    on_error: Literal["raise", "skip"] = "raise"
    retries: int = 0
    windows: tuple[Windows, ...] = ()
    predicts: Mapping[str, Prediction] = field(default_factory=dict)
    batch: int = 1
    gpu: bool = False
    predictions_path: Path = Path()
    keep_predictions: bool = False
    most_kept: int | None = None
    wanted: Sequence[int] = ()
    within: Within | None = None
    decode_options: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    part: int = 0
    shared: Mapping[str, Any] | None = None
    basis: int = 0

    @cached_property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self.checkpoint_path, self.part)

    @cached_property
    def tiles(self) -> Table:
        """The table of segmented tiles, once all are: for the steps after segmenting."""
        return Table.load(self.checkpoint, "tiles")

    @property
    def pieces(self) -> Table:
        """The table of what is drawn of each tile: all of it, unless the merger says which tile draws an object."""
        return Table.load(self.checkpoint, "drawn") if self.owning else self.tiles

    @cached_property
    def batches(self) -> Batches:
        """The windows of a network in batches; none for any other segmenter."""
        from ..tiling.windows import WindowGrid  # most segmenters are not networks
        from .batches import Batches

        grids = (WindowGrid(windows=each, axes=self.grid.axes, shape=self.grid.shape) for each in self.windows)
        return Batches(grids=tuple(grids), size=self.batch)

    @cached_property
    def order(self) -> list[int]:
        """The order that brings labels from the segmenter's axes into the grid's; axes the image lacks come last."""
        own = spatial(self.axes)
        order = [own.index(axis) for axis in self.grid.axes if axis in own]
        return order + [i for i in range(len(own)) if i not in order]

    @cached_property
    def network(self) -> Any:
        """What predicts: the segmenter, or what it says is enough where no later run decodes with other options."""
        return self.segmenter if self.keep_predictions else lean(self.segmenter)

    @cached_property
    def predictions(self) -> Predictions:
        return Predictions(self.predictions_path)

    def output(self, part: int, workdir: Path) -> Plan:
        """The plan of one of the outputs, with its own records and tables in the same checkpoint."""
        return replace(self, part=part, workdir=workdir)

    def segmented(self, basis: int) -> Plan:
        """The plan of the steps after segmenting, without arrays or weights that need not be sent to them."""
        within = None if self.within is None else self.within.decided()
        return replace(self, source=Source(), given={}, segmenter=_not_needed, within=within, basis=basis)

    @property
    def owning(self) -> bool:
        """Whether the merger says which tile draws an object, so that whole outer regions are kept."""
        return self.joining.owns

    @property
    def clipped(self) -> bool:
        """Whether labels outside of a region are cut."""
        return self.within is not None and self.within.clips

    @property
    def growing(self) -> bool:
        """Whether objects of a region are kept whole, so that tiles outside are read while one continues into them."""
        return self.within is not None and not self.within.clips

    @property
    def measuring(self) -> bool:
        """Whether it matters how many pixels an object has."""
        return self.owning or self.min_size > 0 or self.join_z is not None

    def seen(self, tile: Tile) -> Region:
        """What the segmenter is handed: the tile's outer region and its context."""
        return widened(tile.outer, self.context, self.grid.shape) if any(self.context) else tile.outer

    def needs(self, tile: Tile) -> Mapping[int, int]:
        """The batches, ascending, that a tile's labels depend on, and on how many windows of each."""
        return self.batches.meeting(self.seen(tile))

    def uses(self, numbers: Sequence[int]) -> NDArray[np.int64]:
        """By batch, on how many of its windows the labels of some tiles depend, a window counting for each tile."""
        if len(numbers) == len(self.grid):
            return self.batches.uses(self.grid.parts_read(self.context))
        counts = np.zeros(len(self.batches), np.int64)
        for number in numbers:
            for batch, windows in self.needs(self.grid[number]).items():
                counts[batch] += windows
        return counts

    def tiles_of(self, pixels: int) -> int:
        """Tiles to a task: as many small ones as make so many pixels."""
        return max(1, pixels // max(1, math.prod(self.grid.largest)))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in MADE_ANEW}


def _not_needed(*_: Any) -> Any:
    raise AssertionError("a tile was handed to the segmenter after all tiles had been segmented")
