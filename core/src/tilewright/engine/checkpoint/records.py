"""What a run records: one NamedTuple for each kind of record, and parts of them that are read alone.

Start reading here. A step appends records of its kind, one for each tile (or block of the output), and later steps read
them by the tuple whose fields they need. A field that is None is not kept. Columns have an entry for each object of the
tile, in the order of its own ids 1..n.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .log import Checkpoint, Place

__all__ = [
    "Areas",
    "CutRuns",
    "DecisionRecord",
    "DrawnRecord",
    "Facts",
    "Firsts",
    "Groups",
    "Head",
    "Ids",
    "Inside",
    "LabelRuns",
    "LinkRecord",
    "Measured",
    "Pairs",
    "PartsHead",
    "PartsRecord",
    "Recorded",
    "RowsRecord",
    "SeamRecord",
    "Strips",
    "TileRecord",
    "Views",
    "Worth",
    "WrittenRecord",
    "keep",
    "read",
    "read_strips",
]

Column = NDArray[Any]
Strips = Mapping[str, NDArray[Any]]
Measured = Mapping[str, NDArray[Any]]


class TileRecord(NamedTuple):
    """Step *segment*: a tile's labels, with ids of its own, and what later steps need to know of its objects.

    head: (3,) the number of objects; 1 if the tile was empty and skipped; the guard of its pixels.
    area, core_area: (n,) pixels of each object in the region that is kept, and in the tile's core.
    margin: (n,) planes between each object and the nearest edge of the outer region beyond which the image goes on.
    ids: (n,) uint64, the segmenter's own ids.
    first: (n,) the flat position of each object's first pixel in the whole image.
    inside: which pixels of the core are in the run's region, if some are and some are not: lengths of runs in raster
        order, the first one outside.
    facts: (n, k) what the run's region makes of each object in the core (`steps.facts`).
    strips: the labels towards each neighbour, by axis and side: `"y+"`, `"x-"`.
    outputs: (k, 4) of a segmenter with several outputs, in the record of the first one: where the records of the others
        lie (pack, offset, size), and their numbers of objects. So the tile is recorded with all outputs or not at all.
    values, lengths: (runs,) the labels of the region that is kept, as runs in raster order. They come last, so that all
        that seams need is read in one go.
    """

    head: Column
    area: Column | None = None
    core_area: Column | None = None
    margin: Column | None = None
    ids: Column | None = None
    first: Column | None = None
    outputs: Column | None = None
    inside: Column | None = None
    facts: Column | None = None
    strips: Strips | None = None
    values: Column | None = None
    lengths: Column | None = None


class SeamRecord(NamedTuple):
    """Step *join*: what the merger says of the seams between a tile and those after it.

    pairs: (m, 3) or, of a merger that owns, (m, 6): the upper tile, label in lower, label in upper, and the merger's
        counts. basis: the tiles that it was made on.
    """

    pairs: Column
    basis: Column


class DecisionRecord(NamedTuple):
    """Step *decide*: what each copy of a tile is worth.

    pairs: (m, 7) links of which these copies are the lower end: upper tile, both labels, area and core area of either.
    """

    worth: Column
    pairs: Column
    basis: Column


class DrawnRecord(NamedTuple):
    """Step *draw*: a tile's core, drawn from the best copies.

    head, first, area, inside, facts, values, lengths: as in `TileRecord`.
    undrawn: the number of pixels that the tile labelled in its core and nobody draws.
    group: (n,) the object that each piece belongs to, by the place of a copy.
    """

    head: Column
    basis: Column
    undrawn: Column
    values: Column | None = None
    lengths: Column | None = None
    first: Column | None = None
    area: Column | None = None
    group: Column | None = None
    inside: Column | None = None
    facts: Column | None = None


class LinkRecord(NamedTuple):
    """Step *link*: (m, 4) tile of the next slice, label in this slice, label in the next, pixels that both have."""

    pairs: Column
    basis: Column


class WrittenRecord(NamedTuple):
    """Step *write*: a block of the output that is filled; basis names the output.

    head: (3,) as in `TileRecord`, of which only the guard is used: the digest of the block's labels, -1 without one.
    """

    basis: Column
    head: Column


class PartsRecord(NamedTuple):
    """Step *measure*: what measurers say of the objects of a block, or of the parts of them that lie in it.

    head: (3,) the number of objects; the guard of labels and pixels; the bytes of `measured`.
    basis: names labels, image and measurers. span: (2,) uint64, the first and the last id.
    ids: (n,) uint64, ascending. whole: (k,) uint64, those of the objects that the block measured whole, ascending.
    large: those that it could not measure, because they are too large.
    measured: arrays by measurer and quantity or column.
    """

    head: Column
    basis: Column
    span: Column | None = None
    ids: Column | None = None
    whole: Column | None = None
    large: Column | None = None
    measured: Measured | None = None


class RowsRecord(NamedTuple):
    """Step *measure*: some rows of the table; measured: the columns by measurer."""

    basis: Column
    measured: Measured | None = None


KINDS: Mapping[type[Any], str] = {
    TileRecord: "tile",
    SeamRecord: "seams",
    DecisionRecord: "decided",
    DrawnRecord: "drawn",
    LinkRecord: "slices",
    WrittenRecord: "written",
    PartsRecord: "parts",
    RowsRecord: "rows",
}


# Parts of records that are read alone


class Head(NamedTuple):
    """What is known of a record without its columns."""

    head: Column | None
    basis: Column | None
    pairs: Column | None
    undrawn: Column | None
    outputs: Column | None


class PartsHead(NamedTuple):
    """What is known of the objects of a block without what is measured of them."""

    head: Column | None
    basis: Column
    span: Column | None
    large: Column | None


class Firsts(NamedTuple):
    first: Column


class Areas(NamedTuple):
    area: Column


class Ids(NamedTuple):
    ids: Column


class Inside(NamedTuple):
    inside: Column | None


class Facts(NamedTuple):
    facts: Column


class Views(NamedTuple):
    """What ownership weighs of the copies that a tile has."""

    area: Column
    core_area: Column
    margin: Column


class Groups(NamedTuple):
    group: Column
    first: Column
    area: Column


class LabelRuns(NamedTuple):
    values: Column
    lengths: Column


class CutRuns(NamedTuple):
    """The labels of a core, and which of its pixels are kept; None for all."""

    values: Column
    lengths: Column
    inside: Column | None


class Pairs(NamedTuple):
    pairs: Column


class Worth(NamedTuple):
    worth: Column


Part = TypeVar("Part", bound=tuple[Any, ...])


class Recorded(NamedTuple):
    """Where the record of a tile or block lies, and the number of objects or rows that it holds.

    skipped: 1 for a tile that was empty. guard: stands for the tile's pixels. undrawn: pixels of a core that
        its tile labelled and nobody draws. failed: why nothing is recorded of it.
    retried: how many attempts failed before. outputs: of a tile, what is recorded of the segmenter's further outputs;
        none if it has none, and if the tile is empty or failed.
    """

    number: int
    place: Place
    objects: int
    skipped: int = 0
    guard: int = 0
    undrawn: int = 0
    failed: str = ""
    retried: int = 0
    outputs: tuple[Recorded, ...] = ()


def keep(checkpoint: Checkpoint, number: int, record: Any) -> Place:
    """Append a record of one of the kinds above."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in zip(record._fields, record, strict=True):
        if value is None:  # most fields of an empty tile's
            continue
        if isinstance(value, np.ndarray):
            arrays[name] = value
        else:
            arrays |= value
    return checkpoint.append(KINDS[type(record)], number, arrays)


def read(checkpoint: Checkpoint, place: Place, part: type[Part]) -> Part:
    """The fields of a part from a record; None where the record does not keep one."""
    names: tuple[str, ...] = part._fields  # type: ignore[attr-defined]  # it is a NamedTuple
    arrays = checkpoint.read(place, *names)
    fields: list[Any] = [arrays.get(name) for name in names]
    return part(*fields)


def read_strips(checkpoint: Checkpoint, place: Place, *names: str) -> Strips:
    """Some of the strips of a tile's record; those that it does not have are left out."""
    return checkpoint.read(place, *names)
