"""The step that writes: every block of the output is put together from the recorded tiles, renumbered, and written."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...abc.traits import SinkTraits
from ...abc.writer import LabelSpec, Sink
from ...components.blame import blamed, whose
from ...components.specs import Kind
from ...errors import ComponentFailed
from ...io.source import Source
from ...labels.content import block_digest
from ...labels.runs import spread_part
from ...tiling.grid import TileGrid
from ...tiling.regions import Region, common, lengths, relative
from ..checkpoint.records import CutRuns, Recorded, WrittenRecord, keep
from ..checkpoint.tables import Table
from ..plan import Plan
from .facts import spread_inside

__all__ = ["Writing", "assembled", "blocks_of", "label_spec", "opened", "opened_sink", "try_writer", "write"]


def label_spec(
    plan: Plan, source: Source, dtype: np.dtype[np.unsignedinteger[Any]], name: str, keep_old: float = 3600.0
) -> LabelSpec:
    """What a writer is told of the labels of a plan."""
    image, grid = source.opened, plan.grid
    levels = image.levels
    if "c" in image.axes:
        levels = tuple(level.without(image.axes.index("c")) for level in levels)
    return LabelSpec(
        shape=grid.shape,
        axes=grid.axes,
        dtype=dtype,
        workdir=plan.workdir,
        name=name,
        spacing={axis: step for axis, step in image.spacing.items() if axis in grid.axes},
        units={axis: unit for axis, unit in image.units.items() if axis in grid.axes},
        levels=levels,
        tile=grid.largest,
        image=image.source,
        image_format=image.format,
        source=source.path,
        keep_old=keep_old,
    )


def try_writer(writer: Callable[..., Any], path: str, plan: Plan, name: str) -> None:
    """Have a writer begin an output that is thrown away, so that what it refuses is said before any work."""
    trial = plan.workdir / "trial"
    shutil.rmtree(trial, ignore_errors=True)
    trial.mkdir(parents=True)
    spec = label_spec(plan, plan.source, np.dtype(np.uint32), name)
    opened(writer, path, replace(spec, workdir=trial))
    shutil.rmtree(trial, ignore_errors=True)


def opened(writer: Callable[..., Any], path: str, spec: LabelSpec) -> Sink:
    """The sink that a writer opens. ComponentFailed as `opened_sink`."""
    return cast("Sink", opened_sink("writer", writer, path, spec))


def opened_sink(kind: Kind, writer: Callable[..., Any], path: str, spec: Any) -> Any:
    """The sink of a writer or a table's format. ComponentFailed if it fails, or returns what cannot be filled."""
    with blamed(kind, writer, f"opening {path!r}"):
        sink: Any = writer(path, spec)
    missing = [name for name in ("write", "finish") if not callable(getattr(sink, name, None))]
    if missing:
        raise ComponentFailed(
            f"{whose(kind, writer)} returned {type(sink).__name__} for {path!r}, which has no "
            f"{' and no '.join(missing)}; a {kind} returns a Sink"
        )
    return sink


@dataclass(frozen=True, kw_only=True, eq=False)
class Writing:
    """What the tasks of this step share.

    attempt: the number of the output that is being filled. digesting: whether each block's labels are digested.
    """

    plan: Plan
    writer: Callable[..., Any]
    sink: Sink
    blocks: TileGrid
    dtype: np.dtype[np.unsignedinteger[Any]]
    attempt: int
    digesting: bool = False


def blocks_of(sink: Sink, grid: TileGrid) -> TileGrid:
    """The regions to write: whole multiples of the sink's block, about as large as a tile's core."""
    unit = SinkTraits.of(sink).block or grid.largest
    size = tuple(u * max(1, t // u) for u, t in zip(unit, grid.largest, strict=True))
    return TileGrid.regular(grid.axes, shape=grid.shape, tile=size, halo=[0] * len(unit))


def write(writing: Writing, numbers: Sequence[int]) -> list[Recorded]:
    """Write blocks, and note in the checkpoint that they are written. A block without objects is left as it is."""
    checkpoint = writing.plan.checkpoint
    pieces, final = writing.plan.pieces, checkpoint.load("numbers")
    done = []
    for number in numbers:
        region = writing.blocks[number].core
        labels = assembled(writing.plan, region, writing.dtype, pieces, final)
        if labels is not None:
            with blamed("writer", writing.writer, f"writing the block {writing.blocks[number].index}"):
                writing.sink.write(region, labels)
        digest = block_digest(labels) if writing.digesting else -1
        record = WrittenRecord(basis=np.array(writing.attempt), head=np.array([0, 0, digest]))
        done.append(Recorded(number, keep(checkpoint, number, record), 0, guard=digest))
    return done


def assembled(
    plan: Plan, region: Region, dtype: np.dtype[Any], pieces: Table, final: NDArray[Any]
) -> NDArray[Any] | None:
    """The final labels of a region, put together from what tiles recorded; None if there is no object.

    pieces: what is drawn of each tile. final: the number of each of their objects.
    """
    labels = None
    for tile in plan.grid.touching(region):
        shared = common(region, tile.core)
        objects, before = int(pieces.objects[tile.number]), int(pieces.before[tile.number])
        if shared is None or not objects:
            continue
        runs = pieces.read(tile.number, CutRuns)
        numbers = np.zeros(objects + 1, dtype)
        numbers[1:] = final[before : before + objects]
        part = relative(shared, tile.core)
        renumbered = spread_part(numbers[runs.values], runs.lengths, lengths(tile.core), part)
        if runs.inside is not None:
            renumbered = np.where(spread_inside(runs.inside, tile)[part], renumbered, np.zeros((), dtype))
        if shared == region == tile.core and numbers.any():
            return renumbered
        if labels is None:
            labels = np.zeros(lengths(region), dtype)
        labels[relative(shared, region)] = renumbered
    return labels if labels is not None and labels.any() else None
