"""Crops that are segmented again in one piece, and how the objects in their middle differ from the run's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...image import Image
from ...tiling.regions import Region, relative
from ..comparison import Comparison, compared
from ..contingency import Contingency

__all__ = ["Compared", "Crop", "Difference", "Segment", "compared_crop", "crop_at", "each_once"]

Labels = NDArray[Any]
Segment = Callable[[Region], Labels]

NEAR = 2  # planes on either side of the middle; objects with none of them are not compared


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A box that is segmented in one piece, with planes: the seam, or several that are away from seams.

    axis, planes: where objects are compared. side: how many pixels on either side of a plane are its own.
    inner: the objects that lie whole in this region are compared. outer: what is segmented.
    """

    axis: int
    planes: tuple[int, ...]
    side: int
    inner: Region
    outer: Region


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An object at a seam that is another one when the place is segmented in one piece.

    label: its id in the labels; 0 for one that is missing there. place: the middle of its box, by axis of the labels.
    how: `missing`, `extra`, `fused`, `split`, `doubled`, or `moved` for other borders. iou: with its best match.
    """

    label: int
    place: tuple[int, ...]
    how: str
    iou: float


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The objects beside a plane of a crop, in the labels and in one piece, and those that differ.

    objects: how many were compared, those of the labels and those of the crop.
    disagreement: the sum of 1 - IoU with the best match.
    step: between the two sides of the plane, the difference of how much more of the side is foreground in the labels
    than in the crop, as a share of it. sided: whether both sides have foreground; 0 or 1, and the step is 0 without.
    """

    objects: int
    disagreement: float
    sided: int
    step: float
    differences: tuple[Difference, ...]


def crop_at(
    place: Sequence[int],
    axis: int,
    planes: Sequence[int],
    half: Sequence[int],
    margin: Sequence[int],
    shape: Sequence[int],
) -> Crop:
    """The crop around a place; at the image's border it has no margin, as the image has none there.

    half: of the inner region, by axis; along `axis` it is that of each plane.
    """
    reach = [h + (max(planes) - place[axis] if n == axis else 0) for n, h in enumerate(half)]
    along = list(zip(place, reach, margin, shape, strict=True))
    return Crop(
        axis=axis,
        planes=tuple(planes),
        side=half[axis],
        inner=tuple(slice(max(0, p - h), min(n, p + max(1, h))) for p, h, _, n in along),
        outer=tuple(slice(max(0, p - h - m), min(n, p + max(1, h) + m)) for p, h, m, n in along),
    )


def compared_crop(crop: Crop, again: Labels, labels: Labels, shape: Sequence[int], least: float) -> list[Compared]:
    """Compare both label images of a crop's outer region at each plane. least: the IoU below which objects differ."""
    axes = "tzyx"[-labels.ndim :]
    table = Contingency.of(Image(data=again, axes=axes), Image(data=labels, axes=axes))
    faults, ious = compared(table, ()), table.iou()
    kept: list[tuple[Region, float, Difference]] = []
    for side, image in enumerate((again, labels)):
        ids = table.predicted if side else table.reference
        best = np.zeros(len(ids))
        np.maximum.at(best, table.pairs[:, side], ious)
        for n, box in _whole(crop, image, ids, shape):
            label = int(ids[n]) if side else _most(table, n)
            place = tuple((b.start + b.stop) // 2 + o.start for b, o in zip(box, crop.outer, strict=True))
            how = _how(faults, int(ids[n]), label, side, best[n])
            kept.append((box, best[n], Difference(label=label, place=place, how=how, iou=round(float(best[n]), 4))))
    return [_at_plane(crop, plane, kept, again > 0, labels > 0, least) for plane in crop.planes]


def _at_plane(
    crop: Crop,
    plane: int,
    kept: Sequence[tuple[Region, float, Difference]],
    again: NDArray[np.bool_],
    labels: NDArray[np.bool_],
    least: float,
) -> Compared:
    middle = plane - crop.outer[crop.axis].start
    beside = [
        (iou, difference)
        for box, iou, difference in kept
        if box[crop.axis].start < middle + NEAR and box[crop.axis].stop > middle - NEAR
    ]
    sided, step = _step(crop, middle, again, labels)
    return Compared(
        objects=len(beside),
        disagreement=len(beside) - float(sum(iou for iou, _ in beside)),
        sided=sided,
        step=step,
        differences=each_once([difference for iou, difference in beside if iou < least]),
    )


def _whole(crop: Crop, image: Labels, ids: NDArray[Any], shape: Sequence[int]) -> list[tuple[int, Region]]:
    """The objects, as places in ids, that lie whole in the inner region, with their boxes; image is numbered by ids."""
    numbered = np.where(image > 0, np.searchsorted(ids, image) + 1, 0)
    inner = relative(crop.inner, crop.outer)
    limits = [  # along an axis on which nothing joins, a crop has one plane, which holds what is in it whole
        (i.start + int(0 < place.start < place.stop - 1), i.stop - int(place.start + 1 < place.stop < n))
        for i, place, n in zip(inner, crop.inner, shape, strict=True)
    ]
    boxes = enumerate(ndimage.find_objects(numbered))
    return [
        (n, box)
        for n, box in boxes
        if all(low <= part.start and part.stop <= high for part, (low, high) in zip(box, limits, strict=True))
    ]


def _most(table: Contingency, reference: int) -> int:
    """The label that shares most pixels with an object of the crop; 0 if none does."""
    pairs = np.flatnonzero(table.pairs[:, 0] == reference)
    return int(table.predicted[table.pairs[pairs[table.shared[pairs].argmax()], 1]]) if len(pairs) else 0


def _how(faults: Comparison, number: int, label: int, side: int, iou: float) -> str:
    if iou == 0:
        return "extra" if side else "missing"
    if label in faults.fused:
        return "fused"
    if side and number in faults.doubled:
        return "doubled"
    if not side and number in faults.split:
        return "split"
    return "missing" if not side and number in faults.lost else "moved"


def each_once(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """A label once, with what says most of it; a missing object has none."""
    kept: dict[Any, Difference] = {}
    for each in sorted(differences, key=lambda each: (each.how == "moved", each.iou)):
        kept.setdefault(each.label or each.place, each)
    return tuple(kept.values())


def _step(crop: Crop, middle: int, again: NDArray[np.bool_], labels: NDArray[np.bool_]) -> tuple[int, float]:
    inner, axis = relative(crop.inner, crop.outer), crop.axis
    shares = []
    for part in (slice(max(0, middle - crop.side), middle), slice(middle, middle + crop.side)):
        side = (*inner[:axis], part, *inner[axis + 1 :])
        one, other = int(again[side].sum()), int(labels[side].sum())
        shares.append(2 * (other - one) / (one + other) if one + other else np.nan)
    step = abs(shares[0] - shares[1])
    return (0, 0.0) if np.isnan(step) else (1, float(step))
