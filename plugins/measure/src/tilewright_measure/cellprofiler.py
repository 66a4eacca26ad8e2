"""The measurer `cp-measure`: CellProfiler's features by the library cp_measure, an example of a wrapped library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Block, Column, Columns, Facts
from tilewright.errors import InvalidOption, PluginError

from .columns import check_names, of_channel

__all__ = ["CpMeasure"]

SHAPES = ("sizeshape", "zernike", "feret")
FEATURES = (*SHAPES, "intensity", "texture", "radial_distribution", "radial_zernikes")
IN_THREE_DIMENSIONS = ("intensity", "sizeshape", "texture")
PLACES = ("Center", "BoundingBox", "Location_")  # what columns of coordinates start with


@dataclass(frozen=True, kw_only=True)
class CpMeasure:
    """CellProfiler's features with CellProfiler's names, in pixels, of one object after the other.

    Pixels of whole numbers are divided by their dtype's greatest, as CellProfiler does. A column of one channel among
    several ends in its name. Granularity is left out: it subsamples the picture that it is given, and so depends on how
    the image is cut. Needs `pip install tilewright-measure[cp-measure]`; PluginError without it.

    InvalidOption for a feature that does not exist, or not in three dimensions.
    """

    features: tuple[str, ...] = field(default=("zernike",), metadata={"help": f"by name: {', '.join(FEATURES)}"})

    halo = 1  # a pixel belongs to an object's edge if the one beside it, which may lie beyond the box, does not

    def __post_init__(self) -> None:
        check_names(self.features, FEATURES, "cp-measure")

    @property
    def pixels(self) -> bool:
        """Whether one of the features looks at pixels."""
        return not set(self.features) <= set(SHAPES)

    def columns(self, facts: Facts, /) -> Mapping[str, Column]:
        """The columns that cp_measure has of an example."""
        d = len(facts.axes)
        missing = [] if d == 2 else [name for name in self.features if d != 3 or name not in IN_THREE_DIMENSIONS]
        if missing:
            raise InvalidOption(f"cp_measure has no {missing[0]!r} of labels with axes {facts.axes!r}; leave it out")
        labels = np.zeros((12,) * d, int)
        labels[(slice(2, 9),) * d] = 1
        pixels = np.linspace(0, 1, labels.size).reshape(labels.shape)
        return {name: Column() for name in self._columns(labels, [pixels] * len(facts.channels), facts)}

    def __call__(self, block: Block, /) -> Columns:
        """The columns of the block's objects.

        Each is measured alone: the circle around an object, on which Zernike's features depend, is found by the library
        in an order that depends on which others there are.
        """
        from scipy import ndimage

        boxes = ndimage.find_objects(block.labels, block.n)
        objects = [self._of_one(block, number, _widened(box)) for number, box in enumerate(boxes, 1)]
        return {
            name: np.concatenate([np.zeros(0), *(each[name] for each in objects)]) for name in self.columns(block.facts)
        }

    def _of_one(self, block: Block, number: int, box: tuple[slice, ...]) -> Columns:
        pixels = [] if block.pixels is None else [_fraction(channel[box]) for channel in block.pixels]
        starts = (part.start + own.start for part, own in zip(block.place.region, box, strict=True))
        start = dict(zip("ZYX"[-len(box) :], starts, strict=True))
        columns = self._columns((block.labels[box] == number).astype(int), pixels, block.facts)
        return {name: values + start.get(_axis(name), 0) for name, values in columns.items()}

    def _columns(self, labels: Any, pixels: list[Any], facts: Facts) -> dict[str, NDArray[np.float64]]:
        """The columns of the objects as they are in a crop."""
        functions = _functions()
        columns: dict[str, Any] = {}
        for feature in self.features:
            if feature in SHAPES:
                columns |= functions[feature](labels, None)
                continue
            for channel, image in zip(facts.channels, pixels, strict=True):
                values = functions[feature](labels, image)
                columns |= {of_channel(name, channel, facts): each for name, each in values.items()}
        return {name: np.asarray(values, np.float64) for name, values in columns.items()}


def _widened(box: tuple[slice, ...]) -> tuple[slice, ...]:
    """A box with a pixel more on each side, as far as there are pixels."""
    return tuple(slice(max(0, part.start - 1), part.stop + 1) for part in box)


def _axis(name: str) -> str:
    """The axis of a column of coordinates; "" for other columns."""
    base, _, axis = name.partition("-")[0].rpartition("_")
    return axis if base.startswith(PLACES) and axis in ("X", "Y", "Z") else ""


def _functions() -> Mapping[str, Any]:
    try:
        from cp_measure.bulk import get_core_measurements
    except ImportError as error:
        raise PluginError("cp_measure is not installed: pip install 'tilewright-measure[cp-measure]'") from error
    functions: Mapping[str, Any] = get_core_measurements()
    return functions


def _fraction(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """The pixels as CellProfiler has them: whole numbers as fractions of their dtype's greatest."""
    if pixels.dtype.kind in "ui":
        return pixels / np.iinfo(pixels.dtype).max
    return pixels.astype(np.float64)
