"""The step that measures: each block of the labels is read once, and handed to all measurers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...abc.measurer import Block, Column, Columns, Facts, Quantity, Rows
from ...components.blame import blamed, whose
from ...errors import InvalidMeasures, NotReadable
from ...io.source import Source
from ...tiling.grid import TileGrid
from ...tiling.placement import Placement, widened
from ...tiling.regions import Region, lengths, relative
from ..checkpoint.log import Checkpoint
from ..checkpoint.records import PartsRecord, Recorded, keep
from ..reading import Stored
from .label_images import LabelImage
from .objects import Objects, grouped

__all__ = ["Measure", "Measuring", "checked_columns", "empty_column", "guards", "key_of", "measure"]

Ids = NDArray[np.uint64]
Arrays = dict[str, NDArray[Any]]

GUARD = 2**62  # below which a guard is kept


@dataclass(frozen=True, kw_only=True, eq=False)
class Measure:
    """One measurer of a run.

    number: its place among all. facts: what it is told; of its own channels. columns, quantities: what it declares.
    channels: those of the channels that are read, by index; None if it looks at labels alone.
    depth: how many passes over the image have to be finished before. after: the number of the one it comes after.
    hidden: its columns are not in the table.
    """

    number: int
    measurer: Any
    facts: Facts
    columns: Mapping[str, Column]
    quantities: Mapping[str, Quantity]
    partial: bool
    halo: int = 0
    channels: tuple[int, ...] | None = None
    given: tuple[str, ...] = ()
    depth: int = 0
    after: int | None = None
    hidden: bool = False

    def array(self, name: str) -> str:
        """The name in records of one of its quantities or columns."""
        return f"{self.number}.{name}"

    @property
    def who(self) -> str:
        return whose("measurer", self.measurer)


@dataclass(frozen=True, kw_only=True, eq=False)
class Measuring:
    """What the tasks of this step share.

    blocks: over the axes of the labels; along `t` each is one time. facts: of all channels that are read.
    measurers: in the order of their numbers. boxes: the number of the one that tells where objects lie, for those that
        measure whole objects. memory: bytes of the pixels and labels of whole objects in one call.
    part: the number of the output that is measured, of several. depth: of the pass that is made.
    basis: a number that stands for everything that decides its records.
    """

    labels: LabelImage
    image: Stored | None
    given: Mapping[str, LabelImage]
    blocks: TileGrid
    facts: Facts
    measurers: tuple[Measure, ...]
    boxes: int | None
    memory: int
    checkpoint_path: Path
    workdir: Path
    part: int = 0
    depth: int = 0
    basis: int = 0

    @cached_property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self.checkpoint_path, self.part)

    @cached_property
    def objects(self) -> Objects:
        """Which objects there are, once the first pass is over."""
        return Objects(self.checkpoint)

    @property
    def source(self) -> Source:
        """The image, or else the labels: what workers have to see."""
        stored = self.image or self.labels
        return stored.source if isinstance(stored, Stored) else Source()

    @property
    def columns(self) -> dict[str, Column]:
        """The columns of the table."""
        shown = [each.columns for each in self.measurers if not each.hidden]
        return key_of(times=self.facts.times) | {name: column for columns in shown for name, column in columns.items()}

    @property
    def now(self) -> list[Measure]:
        """The measurers of this pass."""
        return [each for each in self.measurers if each.depth == self.depth]

    def spatial(self, region: Region) -> Region:
        """A region without its time."""
        return tuple(part for part, axis in zip(region, self.blocks.axes, strict=True) if axis != "t")

    def time(self, region: Region) -> int:
        """The time of a region; 0 if there are none."""
        return int(region[self.blocks.axes.index("t")].start) if self.facts.times else 0

    def around(self, region: Region, halo: int) -> Region:
        """A region with a halo, which never leads to another time."""
        more = [0 if axis == "t" else halo for axis in self.blocks.axes]
        return widened(region, more, self.blocks.shape)

    def text(self, region: Region) -> str:
        """`y 0:64, x 64:128`, for messages."""
        return ", ".join(f"{a} {part.start}:{part.stop}" for a, part in zip(self.blocks.axes, region, strict=True))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("checkpoint", "objects")}


class Inputs(NamedTuple):
    """What is read of a region, without the axis of time: labels, pixels with their channels first, given labels."""

    labels: NDArray[Any]
    pixels: NDArray[Any] | None
    given: Mapping[str, NDArray[np.uint64]]
    guard: int


def key_of(*, times: bool) -> dict[str, Column]:
    """The first columns of a table, by which its rows ascend."""
    return ({"t": Column(dtype="int64")} if times else {}) | {"label": Column(dtype="uint64")}


def measure(measuring: Measuring, numbers: Sequence[int]) -> list[Recorded]:
    """Measure the objects of blocks, or the parts of them that lie there, and record what comes out."""
    return [_measured(measuring, number) for number in numbers]


def guards(measuring: Measuring, numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The guards of blocks as labels and pixels are now."""
    found = ((number, sum(_guard(measuring, *each) for each in _reads(measuring, number))) for number in numbers)
    return [(number, guard % GUARD) for number, guard in found]


