"""What a measurer is called with, what it declares, and how what it says of parts of objects goes together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..labels.numbers import BlockRuns, Numbered
from ..tiling.placement import Placement
from ..tiling.regions import Region

__all__ = ["Block", "Column", "Columns", "Facts", "Measurer", "Merge", "PartialMeasurer", "Quantity", "Rows"]

Columns = Mapping[str, NDArray[Any]]
Merge = Literal["sum", "min", "max", "first", "powers", "counts", "rows"]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of labels and image before the first block is read.

    axes: the spatial axes of blocks, in the labels' order. shape: of the labels along them.
    spacing, units: of the axes, from the labels, else from the image; 1.0 and "" where neither has any.
    channels: the names of the channels that are measured, each name once; () if no image is.
    dtype: of the pixels; None if no image is measured.
    times: whether the labels have an axis `t`. Every object then has one row for each time.
    """

    axes: str
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    units: tuple[str, ...]
    channels: tuple[str, ...] = ()
    dtype: np.dtype[Any] | None = None
    times: bool = False


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the table.

    dtype: of its values, which are booleans, whole numbers or floats. A float column has NaN where an object has no
        value, any other column 0.
    unit: "" for pixels and plain numbers, else as `Image.units` has them, with powers: "micrometer", "micrometer^2".
    """

    dtype: str = "float64"
    unit: str = ""


class Rows(NamedTuple):
    """Several rows for an object, or none.

    of: (k,) the object of each row: its index, which is its number in the block less 1. values: (k, width).
    """

    of: NDArray[np.int64]
    values: NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What a measurer says of the part of an object in a block, and how the parts of one object go together.

    | `merge` | a part's value | parts together |
    |---|---|---|
    | `sum`, `min`, `max` | (n, width) | their sum, minimum, maximum, number by number |
    | `first` | (n, width), of which the first number is a place | the row with the smallest place |
    | `powers` | (n, d + len(exponents)): a point, and sums of products of powers of distances from it | the same about the smallest coordinates of all points; the sums are moved there exactly as far as the dtype holds them |
    | `counts` | `Rows`, of which the last number is a count | one row for each key, which is all but the last; equal keys have the sum of the counts. Rows ascend by object and key |
    | `rows` | `Rows` | all rows, by object, those of one object in the order of blocks |

    dtype: in which they are kept and go together. Sums of whole numbers should be whole numbers.
    width: numbers of an object or row; for `powers` it follows from the exponents.
    exponents: for `powers`: of each sum the power along each of the d coordinates. With an entry it has all those below.
    """  # noqa: E501 - rows of a table cannot be broken

    merge: Merge = "sum"
    dtype: str = "float64"
    width: int = 1
    exponents: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """A part of the label image, with what lies in the same place elsewhere.

    numbered: its objects by number, and their runs. What lies outside of the core is there to be looked at, and belongs
        to another block.
    core: the block's own part of `labels`. place: where the block lies in the image.
    pixels: (channels, *shape) of the image; None if none is measured.
    given: further label images by name, of the same shape, with their own ids (uint64).
    known: (n, …) by column what the measurer that this one comes `after` says of the objects.
    """

    numbered: Numbered
    core: Region
    place: Placement
    facts: Facts
    pixels: NDArray[Any] | None = None
    given: Mapping[str, NDArray[np.uint64]] = field(default_factory=dict)
    known: Columns = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        labels: NDArray[Any],
        *,
        core: Region,
        place: Placement,
        facts: Facts,
        own: NDArray[np.uint64] | None = None,
        **others: Any,
    ) -> Block:
        """The block of labels with any ids of at least 0, with its objects numbered.

        own: the ids of the objects that are to be measured, ascending; all that have a pixel in the core if None.
        """
        numbered = Numbered.of(labels, core if own is None else own)
        return cls(numbered=numbered, core=core, place=place, facts=facts, **others)

    @property
    def labels(self) -> NDArray[np.intp]:
        """The numbers of the pixels, of the shape of `place.region`; 0 is background. Do not change them."""
        return self.numbered.labels

    @property
    def ids(self) -> NDArray[np.uint64]:
        """(m,) the labels of the numbers 1..m; ascending up to n, and after it."""
        return self.numbered.ids

    @property
    def n(self) -> int:
        """How many objects are to be measured, which have the numbers 1..n.

        In `partial` those with a pixel in the core; in `__call__` those that this call has whole, while parts of others
        may lie in the core too.
        """
        return self.numbered.n

    @cached_property
    def runs(self) -> BlockRuns:
        """The core's runs, of which there are some 30 times fewer than pixels."""
        return self.numbered.within(self.core)


class Measurer(Protocol):
    """A component that measures objects: `measurer(block) -> columns`, called with whole objects, several at a time.

    It is called from several threads and processes. Each object is in exactly one call, whole, and the block is no
    larger than memory allows; an object that is larger has empty columns, and is named in the log.

    A measurer may also declare, as attributes, properties or fields:

    | name | type | meaning |
    |---|---|---|
    | `pixels` | `bool` | `False` if it looks at labels alone: no image is needed, and none is read; `True` if it declares none |
    | `channels` | a sequence of `int` or `str`, or `None` | the channels that it measures if the run does not choose them; all if it declares none |
    | `halo` | `int` | pixels around an object or a block that it needs to see; 0 if it declares none |
    | `given` | `tuple[str, ...]` | the names of the label images that it needs beside the labels |
    | `after` | a `Measurer` | one that is finished before: its columns are in `Block.known` and not in the table. It is not called if it has no columns for the image |
    """  # noqa: E501 - rows of a table cannot be broken

    def columns(self, facts: Facts, /) -> Mapping[str, Column]:
        """The columns that it has for such an image, in their order. InvalidOption for what it cannot measure."""

    def __call__(self, block: Block, /) -> Columns:
        """The columns of the block's n objects, in the order of their numbers, each (n,)."""


class PartialMeasurer(Measurer, Protocol):
    """A measurer of what can be put together from parts, so that no object has to fit into memory.

    A run calls `partial` with each block, puts together what belongs to one object, and calls `finish` with many
    objects at a time. `tilewright.abc.unsplit` makes `__call__` of these methods.
    """

    def quantities(self, facts: Facts, /) -> Mapping[str, Quantity]:
        """What `partial` returns, by name."""

    def partial(self, block: Block, /) -> Mapping[str, NDArray[Any] | Rows]:
        """What is known of the n objects from their pixels in the block's core. A quantity of width 1 may be (n,)."""

    def finish(self, merged: Mapping[str, Any], facts: Facts, /) -> Columns:
        """The columns of some objects from what is known of all their parts, in the order of `merged`.

        merged: by name (n, width), (n,) of a quantity of width 1, or `Rows`. With `after` its columns are there too.
            `Rows` alone do not tell n: keep a number of each object beside them, such as its pixels.
        """
