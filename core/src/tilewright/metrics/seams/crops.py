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

__all__ = ["Compared", "Crop", "Difference", "Segment", "compared_crop", "crop_at"]

Labels = NDArray[Any]
Segment = Callable[[Region], Labels]

NEAR = 2  # planes on either side of the middle; objects with none of them are not compared


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A box around a place, in one piece across a seam or across a plane away from seams.

    axis, at: of the plane. inner: the objects that lie whole in this region are compared. outer: what is segmented.
    """

    axis: int
    at: int
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
    """A crop's objects beside its plane, in the labels and in one piece, and those that differ.

    objects: how many were compared. disagreement: the sum of 1 - IoU with the best match.
    step: between the two sides of the plane, the difference of how much more of the side is foreground in the labels
    than in the crop, as a share of it. sided: whether both sides have foreground; 0 or 1, and the step is 0 without.
    """

    objects: int
    disagreement: float
    sided: int
    step: float
    differences: tuple[Difference, ...]


def crop_at(place: Sequence[int], axis: int, half: Sequence[int], margin: Sequence[int], shape: Sequence[int]) -> Crop:
    """The crop around a place; at the image's border it has no margin, as the image has none there."""
    along = list(zip(place, half, margin, shape, strict=True))
    inner = tuple(slice(max(0, p - h), min(n, p + max(1, h))) for p, h, _, n in along)
    outer = tuple(slice(max(0, p - h - m), min(n, p + max(1, h) + m)) for p, h, m, n in along)
    return Crop(axis=axis, at=place[axis], inner=inner, outer=outer)


def compared_crop(crop: Crop, again: Labels, labels: Labels, shape: Sequence[int], least: float) -> Compared:
    """Compare both label images of a crop's outer region. least: the IoU below which objects differ."""
    axes = "tzyx"[-labels.ndim :]
    table = Contingency.of(Image(data=again, axes=axes), Image(data=labels, axes=axes))
    ious = table.iou()
    sides = (table.reference, table.pairs[:, 0], again), (table.predicted, table.pairs[:, 1], labels)
    best: list[float] = []
    differences: list[Difference] = []
    for side, (ids, ends, image) in enumerate(sides):
        iou = np.zeros(len(ids))
        np.maximum.at(iou, ends, ious)
        for n, box in _beside(crop, image, ids, shape):
            best.append(iou[n])
            if iou[n] < least:
                place = tuple((b.start + b.stop) // 2 + o.start for b, o in zip(box, crop.outer, strict=True))
                label = int(ids[n]) if side else _most(table, n)
                how = _how(compared(table, ()), int(ids[n]), label, side, iou[n])
                differences.append(Difference(label=label, place=place, how=how, iou=round(float(iou[n]), 4)))
    sided, step = _step(crop, again > 0, labels > 0)
    return Compared(
        objects=len(best),
        disagreement=len(best) - float(sum(best)),
        sided=sided,
        step=step,
        differences=_each_once(differences),
    )


def _beside(crop: Crop, image: Labels, ids: NDArray[Any], shape: Sequence[int]) -> list[tuple[int, Region]]:
    """The objects, as places in ids, that lie whole in the inner region and beside the plane, with their boxes."""
    numbered = np.searchsorted(np.append(ids, 0)[:-1], image).astype(np.int64) + 1 if len(ids) else image
    boxes = ndimage.find_objects(np.where(image > 0, numbered, 0)) if len(ids) else []
    inner, middle = relative(crop.inner, crop.outer), crop.at - crop.outer[crop.axis].start
    beside = []
    for n, box in enumerate(boxes):
        parts = zip(box, inner, crop.inner, shape, strict=True)
        whole = all(
            (b.start > i.start or place.start == 0) and (b.stop < i.stop or place.stop == n_pixels)
            for b, i, place, n_pixels in parts
        )
        across = box[crop.axis]
        if whole and across.start < middle + NEAR and across.stop > middle - NEAR:
            beside.append((n, box))
    return beside


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


def _each_once(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """A label once, with what says most of it; a missing object has none."""
    kept: dict[Any, Difference] = {}
    for each in sorted(differences, key=lambda each: (each.how == "moved", each.iou)):
        kept.setdefault(each.label or each.place, each)
    return tuple(kept.values())


def _step(crop: Crop, again: NDArray[np.bool_], labels: NDArray[np.bool_]) -> tuple[int, float]:
    inner, middle = relative(crop.inner, crop.outer), crop.at - crop.outer[crop.axis].start
    shares = []
    for part in (slice(inner[crop.axis].start, middle), slice(middle, inner[crop.axis].stop)):
        side = (*inner[: crop.axis], part, *inner[crop.axis + 1 :])
        one, other = int(again[side].sum()), int(labels[side].sum())
        shares.append(2 * (other - one) / (one + other) if one + other else np.nan)
    step = abs(shares[0] - shares[1])
    return (0, 0.0) if np.isnan(step) else (1, float(step))