def _measured(measuring: Measuring, number: int) -> Recorded:
    now, core = measuring.now, measuring.blocks[number].core
    in_parts, in_whole = [each for each in now if each.partial], [each for each in now if not each.partial]
    arrays: Arrays = {}
    ids = whole = large = np.zeros(0, np.uint64)
    guard = 0
    if in_parts:
        ids, guard = _in_parts(measuring, core, in_parts, arrays)
    if in_whole:
        whole, large, more = _in_whole(measuring, number, in_whole, arrays)
        guard += more
    guard %= GUARD
    both = [each for each in (ids, whole) if len(each)]
    span = np.array([min(e[0] for e in both), max(e[-1] for e in both)], np.uint64) if both else None
    count = max(len(ids), len(whole))
    size = sum(array.nbytes for array in arrays.values())
    record = PartsRecord(
        head=np.array([count, guard, size]),
        basis=np.array(measuring.basis),
        span=span,
        ids=ids if len(ids) else None,
        whole=whole if len(whole) else None,
        large=large if len(large) else None,
        measured=arrays,
    )
    place = keep(measuring.checkpoint, measuring.depth * len(measuring.blocks) + number, record)
    return Recorded(number, place, count, guard=guard)


# Reading


def _read(measuring: Measuring, region: Region, which: Sequence[Measure]) -> Inputs:
    what = measuring.text
    labels, guard = measuring.labels.read(region, what)
    labels = labels.reshape(lengths(measuring.spatial(region)))
    pixels, given = None, {}
    for image in _image(measuring, which):
        if labels.any() or image.digests:  # else nobody looks at the pixels
            pixels, more = image.pixels(region, "c" + measuring.facts.axes, what)
        else:
            more = image.pixels_guard(region, "", what)
        guard += more
    for name, others in _given(measuring, which):
        ids, more = others.read(region, what)
        given[name] = ids.reshape(labels.shape).astype(np.uint64)
        guard += more
    return Inputs(labels, pixels, given, guard)


def _guard(measuring: Measuring, region: Region, which: Sequence[Measure]) -> int:
    what = measuring.text
    guard = measuring.labels.guard(region, what)
    guard += sum(image.pixels_guard(region, "c" + measuring.facts.axes, what) for image in _image(measuring, which))
    return guard + sum(others.guard(region, what) for _, others in _given(measuring, which))


def _image(measuring: Measuring, which: Sequence[Measure]) -> list[Stored]:
    """The image if one of these measurers looks at it."""
    wanted = any(each.channels is not None for each in which)
    return [measuring.image] if measuring.image is not None and wanted else []


def _given(measuring: Measuring, which: Sequence[Measure]) -> list[tuple[str, LabelImage]]:
    """The label images that some measurers need."""
    return [(name, measuring.given[name]) for name in sorted({name for each in which for name in each.given})]


def _reads(measuring: Measuring, number: int) -> Iterator[tuple[Region, Sequence[Measure]]]:
    """The regions that are read for a block, and those that they are read for."""
    in_parts = [each for each in measuring.now if each.partial]
    in_whole = [each for each in measuring.now if not each.partial]
    if in_parts:
        yield measuring.around(measuring.blocks[number].core, _halo(in_parts)), in_parts
    if in_whole:
        for crop, _ in _crops(measuring, number, in_whole)[0]:
            yield measuring.around(crop, _halo(in_whole)), in_whole


def _halo(which: Sequence[Measure]) -> int:
    return max(each.halo for each in which)


# Blocks for measurers


