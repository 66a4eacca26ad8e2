"""Rules for joining tiles, side by side: the engine's, and the others' ideas written plainly, with the image in memory.

Each is a function of the truth's tiles: `rule(views) -> label image`. Those of others either unite what two tiles call
by different names, and leave each core to its own tile; or let one tile own an object, and draw it from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Evidence, Grid, Overlap, Pipeline, Seam, TileGrid
from tilewright.labels.objects import united
from tilewright.tiling.regions import common, relative

__all__ = ["RULES", "Views"]

Labels = NDArray[Any]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Views:
    """What a segmenter sees in every tile of an image: its labels of each outer region."""

    image: Labels
    grid: TileGrid
    labels: list[Labels]

    @classmethod
    def of(cls, image: Labels, segmenter: Callable[[Labels], Labels], tile: int, halo: int) -> Views:
        axes = "zyx"[-image.ndim :]
        grid = TileGrid.regular(axes, shape=image.shape, tile=[tile] * image.ndim, halo=[halo] * image.ndim)
        return cls(image, grid, [segmenter(image[each.outer]) for each in grid])

    @cached_property
    def before(self) -> NDArray[np.int64]:
        """How many objects the tiles before each one have; the last entry is the number of all."""
        return np.cumsum([0, *(labels.max() for labels in self.labels)])

    @cached_property
    def evidence(self) -> Evidence:
        """All pairs of objects from two tiles that share pixels."""
        rows = []
        for tile in self.grid:
            for offset, other in self.grid.around(tile, self.grid.reach):
                region = common(tile.outer, other.outer)
                if other.number > tile.number and region is not None:
                    parts = (self.labels[each.number][relative(region, each.outer)] for each in (tile, other))
                    found = Overlap()(Seam(lower=tile, upper=other, offset=offset, labels=tuple(parts), region=region))
                    found[:, :2] += self.before[[tile.number, other.number]] - 1
                    rows.append(found)
        return _evidence(np.concatenate(rows))

    def segment(self, pixels: Labels) -> Labels:
        """The segmenter of the engine's runs: what was seen of the tile with these pixels."""
        return self._by_pixels[np.ascontiguousarray(pixels).tobytes()]

    @cached_property
    def _by_pixels(self) -> dict[bytes, Labels]:
        return {self.image[tile.outer].tobytes(): self.labels[tile.number] for tile in self.grid}


def engine(views: Views, merger: str) -> Labels:
    """A run of tilewright."""
    tile, halo = views.grid.largest, views.grid.halo
    pipeline = Pipeline(segmenter=views.segment, tiler=Grid(tile=tile, halo=halo), merger=merger)
    return pipeline.run(views.image).labels.compute()


def iou(views: Views, least: float) -> Labels:
    """Union of what overlaps by so much of both, over the region that both tiles saw."""
    return _united(views, views.evidence.iou() >= least)


def contained(views: Views, least: float) -> Labels:
    """Union where so much of the smaller lies in the larger."""
    return _united(views, views.evidence.containment() >= least)


def mutual(views: Views) -> Labels:
    """Union of those that are each other's best match in the other tile."""
    pairs, overlap = views.evidence, views.evidence.iou()
    tiles = (np.searchsorted(views.before, ends, side="right") for ends in (pairs.upper, pairs.lower))
    best = [_is_best(ends, others, overlap) for ends, others in zip((pairs.lower, pairs.upper), tiles, strict=True)]
    return _united(views, best[0] & best[1])


def owned_by_centroid(views: Views) -> Labels:
    """Each object is drawn whole by the tile in whose core its centre of mass lies."""

    def centres(labels: Labels) -> NDArray[np.float64]:
        return np.array(ndimage.center_of_mass(labels > 0, labels, range(1, labels.max() + 1))).reshape(-1, labels.ndim)

    return _drawn_by_owner(views, centres)


def owned_by_first_pixel(views: Views) -> Labels:
    """Each object is drawn whole by the tile in whose core its first pixel in raster order lies."""

    def firsts(labels: Labels) -> NDArray[np.int64]:
        ids, first = np.unique(labels, return_index=True)
        return np.stack(np.unravel_index(first[ids > 0], labels.shape), 1)

    return _drawn_by_owner(views, firsts)


RULES: dict[str, Callable[[Views], Labels]] = {
    "overlap": partial(engine, merger="overlap"),
    "touch": partial(engine, merger="touch"),
    "IoU ≥ 0.3": partial(iou, least=0.3),
    "IoU ≥ 0.7": partial(iou, least=0.7),
    "containment ≥ 0.5": partial(contained, least=0.5),
    "mutual best match": mutual,
    "owner by centroid": owned_by_centroid,
    "owner by first pixel": owned_by_first_pixel,
}


def _evidence(rows: NDArray[np.int64]) -> Evidence:
    lower, upper, shared, seen_lower, seen_upper = rows.T
    return Evidence(lower=lower, upper=upper, shared=shared, seen_lower=seen_lower, seen_upper=seen_upper)


def _is_best(ends: NDArray[np.int64], others: NDArray[np.int64], overlap: NDArray[np.float64]) -> Bools:
    """Whether a pair is the best of its end's pairs with that other tile."""
    order = np.lexsort((-overlap, others, ends))
    first = np.append(True, (np.diff(ends[order]) != 0) | (np.diff(others[order]) != 0))
    best = np.zeros(len(order), bool)
    best[order[first]] = True
    return best


def _united(views: Views, same: Bools) -> Labels:
    group = united(int(views.before[-1]), views.evidence.lower[same], views.evidence.upper[same])
    drawn = np.zeros(views.image.shape, np.int64)
    for tile, labels in zip(views.grid, views.labels, strict=True):
        names = np.append(0, group[views.before[tile.number] : views.before[tile.number + 1]] + 1)
        drawn[tile.core] = names[labels[tile.inner]]
    return drawn


def _drawn_by_owner(views: Views, places: Callable[[Labels], NDArray[Any]]) -> Labels:
    drawn = np.zeros(views.image.shape, np.int64)
    for tile, labels in zip(views.grid, views.labels, strict=True):
        begins, ends = (np.array([getattr(part, side) for part in tile.inner]) for side in ("start", "stop"))
        at = places(labels)
        owned = np.append(False, ((at >= begins) & (at < ends)).all(axis=1))
        view = drawn[tile.outer]
        free = owned[labels] & (view == 0)
        view[free] = labels[free] + views.before[tile.number]
    return drawn
