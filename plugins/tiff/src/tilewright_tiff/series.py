"""The images of a TIFF file: the series that tifffile finds, and each position of an acquisition by itself."""

from __future__ import annotations

import math
import re

import numpy as np
import tifffile

from tilewright.abc import AXES

from .axes import KNOWN
from .opening import one_line

__all__ = ["belongs_to", "described", "series_of"]

# Names of pictures beside the image of a slide: tifffile's, and those of Bio-Formats ("macro image") and ZEISS.
BESIDE = re.compile(r"\b(thumbnail|label|macro|map|barcode|(slide)?preview)\b", re.IGNORECASE)
POSITIONS = {"lsm": "PM"}  # letters for places beside each other: in LSM P and M, elsewhere R


def series_of(tif: tifffile.TiffFile) -> list[tifffile.TiffPageSeries]:
    """The images of a file, in its order.

    Micro-Manager's own OME-XML comes before its index, which knows positions as one more dimension of a single image.
    """
    if tif.is_ome and tif.is_mmstack:
        tif.is_mmstack = False
    return [image for series in tif.series for image in _positions(series)]


def described(series: tifffile.TiffPageSeries) -> str:
    """A series in a few words: `overview, zyx 5 × 90 × 90`."""
    dimensions = [(KNOWN.get(letter, "?"), n) for letter, n in zip(series.axes, series.shape, strict=True)]
    dimensions.sort(key=lambda dimension: AXES.find(dimension[0]))
    sizes = f"{''.join(axis for axis, _ in dimensions)} {' × '.join(str(n) for _, n in dimensions)}"
    return f"{one_line(series.name)}, {sizes}" if series.name else sizes


def belongs_to(series: tifffile.TiffPageSeries, main: tifffile.TiffPageSeries) -> bool:
    """Whether it is a small picture beside another image: a slide's thumbnail, label or macro, by its name or tags."""
    areas = [each.keyframe.imagelength * each.keyframe.imagewidth for each in (series, main)]
    return areas[0] < areas[1] and bool(series.keyframe.is_reduced or BESIDE.search(series.name))


def _positions(series: tifffile.TiffPageSeries) -> list[tifffile.TiffPageSeries]:
    """A series for each position; the series itself where it has one, or where they are not pages of their own."""
    axes, shape = series.axes, series.shape
    leading = shape[: len(shape) - len(series.keyframe.shape)]
    found = [i for i in range(len(leading)) if axes[i] in POSITIONS.get(series.kind, "R") and shape[i] > 1]
    if not found or len(series.pages) != math.prod(leading):
        return [series]
    at = found[0]
    numbers = np.moveaxis(np.arange(len(series.pages)).reshape(leading), at, 0)
    parts = [
        tifffile.TiffPageSeries(
            [series.pages[number] for number in each.flat],
            shape[:at] + shape[at + 1 :],
            series.dtype,
            axes[:at] + axes[at + 1 :],
            parent=series.parent,
            name=f"{series.name} position {position}".strip(),
            kind=series.kind,
            multifile=series.is_multifile,
        )
        for position, each in enumerate(numbers)
    ]
    return [image for part in parts for image in _positions(part)]
