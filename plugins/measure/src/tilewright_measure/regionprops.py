"""The measurer `regionprops`: any property of scikit-image by name, of whole objects."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Block, Column, Columns, Facts
from tilewright.errors import InvalidOption

from .columns import check_names, of_channel
from .shapes import unit_of

__all__ = ["FunctionsOfObjects", "RegionProps"]

Wanted = str | Callable[..., Any]  # a property of scikit-image's, or a function for `extra_properties`

PLACES = ("centroid", "centroid_weighted")  # in units, from the image's corner
WEIGHED = ("intensity", "weighted")  # in the names of properties that look at pixels


@dataclass(frozen=True, kw_only=True)
class RegionProps:
    """The properties of `skimage.measure.regionprops_table`, by scikit-image itself, of one object after the other.

    `size` and `intensity` have nearly all of them too, for objects of any size and some twenty times faster. This one
    has what they have not: `area_filled`, and what a later scikit-image brings.

    InvalidOption for a property that does not exist, is not a number, or is not defined for such labels.
    """

    properties: tuple[str, ...] = field(
        default=("area_filled",), metadata={"help": "names of scikit-image's properties that are numbers"}
    )

    def __post_init__(self) -> None:
        from skimage.measure import regionprops

        (example,) = regionprops(np.ones((1, 1), int), np.ones((1, 1)))
        names = [name for name in dir(example) if not name.startswith("_") and name != "label"]
        check_names(self.properties, names, "regionprops")

    @property
    def _wanted(self) -> tuple[Wanted, ...]:
        return self.properties

    @property
    def pixels(self) -> bool:
        """Whether one of the properties looks at pixels."""
        return any(map(_weighed, self._wanted))

    def columns(self, facts: Facts, /) -> Mapping[str, Column]:
        """The properties, those of several numbers in a column for each, as scikit-image has them for an example."""
        d = len(facts.axes)
        labels = np.zeros((4,) * d, int)
        labels[(slice(1, 3),) * d] = 1
        pixels = np.arange(1, labels.size + 1, dtype=facts.dtype or np.uint8).reshape(labels.shape)
        return {
            name: Column(dtype=_dtype(values).name, unit=unit_of(facts, 1) if name.startswith(PLACES) else "")
            for name, values in self._columns(labels, [pixels] * len(facts.channels), facts)
        }

    def __call__(self, block: Block, /) -> Columns:
        """The columns of the block's objects."""
        labels = np.where(block.labels <= block.n, block.labels, 0)
        pixels = [] if block.pixels is None else list(block.pixels)
        start = [part.start for part in block.place.region]
        columns = {}
        for name, values in self._columns(labels, pixels, block.facts):
            base, _, rest = name.partition("-")
            axis = int(rest.partition("-")[0] or 0) % len(start) if base in (*PLACES, "bbox") else 0
            shift = {"bbox": start[axis]}.get(base, start[axis] * block.facts.spacing[axis] if base in PLACES else 0)
            columns[name] = (values + shift).astype(_dtype(values))
        return columns

    def _columns(self, labels: Any, pixels: list[Any], facts: Facts) -> Iterator[tuple[str, NDArray[Any]]]:
        """The columns of the objects as they are in a crop."""
        shapes = [each for each in self._wanted if not _weighed(each)]
        yield from _table(labels, None, shapes, facts).items()
        weighed = [each for each in self._wanted if _weighed(each)]
        for channel, image in zip(facts.channels, pixels, strict=True):
            for name, values in _table(labels, image, weighed, facts).items():
                yield of_channel(name, channel, facts), values


@dataclass(frozen=True, kw_only=True)
class FunctionsOfObjects(RegionProps):
    """What functions return of each object, as scikit-image's `extra_properties`: `f(mask)` or `f(mask, pixels)`."""

    properties: tuple[str, ...] = ()
    functions: tuple[Callable[..., Any], ...]

    @property
    def _wanted(self) -> tuple[Wanted, ...]:
        return self.functions


def _weighed(wanted: Wanted) -> bool:
    if callable(wanted):
        return len(inspect.signature(wanted).parameters) == 2
    return any(part in wanted for part in WEIGHED)


def _dtype(values: NDArray[Any]) -> np.dtype[Any]:
    return np.dtype(np.int64 if values.dtype.kind in "iu" else np.float64)


def _table(labels: Any, image: Any, wanted: list[Wanted], facts: Facts) -> dict[str, NDArray[Any]]:
    """scikit-image's table. InvalidOption for a property that it does not have of such labels, or not as numbers."""
    from skimage.measure import regionprops_table

    table: dict[str, NDArray[Any]] = {}
    for each in wanted:
        name = each if isinstance(each, str) else each.__name__
        options: Any = {"properties": (each,)} if each is name else {"properties": (), "extra_properties": (each,)}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of hulls of flat objects
                columns = regionprops_table(labels, image, spacing=facts.spacing, **options)
        except NotImplementedError as error:
            raise InvalidOption(
                f"scikit-image has no {name!r} of labels with axes {facts.axes!r} and spacing {facts.spacing}: {error}"
            ) from error
        if any(values.dtype.kind == "O" for values in columns.values()):
            raise InvalidOption(f"regionprops property {name!r} is not a number of each object; leave it out")
        table |= columns
    return table
