"""The step that tabulates: what blocks say of the objects of some rows is put together, and finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...abc.measurer import Rows
from ...abc.merges import merged
from ...components.blame import blamed
from ..checkpoint.log import Place
from ..checkpoint.records import Recorded, RowsRecord, keep
from .measure import Measure, Measuring, checked_columns, empty_column

__all__ = ["PART", "RANGE", "RANGES", "tabulate"]

Arrays = dict[str, NDArray[Any]]
Ints = NDArray[np.int64]

PART = np.dtype([("pack", "u4"), ("offset", "u8"), ("size", "u8"), ("time", "i8"), ("first", "u8"), ("last", "u8")])
"""Where a block's record lies, its time, and the first and the last id in it. Blocks without objects have none."""
RANGE = np.dtype([("time", "i8"), ("start", "i8"), ("stop", "i8")])
"""Some rows of one time, which are put together in one go."""
RANGES = 2**40  # more than there are ranges in a pass: the numbers of their records


class Part(NamedTuple):
    """What a block says of the objects of some rows: the place of each among the rows, and the values by their keys.

    whole: whether the block measured them whole.
    """

    place: Ints
    whole: bool
    values: dict[str, Any]


def tabulate(measuring: Measuring, numbers: Sequence[int]) -> list[Recorded]:
    """Put ranges of rows together, finish them, and record their columns."""
    ranges = measuring.checkpoint.load(f"ranges-{measuring.depth}")
    return [_tabulated(measuring, number, *ranges[number].tolist()) for number in numbers]


def _tabulated(measuring: Measuring, number: int, time: int, start: int, stop: int) -> Recorded:
    ids = measuring.objects.ids[start:stop]
    parts = list(_parts(measuring, time, ids))
    columns: Arrays = {}
    for each in measuring.now:
        made = (
            _finished(measuring, each, parts, slice(start, stop)) if each.partial else _gathered(each, parts, len(ids))
        )
        columns |= {each.array(name): values for name, values in made.items()}
    record = RowsRecord(basis=np.array(measuring.basis), measured=columns)
    place = keep(measuring.checkpoint, measuring.depth * RANGES + number, record)
    return Recorded(number, place, stop - start)


def _parts(measuring: Measuring, time: int, ids: NDArray[np.uint64]) -> Iterator[Part]:
    """What the blocks that have some of the objects say of them, in the order of blocks."""
    checkpoint = measuring.checkpoint
    blocks = checkpoint.load(f"parts-{measuring.depth}")
    meeting = (
        (blocks["time"] == time) & (blocks["size"] > 0) & (blocks["first"] <= ids[-1]) & (blocks["last"] >= ids[0])
    )
    for row in blocks[meeting]:
        arrays = checkpoint.read(Place(int(row["pack"]), int(row["offset"]), int(row["size"])))
        for kind in ("ids", "whole"):
            own = arrays.get(kind)
            if own is None:
                continue
            here = slice(int(np.searchsorted(own, ids[0])), int(np.searchsorted(own, ids[-1], side="right")))
            if here.start < here.stop:
                values = _cut(measuring, arrays, here, whole=kind == "whole")
                yield Part(np.searchsorted(ids, own[here]), kind == "whole", values)


def _cut(measuring: Measuring, arrays: Arrays, here: slice, *, whole: bool) -> dict[str, Any]:
    """What a record says of some of its objects, without holding what it says of the others."""
    values: dict[str, Any] = {}
    for each in measuring.now:
        if each.partial and not whole:
            for name, quantity in each.quantities.items():
                key = each.array(name)
                if quantity.merge in ("counts", "rows"):
                    of = arrays[f"{key}.of"]
                    first, last = np.searchsorted(of, [here.start, here.stop])
                    values[key] = Rows(of[first:last] - here.start, arrays[key][first:last].copy())
                else:
                    values[key] = arrays[key][here].copy()
        elif whole and not each.partial:
            values |= {each.array(name): arrays[each.array(name)][here].copy() for name in each.columns}
    return values


def _finished(measuring: Measuring, each: Measure, parts: Sequence[Part], rows: slice) -> Arrays:
    n = rows.stop - rows.start
    together = {
        name: merged(quantity, ((part.place, part.values[each.array(name)]) for part in parts if not part.whole), n)
        for name, quantity in each.quantities.items()
    }
    known = measuring.objects.known(measuring.measurers[each.after], rows) if each.after is not None else {}
    with blamed("measurer", each.measurer, f"finishing {n:,} objects"):
        columns: object = each.measurer.finish({**known, **together}, each.facts)
    return checked_columns(each, columns, n)


def _gathered(each: Measure, parts: Sequence[Part], n: int) -> Arrays:
    """The columns of objects that were measured whole."""
    columns = {name: empty_column(column, n) for name, column in each.columns.items()}
    for part in parts:
        if part.whole:
            for name, values in columns.items():
                values[part.place] = part.values[each.array(name)]
    return columns
