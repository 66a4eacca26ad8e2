"""The measurer `cut-score`: how straight an object's straightest edge is, and how near to an axis, as tiles cut it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Block, Column, Columns, Facts
from tilewright.errors import InvalidOption

__all__ = ["CutScore"]

Floats = NDArray[np.float64]

NAMES = ("max_straight_edge_ratio", "cardinal_alignment_score", "cut_score")
TOLERANCE = 0.75  # pixels that a contour may lie beside a straight line
LEAST = 20  # pixels; a smaller object has no values
MOST = 500  # points of a contour; a longer one is resampled


@dataclass(frozen=True, kw_only=True)
class CutScore:
    """The scores of squidpy's `calculate_tiling_qc`, by its names and with its defaults, in two dimensions.

    max_straight_edge_ratio: the longest straight part of the contour, in diameters of a disc of the same area.
    cardinal_alignment_score: 1 if that part lies along an axis, 0 at 45°. cut_score: their product, which is large
    where a tile's border has cut an object. An object of fewer than 20 pixels has no values (nan).

    InvalidOption for labels that are not planes.
    """

    pixels = False

    def columns(self, facts: Facts, /) -> Mapping[str, Column]:
        """The three scores, which have no unit."""
        if len(facts.axes) != 2:
            raise InvalidOption(
                f"cut-score measures contours in planes, but the labels have the axes {facts.axes}; measure planes"
            )
        return dict.fromkeys(NAMES, Column(dtype="float64"))

    def __call__(self, block: Block, /) -> Columns:
        """The columns of the block's objects."""
        from scipy.ndimage import find_objects

        labels = np.where(block.labels <= block.n, block.labels, 0)
        boxes = find_objects(labels.astype(np.int64), max_label=block.n)
        scores = [_scores(labels[box] == n) for n, box in enumerate(boxes, 1) if box is not None]
        return dict(zip(NAMES, np.array(scores).reshape(-1, 3).T, strict=True))


def _scores(mask: NDArray[np.bool_]) -> tuple[float, float, float]:
    from skimage.measure import find_contours

    area = int(mask.sum())
    if area < LEAST:
        return np.nan, np.nan, np.nan
    contour = max(find_contours(np.pad(mask, 1).astype(np.float32), 0.5), key=len)
    length, angle = _straightest(_resampled(contour))
    ratio = length / np.sqrt(4 * area / np.pi)
    aside = abs(angle) % np.pi
    aligned = 1 - min(aside, abs(aside - np.pi / 2), abs(aside - np.pi)) / (np.pi / 4)
    return float(ratio), float(aligned), float(ratio * aligned)


def _resampled(contour: Floats) -> Floats:
    """The contour, or `MOST` points at equal distances along a longer one."""
    if len(contour) <= MOST:
        return contour
    along = np.append(0.0, np.cumsum(np.sqrt((np.diff(contour, axis=0) ** 2).sum(axis=1))))
    places = np.linspace(0.0, along[-1], MOST)
    at = np.clip(np.searchsorted(along, places, side="right") - 1, 0, len(contour) - 2)
    step = along[at + 1] - along[at]
    share = np.where(step < 1e-12, 0.0, (places - along[at]) / np.where(step < 1e-12, 1.0, step))
    resampled: Floats = contour[at] + share[:, np.newaxis] * (contour[at + 1] - contour[at])
    return resampled


def _straightest(contour: Floats) -> tuple[float, float]:
    """The length and the angle of the longest straight part. A closed contour is looked at from three starts."""
    closed = np.sqrt(((contour[0] - contour[-1]) ** 2).sum()) < 1.0 and len(contour) > 6
    points = contour[:-1] if closed else contour
    starts = [0, len(points) // 3, 2 * len(points) // 3] if closed else [0]
    parts = (_longest(np.roll(points, -start, axis=0)) for start in starts)
    return max(parts, key=lambda part: part[0])  # the first of equal ones


def _longest(points: Floats) -> tuple[float, float]:
    """The longest chord beside which all points between its ends lie within the tolerance, from any start.

    From each start the end moves on until a point lies too far aside. All starts are looked at together, end by end.
    """
    lengths = np.zeros(len(points))
    reaches = np.zeros(len(points), int)
    straight = np.arange(len(points) - 2)
    for reach in range(2, len(points)):
        straight = straight[straight + reach < len(points)]
        if not len(straight):
            break
        chord = points[straight + reach] - points[straight]
        length = np.sqrt((chord**2).sum(axis=1))
        between = points[straight[:, np.newaxis] + np.arange(1, reach)] - points[straight, np.newaxis]
        area = np.abs(chord[:, :1] * between[..., 1] - chord[:, 1:] * between[..., 0])
        none = length < 1e-12  # such a chord has no line; the next one may
        aside = (area / np.where(none, 1.0, length)[:, np.newaxis]).max(axis=1)
        kept = none | (aside <= TOLERANCE)
        straight, length, none = straight[kept], length[kept], none[kept]
        longer = ~none & (length > lengths[straight])
        lengths[straight[longer]] = length[longer]
        reaches[straight[longer]] = reach
    best = int(lengths.argmax())
    down, right = points[best + reaches[best]] - points[best]
    return float(lengths[best]), math.atan2(down, right)
