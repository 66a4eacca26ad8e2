"""Planes of images and labels for pictures: some rows and columns, from the level that has them, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..image import Image
from ..image.drawing import HIGH, LOW, Picture, enlarged, outlined, stretched

__all__ = ["Planes", "sampled"]

Places = NDArray[np.int64]

AT_ONCE = 2**24  # pixels that are read at once
MOST = 2**31  # pixels of a level that are read for an overview
SIDE, CROP = 900, 256  # pixels of an overview and of a crop at most
FIELD = 2048  # pixels of the image that a crop shows at most, along an axis
DEPTHS = 9  # planes among which an overview's is chosen


def sampled(image: Image, at: Mapping[str, int], rows: Places, columns: Places) -> NDArray[np.generic]:
    """The pixels (y, x) at some rows and columns, both ascending, of the plane at a place along the other axes."""
    parts, width = [], int(columns[-1] - columns[0]) + 1
    for band in np.split(rows, np.flatnonzero(np.diff((rows - rows[0]) // max(1, AT_ONCE // width))) + 1):
        spans = {
            "y": slice(int(band[0]), int(band[-1]) + 1),
            "x": slice(int(columns[0]), int(columns[-1]) + 1),
            **{axis: slice(index, index + 1) for axis, index in at.items()},
        }
        block = image.read(tuple(spans.get(axis, slice(0, 1)) for axis in image.axes))
        others = tuple(number for number, axis in enumerate(image.axes) if axis not in "yx")
        plane = block.squeeze(others)
        plane = plane if image.axes.index("y") < image.axes.index("x") else plane.T
        parts.append(plane[np.ix_(band - band[0], columns - columns[0])])
    return np.concatenate(parts)


@dataclass(frozen=True, kw_only=True)
class Planes:
    """A label image at its levels, and its image, one channel of it, at its own; both the finest first.

    image: empty if there is none, whose pictures are then outlines on black.
    """

    labels: tuple[Image, ...]
    image: tuple[Image, ...] = ()

    def overview(self) -> Picture | None:
        """The whole plane with outlines, at most 900 pixels long; None if no level is small enough to be read for it.

        Of a stack it is the plane with the most foreground among nine, of a series the first time.
        """
        large = [each for each in self.labels if max(each.size("y"), each.size("x")) >= SIDE]
        level = large[-1] if large else self.labels[0]
        height, width = level.size("y"), level.size("x")
        if height * width > MOST:
            return None
        rows, columns = (_spread(length, SIDE / max(height, width, SIDE)) for length in (height, width))
        planes = [(z, sampled(level, {"z": z}, rows, columns)) for z in _depths(slice(0, level.size("z")))]
        z, labels = max(planes, key=lambda each: np.count_nonzero(each[1]))
        grey, times = self._grey(level, {"z": z}, rows, columns), max(1, SIDE // max(labels.shape))
        return outlined(enlarged(grey, times), enlarged(labels, times))

    def crop(self, box: Mapping[str, slice], time: int, label: int) -> Picture:
        """An object of the finest level with its surroundings, of which its outline stands out.

        box: around it, by axis; of its planes the one with the most of the object is shown, among nine.
        """
        level = self.labels[0]
        middle = {axis: (part.start + part.stop) // 2 for axis, part in box.items()}
        length = max(1, *(part.stop - part.start for axis, part in box.items() if axis in "yx"))
        side = min(FIELD, max(48, round(1.6 * length)))
        step = -(-side // CROP)
        rows, columns = (_around(middle.get(axis, 0), side, level.size(axis), step) for axis in "yx")
        places = [{"t": time, "z": z} for z in _depths(box.get("z", slice(0, 1)))]
        planes = [(at, sampled(level, at, rows, columns)) for at in places]
        at, labels = max(planes, key=lambda each: np.count_nonzero(each[1] == label))
        grey, times = self._grey(level, at, rows, columns), max(1, CROP // 2 // max(labels.shape))
        return outlined(enlarged(grey, times), enlarged(labels, times), label)

    def _grey(self, level: Image, at: Mapping[str, int], rows: Places, columns: Places) -> Picture:
        """The image's grey values where the pixels of a level of the labels are."""
        if not self.image:
            return np.zeros((len(rows), len(columns)), np.uint8)
        image = min(self.image, key=lambda each: abs(each.size("y") - level.size("y")))
        places = {axis: _there(np.array([index]), axis, level, image) for axis, index in at.items()}
        fixed = {axis: int(place[0]) for axis, place in places.items()}
        y, x = (_there(each, axis, level, image) for each, axis in ((rows, "y"), (columns, "x")))
        return stretched(sampled(image, fixed, y, x), *self._ends)

    @cached_property
    def _ends(self) -> tuple[float, float]:
        return self.image[0].percentiles(LOW, HIGH)


def _spread(length: int, share: float) -> Places:
    """A share of the pixels along an axis, evenly spaced."""
    count = max(1, round(length * share))
    return np.arange(count) * length // count


def _depths(span: slice) -> list[int]:
    """Some planes of a span, evenly spaced."""
    length = span.stop - span.start
    return sorted({span.start + round(z) for z in np.linspace(0, length - 1, min(DEPTHS, length))})


def _around(middle: int, side: int, length: int, step: int) -> Places:
    start = max(0, min(middle - side // 2, length - side))
    return np.arange(start, min(length, start + side), step)


def _there(places: Places, axis: str, here: Image, there: Image) -> Places:
    """The nearest pixels of another image of the same field."""
    return ((places + 0.5) * there.size(axis) / here.size(axis)).astype(np.int64)