def _blocks(
    measuring: Measuring, core: Region, inputs: Inputs, which: Sequence[Measure], own: Ids | None = None
) -> Iterator[tuple[Measure, Block]]:
    """The block for each measurer, with its own halo and channels, and what is known of its objects."""
    whole = measuring.around(core, _halo(which))
    numbered: dict[int, Block] = {}
    for each in which:
        outer = measuring.around(core, each.halo)
        part = measuring.spatial(relative(outer, whole))
        if each.halo not in numbered:
            numbered[each.halo] = Block.of(
                inputs.labels[part],
                core=measuring.spatial(relative(core, outer)),
                place=Placement(
                    axes=measuring.facts.axes,
                    region=measuring.spatial(outer),
                    shape=measuring.facts.shape,
                    core=measuring.spatial(core),
                ),
                facts=each.facts,
                own=own,
            )
        block = numbered[each.halo]
        yield (
            each,
            replace(
                block,
                facts=each.facts,
                pixels=_channels(inputs.pixels, each, part),
                given={name: inputs.given[name][part] for name in each.given},
                known=_known(measuring, each, measuring.time(core), block.ids[: block.n]),
            ),
        )


def _channels(pixels: NDArray[Any] | None, each: Measure, part: Region) -> NDArray[Any] | None:
    if pixels is None or each.channels is None:
        return None
    chosen = pixels[(slice(None), *part)]
    return chosen if each.channels == tuple(range(len(pixels))) else chosen[list(each.channels)]


def _known(measuring: Measuring, each: Measure, time: int, ids: Ids) -> Columns:
    if each.after is None:
        return {}
    rows = measuring.objects.rows(time, ids)
    return measuring.objects.known(measuring.measurers[each.after], rows)


def _in_parts(measuring: Measuring, core: Region, which: Sequence[Measure], arrays: Arrays) -> tuple[Ids, int]:
    """The ids of a block and its guard; what is measured of the parts in its core goes to `arrays`."""
    inputs = _read(measuring, measuring.around(core, _halo(which)), which)
    ids = np.zeros(0, np.uint64)
    if inputs.labels.any():
        for each, block in _blocks(measuring, core, inputs, which):
            ids = block.ids[: block.n]
            if block.n:
                with blamed("measurer", each.measurer, f"measuring the parts in the block {measuring.text(core)}"):
                    parts: object = each.measurer.partial(block)
                arrays |= _kept(each, parts, block.n)
    return ids, inputs.guard


def _kept(each: Measure, parts: object, n: int) -> Arrays:
    """What `partial` returned, checked, as arrays of a record; rows in the order of their objects."""
    if not isinstance(parts, Mapping) or set(parts) != set(each.quantities):
        names = sorted(parts) if isinstance(parts, Mapping) else type(parts).__name__
        raise InvalidMeasures(
            f"{each.who} returned {names} from partial, but quantities declares {sorted(each.quantities)}"
        )
    arrays: Arrays = {}
    for name, quantity in each.quantities.items():
        value, key = parts[name], each.array(name)
        if quantity.merge in ("counts", "rows"):
            arrays[f"{key}.of"], arrays[key] = _rows(each, name, quantity, value, n)
            continue
        width = quantity.width if quantity.merge != "powers" else len(quantity.exponents) + len(quantity.exponents[0])
        array = np.asarray(value)
        if array.shape != (n, width) and not (width == 1 and array.shape == (n,)):
            raise InvalidMeasures(
                f"{each.who} returned {name!r} of shape {array.shape} from partial for {n} objects; it must have the "
                f"shape ({n}, {width})"
            )
        arrays[key] = _as(each, name, array, quantity.dtype)
    return arrays


