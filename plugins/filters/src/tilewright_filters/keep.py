"""Given labels without the objects that a rule leaves out."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, InvalidLabels, InvalidOption, Placement, Table, check_same_labels, measure

from .expand import NAMES, Labels
from .facts import SizeAndBorders
from .numbers import check_least, spacing_in
from .stored_table import read_columns

__all__ = ["Keep"]


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Objects of given labels that are large and small enough, touch no border, and have a measure within limits.

    An object is all pixels of an id at one time, wherever they lie, so that its parts stay or go together. Each rule
    that is given has to hold. Objects keep their ids; no pixels are read. The labels are measured once before the first
    tile.

    A table has to be of these labels: InvalidLabels if its fingerprint is of others, or if other objects are in it. An
    object whose column is empty (NaN) is left out.

    >>> labels = np.array([[7, 7, 0, 9, 0], [0, 0, 0, 0, 0], [0, 5, 5, 5, 0], [0, 0, 0, 0, 0]], np.uint64)
    >>> Keep(min_size=2, border="all")(None, given={"nuclei": labels}).tolist()
    [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 5, 5, 5, 0], [0, 0, 0, 0, 0]]
    """

    min_size: float = field(default=0.0, metadata={"help": "the size of the smallest object that is kept"})
    max_size: float | None = field(default=None, metadata={"help": "the size of the largest one; none: of any size"})
    unit: str | None = field(
        default=None,
        metadata={
            "help": "the unit of sizes: none for pixels, or that of the image's spacing, such as micrometer, for its "
            "square or cube"
        },
    )
    border: str = field(
        default="",
        metadata={"help": "objects that touch the image's border along these axes are left out: yx, or all"},
    )
    table: str | None = field(
        default=None, metadata={"help": "a table of the given labels: CSV, Parquet, zarr, or within an OME-Zarr image"}
    )
    column: str | None = field(default=None, metadata={"help": "the column of the table that decides"})
    least: float | None = field(default=None, metadata={"help": "the smallest value of the column that is kept"})
    most: float | None = field(default=None, metadata={"help": "the largest one"})
    given: tuple[str] = field(default=("nuclei",), metadata=NAMES)
    kept: tuple[Labels, ...] = field(default=(), init=False, repr=False, compare=False)

    keeps_ids: ClassVar[bool] = True
    pixels: ClassVar[bool] = False
    located: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_least("min_size", self.min_size, 0)
        if self.max_size is not None and not self.max_size >= self.min_size:
            raise InvalidOption(f"max_size {self.max_size} is below min_size {self.min_size}, so nothing would be kept")
        if (self.table is None) != (self.column is None):
            raise InvalidOption(f"table {self.table!r} and column {self.column!r} go together; give both, or neither")
        limits = self.least is not None or self.most is not None
        if limits != (self.column is not None):
            raise InvalidOption(
                f"least {self.least} and most {self.most} are limits of a column, which is {self.column!r}; give "
                "table, column and at least one of the limits"
            )

    def memory(self, shape: tuple[int, ...], _: np.dtype[Any]) -> int:
        """The bytes that a call takes."""
        return prod(shape) * 48

    def prepare(self, image: Image, *, given: Mapping[str, Image]) -> Self:
        """With the ids of the objects that are kept, at each time.

        InvalidOption for an axis that the image does not have, or a spacing of another unit.
        """
        facts = measure(given[self.given[0]], measure=SizeAndBorders())
        inside = self._of_size(facts["size"], image) & ~self._at_border(facts, image)
        if self.table is not None and self.column is not None:
            inside &= self._within_limits(facts, self.table, self.column)
        times = facts["t"] if "t" in facts.names else np.zeros(len(facts), np.int64)
        bounds = np.searchsorted(times, np.arange(image.size("t") + 1))
        kept = (facts["label"][low:high][inside[low:high]] for low, high in itertools.pairwise(bounds))
        made = replace(self)
        object.__setattr__(made, "kept", tuple(kept))
        return made

    def __call__(self, _: None, *, given: Mapping[str, Labels], place: Placement | None = None) -> Labels:
        labels = given[self.given[0]]
        if not self.kept:
            image = Image(labels, "zyx"[-labels.ndim :])
            return self.prepare(image, given={self.given[0]: image})(None, given=given)
        kept = self.kept[0 if place is None else place.t]
        return np.where(np.isin(labels, kept), labels, np.uint64(0))

    def _of_size(self, size: NDArray[np.int64], image: Image) -> NDArray[np.bool_]:
        pixel = 1.0
        if self.unit is not None:
            pixel = prod(spacing_in(self.unit, image, axis, "size") for axis in image.spatial_axes)
        most = np.inf if self.max_size is None else self.max_size
        return np.asarray((size * pixel >= self.min_size) & (size * pixel <= most))

    def _at_border(self, facts: Table, image: Image) -> NDArray[np.bool_]:
        axes = image.spatial_axes if self.border == "all" else self.border
        for axis in axes:
            if axis not in image.spatial_axes:
                raise InvalidOption(
                    f"border is {self.border!r}, but the image's spatial axes are {image.spatial_axes!r}; give some of "
                    "these, or all"
                )
        touched = [facts[name] for axis in axes if (name := f"border-{axis}") in facts.names]
        return np.asarray(np.logical_or.reduce([np.zeros(len(facts), bool), *touched]))

    def _within_limits(self, facts: Table, path: str, column: str) -> NDArray[np.bool_]:
        key = [name for name in ("t", "label") if name in facts.names]
        columns, provenance = read_columns(path, [*key, column])
        if provenance:
            check_same_labels(provenance, facts.provenance["labels"])
        if any(not np.array_equal(columns[name], facts[name]) for name in key):
            raise InvalidLabels(
                f"the table {path} has {len(columns['label']):,} rows of other objects than the {len(facts):,} of the "
                f"given labels {self.given[0]!r}; measure them again (tilewright measure)"
            )
        values = np.asarray(columns[column], np.float64)
        least, most = (-np.inf if self.least is None else self.least), (np.inf if self.most is None else self.most)
        return np.asarray((values >= least) & (values <= most))
