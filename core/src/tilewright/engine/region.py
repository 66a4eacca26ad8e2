"""The region that a user gives, as a mask over the image: a label image, coarser perhaps, or polygons."""

from __future__ import annotations

from dataclasses import replace
from math import isclose
from os import PathLike
from typing import Any

import numpy as np

from ..abc.traits import ReaderTraits
from ..components.blame import whose
from ..errors import InvalidImage, InvalidOption
from ..image import Image
from ..image.lattice import translation
from ..image.polygons import Polygons, polygons_in
from ..io.formats import read
from ..io.source import Source, identity_of
from ..run_options import RunOptions
from ..tiling.grid import TileGrid
from .given import label_source, opened_labels
from .plan import Plan
from .reading import StoredLabels
from .within import Along, Area, Outlines, StoredMask, Within

__all__ = ["area_of", "restricted"]

WHAT = "the region (within, --within)"
NEAR = 1e-3  # the share by which spacings may be rounded


def area_of(within: Any, source: Source) -> Area:
    """The region of a run, opened lazily.

    within: polygons (`image.polygons`), or a mask or label image as `given` takes label images; what is not background
        is the region. A mask lies on the image by spacing and origin; along axes that it lacks, and where it has one
        time or plane, it is the same everywhere.

    InvalidOption or InvalidImage, with both values, for a region that does not lie on the image.
    """
    polygons = polygons_in(within, WHAT)
    name = str(within) if isinstance(within, str | PathLike) else ""
    if polygons is not None:
        area = _outlined(polygons, name or f"{len(polygons.edges)} polygons", source)
        return replace(area, identities=[identity_of(within)]) if name else area
    return _masked(label_source(opened_labels(within, source.opened), WHAT), name, source.opened)


def restricted(plan: Plan, area: Area, options: RunOptions) -> Plan:
    """The plan restricted to a region.

    InvalidOption for what makes it unknown of an object whether it continues into another tile.
    """
    rule, who = options.within_rule, whose("segmenter", plan.segmenter)
    parts = {"same_ids": plan.same_ids, "join_z": plan.join_z is not None, f"{who} (keeps_ids)": plan.keeps_ids}
    apart = [name for name, chosen in parts.items() if chosen]
    if rule != "clip" and apart:
        raise InvalidOption(
            f"within_rule {rule!r} keeps whole objects, which are followed from tile to tile, but with {apart[0]} "
            f"parts of one may lie apart; leave {apart[0]} out, or use within_rule 'clip'"
        )
    within = Within.over(plan.grid, area, rule)
    wanted = np.setdiff1d(np.flatnonzero(within.cover), np.array(plan.grid.left_out, np.int64))
    return replace(plan, within=within, wanted=tuple(wanted.tolist()))


def _outlined(polygons: Polygons, name: str, source: Source) -> Area:
    image = source.opened
    axes = "".join(axis for axis in image.axes if axis in "yx")
    if len(axes) < 2:
        raise InvalidOption(f"{WHAT} is polygons of y and x, but the image has the axes {image.axes!r}; give a mask")
    shape = image.size("y"), image.size("x")
    scaled = polygons.scaled(*_factors(source))
    low_y, low_x, high_y, high_x = scaled.box
    if high_y <= 0 or high_x <= 0 or low_y >= shape[0] or low_x >= shape[1]:
        raise InvalidOption(
            f"{WHAT} lies at y {low_y:g} to {high_y:g} and x {low_x:g} to {high_x:g}, outside of the image, whose "
            f"shape is yx {shape}; give polygons in pixels of its finest level"
        )
    along = {axis: Along(length=image.size(axis)) for axis in axes}
    return Area(name=name, mask=Outlines(polygons=scaled, axes=axes), along=along, identities=[])


def _factors(source: Source) -> tuple[float, float]:
    """How many pixels of the finest level a pixel of the image is long, along y and along x."""
    if source.reader is None or not getattr(source.reader, "level", 0):
        return 1.0, 1.0
    finest, image = read(ReaderTraits.with_options(source.reader, level=0), source.path), source.opened
    return _factor(finest, image, "y"), _factor(finest, image, "x")


def _factor(finest: Image, image: Image, axis: str) -> float:
    if axis in finest.spacing and axis in image.spacing:
        return image.spacing[axis] / finest.spacing[axis]
    return finest.size(axis) / image.size(axis)


def _masked(source: Source, name: str, image: Image) -> Area:
    mask = source.opened
    axes = "".join(axis for axis in image.axes if axis != "c" and not _everywhere(mask, image, axis))
    strange = [axis for axis in mask.axes if axis not in axes and mask.size(axis) > 1]
    if strange or not axes:
        raise InvalidImage(
            f"{WHAT} has the axes {mask.axes!r} and the shape {mask.shape}, but the image has {image.axes!r} of shape "
            f"{image.shape}; give a mask of the same image"
        )
    grid = TileGrid(axes=axes, cores=tuple((mask.size(axis),) for axis in axes), halo=(0,) * len(axes))
    along = {axis: _along(mask, image, axis) for axis in axes}
    text = name or source.path or f"a mask of {mask.axes} {mask.shape}"
    stored = StoredMask(stored=StoredLabels.of(source, grid))
    return Area(name=text, mask=stored, along=along, identities=[source.whole.identity])


def _everywhere(mask: Image, image: Image, axis: str) -> bool:
    """Whether a mask is the same all along an axis of the image."""
    return axis not in mask.axes or (axis in "tz" and mask.size(axis) == 1 and image.size(axis) > 1)


def _along(mask: Image, image: Image, axis: str) -> Along:
    """Where the image's pixels lie on a mask along an axis, as `image.lattice` lays labels.

    InvalidImage if the mask begins or ends a pixel, of the coarser one, within the image.
    """
    length, wanted = mask.size(axis), image.size(axis)
    stated = axis in mask.spacing, axis in image.spacing
    alike = mask.units.get(axis, "") == image.units.get(axis, "")
    if length == wanted and not (all(stated) and alike):
        return Along(length=length)
    own, other = (each.spacing.get(axis, 1.0) for each in (image, mask))
    if length == wanted and isclose(own, other, rel_tol=NEAR):
        other = own
    here, there = translation(image, axis), translation(mask, axis)
    if here is None or there is None:
        here, there = own / 2, other / 2
    begin = (here - own / 2) - (there - other / 2)
    end = begin + wanted * own - length * other
    if not any(stated) or not alike or max(-begin, end) >= max(own, other) * (1 - 1e-6):
        raise InvalidImage(
            f"{WHAT} does not cover the image along {axis}: it has {_extent(mask, axis)}, the image has "
            f"{_extent(image, axis)}; give a mask of the whole image, or the spacing of its pixels "
            f"(Image(mask, axes={mask.axes!r}, spacing={{{axis!r}: …}}))"
        )
    return Along(length=length, step=own / other, first=(here - there) / other)


def _extent(image: Image, axis: str) -> str:
    """`125 pixels of 8 micrometer from 0`."""
    spacing, unit = image.spacing.get(axis), image.units.get(axis, "")
    of = "unknown spacing" if spacing is None else f"{spacing:g} {unit}".strip()
    return f"{image.size(axis):,} pixels of {of} from {translation(image, axis) or 0:g}"