def _rows(each: Measure, name: str, quantity: Quantity, value: object, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    if not isinstance(value, Rows):
        raise InvalidMeasures(f"{each.who} returned {type(value).__name__} as {name!r} from partial; it must be Rows")
    of, values = np.asarray(value.of), np.asarray(value.values)
    values = values[:, None] if values.ndim == 1 and quantity.width == 1 else values
    if of.ndim != 1 or values.shape != (len(of), quantity.width):
        raise InvalidMeasures(
            f"{each.who} returned Rows as {name!r} with objects of shape {of.shape} and values of shape "
            f"{values.shape}; they must have the shapes (k,) and (k, {quantity.width})"
        )
    if len(of) and (of.dtype.kind not in "iu" or of.min() < 0 or of.max() >= n):
        raise InvalidMeasures(
            f"{each.who} returned Rows as {name!r} of objects {of.min()} to {of.max()}, but the block has the objects "
            f"0 to {n - 1}"
        )
    order = np.argsort(of, kind="stable")
    return of[order].astype(np.int64), _as(each, name, values[order], quantity.dtype)


def _as(each: Measure, name: str, values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """The values in the dtype that is declared. InvalidMeasures if it could not hold values of theirs."""
    wanted = np.dtype(dtype)
    order = "buif"  # an integer may become one of the other sign: their values are counts and ids
    if values.dtype.kind not in order or (values.dtype.kind == "f" and wanted.kind != "f"):
        raise InvalidMeasures(f"{each.who} returned {name!r} as {values.dtype}, but declares {wanted}")
    if wanted.kind == "b" and values.dtype.kind != "b":
        raise InvalidMeasures(f"{each.who} returned {name!r} as {values.dtype}, but declares {wanted}")
    return values.astype(wanted, copy=False)


# Whole objects


def _crops(
    measuring: Measuring, number: int, which: Sequence[Measure]
) -> tuple[list[tuple[Region, NDArray[np.int64]]], NDArray[np.int64]]:
    """The crops of a block's whole objects, each with the rows of its objects, and the rows of those too large."""
    assert measuring.boxes is not None
    boxes, objects, core = measuring.measurers[measuring.boxes], measuring.objects, measuring.blocks[number].core
    rows = objects.owned(number)
    found = objects.known(boxes, rows)
    d = len(measuring.facts.shape)
    starts = np.stack([found[f"start-{i}"] for i in range(d)], axis=1)
    stops = np.stack([found[f"stop-{i}"] for i in range(d)], axis=1)
    groups, large = grouped(starts, stops, _halo(which), measuring.memory // _pixel_size(measuring, which))
    crops = []
    for group in groups:
        parts = iter(zip(starts[group].min(axis=0).tolist(), stops[group].max(axis=0).tolist(), strict=True))
        crop = tuple(
            part if axis == "t" else slice(*next(parts)) for part, axis in zip(core, measuring.blocks.axes, strict=True)
        )
        crops.append((crop, rows[group]))
    return crops, rows[large]


def _pixel_size(measuring: Measuring, which: Sequence[Measure]) -> int:
    """The bytes of a pixel of what is read for whole objects: its id, its number, its channels, its given labels."""
    channels = sum(
        len(measuring.facts.channels) * image.source.whole.dtype.itemsize for image in _image(measuring, which)
    )
    return 16 + channels + 8 * len(_given(measuring, which))


def _in_whole(measuring: Measuring, number: int, which: Sequence[Measure], arrays: Arrays) -> tuple[Ids, Ids, int]:
    """The ids of the objects that a block owns, those too large of them, and a guard; columns go to `arrays`."""
    crops, large = _crops(measuring, number, which)
    objects, guard = measuring.objects, 0
    rows = np.sort(objects.owned(number))
    if not len(rows):
        return np.zeros(0, np.uint64), np.zeros(0, np.uint64), 0
    for each in which:
        for name, column in each.columns.items():
            arrays[each.array(name)] = empty_column(column, len(rows))
    for crop, own in crops:
        inputs = _read(measuring, measuring.around(crop, _halo(which)), which)
        guard += inputs.guard
        ids = objects.ids[np.sort(own)]
        place = np.searchsorted(rows, np.sort(own))
        for each, block in _blocks(measuring, crop, inputs, which, ids):
            if block.n != len(ids):
                raise NotReadable(
                    f"the labels at {measuring.text(crop)} changed while they were measured; run it again"
                )
            with blamed("measurer", each.measurer, f"measuring {block.n} objects at {measuring.text(crop)}"):
                columns: object = each.measurer(block)
            for name, values in checked_columns(each, columns, block.n).items():
                arrays[each.array(name)][place] = values
    return objects.ids[rows], objects.ids[np.sort(large)], guard


def empty_column(column: Column, n: int) -> NDArray[Any]:
    """A column of objects that have no value: NaN in floats, 0 in all else."""
    return np.full(n, np.nan if np.dtype(column.dtype).kind == "f" else 0, column.dtype)


def checked_columns(each: Measure, columns: object, n: int) -> Arrays:
    """The columns that a measurer returned for n objects, in their declared order and dtypes.

    InvalidMeasures for other names, lengths or dtypes than it declares.
    """
    if not isinstance(columns, Mapping) or set(columns) != set(each.columns):
        names = sorted(columns) if isinstance(columns, Mapping) else type(columns).__name__
        raise InvalidMeasures(f"{each.who} returned the columns {names}, but declares {sorted(each.columns)}")
    arrays: Arrays = {}
    for name, column in each.columns.items():
        values = np.asarray(columns[name])
        if values.shape != (n,):
            raise InvalidMeasures(
                f"{each.who} returned the column {name!r} of shape {values.shape} for {n} objects; it must have the "
                f"shape ({n},)"
            )
        arrays[name] = _as(each, name, values, column.dtype)
    return arrays
