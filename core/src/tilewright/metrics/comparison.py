"""The agreement of two label images of any size, object by object."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..components.options import checked_arguments
from ..errors import InvalidOption
from ..image import AXES, Image
from ..io.formats import open_image
from .contingency import Contingency

__all__ = ["Comparison", "Score", "compare", "compared", "score"]

Ids = NDArray[np.uint64]

THRESHOLDS = (0.5, 0.7, 0.9)
HELD = 0.5  # of an object, from which another object holds it, or it lies in the other one
PART = 0.15  # of an object: a piece so large counts as a part of it
FOUND = 0.25  # of an object: with less in any one prediction it is lost


@dataclass(frozen=True, kw_only=True)
class Score:
    """The agreement at one threshold of IoU (intersection over union).

    As many objects as possible are matched one to one with an IoU of at least the threshold. From 0.5 on there is only
    one way to match them (except for ties at 0.5 itself); below it the largest matching is taken, as
    `stardist.matching` does. For two images without objects every figure is 1.
    """

    threshold: float
    matched: int
    missed: int
    extra: int

    @property
    def precision(self) -> float:
        """The share of predicted objects that are matched."""
        return _share(self.matched, self.matched + self.extra)

    @property
    def recall(self) -> float:
        """The share of reference objects that are matched."""
        return _share(self.matched, self.matched + self.missed)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return _share(2 * self.matched, 2 * self.matched + self.missed + self.extra)

    @property
    def ap(self) -> float:
        """Average precision as StarDist and Cellpose report it: matched / (matched + missed + extra)."""
        return _share(self.matched, self.matched + self.missed + self.extra)

    def plain(self) -> dict[str, float]:
        """The counts and figures as values that JSON can hold."""
        names = ("threshold", "matched", "missed", "extra", "ap", "precision", "recall", "f1")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Two label images side by side.

    n_reference, n_predicted: the number of objects in each. scores: one for each threshold, in their order.
    fused: ids of predicted objects that hold half or more of each of several reference objects.
    split: ids of reference objects of which several predicted ones, which lie in it by half or more, hold 15 % or more
        each.
    lost: ids of reference objects of which no predicted one holds a quarter.
    doubled: ids of predicted objects that lie by half or more in a reference object of which another one holds more:
        second drawings, smaller halves, slivers beside a seam. Of two equal halves neither is doubled: the reference
        object is split.
    """

    n_reference: int
    n_predicted: int
    scores: tuple[Score, ...]
    fused: Ids
    split: Ids
    lost: Ids
    doubled: Ids

    def __getitem__(self, threshold: float) -> Score:
        """The score at one of the thresholds; KeyError for any other number."""
        found = [score for score in self.scores if score.threshold == threshold]
        if not found:
            raise KeyError(f"no score at {threshold}; there are {', '.join(str(s.threshold) for s in self.scores)}")
        return found[0]

    def plain(self) -> dict[str, Any]:
        """The counts and scores as values that JSON can hold."""
        return {
            "n_reference": self.n_reference,
            "n_predicted": self.n_predicted,
            "scores": [score.plain() for score in self.scores],
            **{name: len(getattr(self, name)) for name in ("fused", "split", "lost", "doubled")},
        }


@checked_arguments
def compare(
    reference: Any,
    predicted: Any,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    block: Sequence[int] | None = None,
) -> Comparison:
    """Match the objects of two label images of the same extent.

    reference, predicted: paths that a reader reads, `Image`s, or arrays (numpy, dask, zarr) of whole numbers, which may
        be stored as floats; 0 is background. Equal ids are one object, wherever they lie.
    thresholds: of IoU, above 0 and up to 1.
    block: pixels along each axis that are read at a time; whole storage chunks if None. The result does not depend on
        it. Memory grows with the number of objects, not of pixels.

    InvalidImage for images of different extent, InvalidLabels with the place of a pixel that is negative, fractional
    or not finite, InvalidOption for a threshold that there cannot be.

    >>> one, two = np.array([[1, 1, 0, 2, 2]]), np.array([[7, 7, 7, 7, 0]])
    >>> found = compare(one, two, thresholds=(0.5,))
    >>> found[0.5].matched, found[0.5].ap, found.fused.tolist(), found.lost.tolist()
    (1, 0.5, [7], [])
    """
    for threshold in thresholds:
        if not 0 < threshold <= 1:
            raise InvalidOption(f"thresholds must be numbers above 0 and up to 1, not {threshold!r}")
    return compared(Contingency.of(*_opened(reference, predicted), block=block), thresholds)


def compared(table: Contingency, thresholds: Sequence[float] = THRESHOLDS) -> Comparison:
    """The comparison that a contingency table gives."""
    return Comparison(
        n_reference=len(table.reference),
        n_predicted=len(table.predicted),
        scores=tuple(score(table, threshold) for threshold in thresholds),
        fused=table.predicted[_fused(table)],
        split=table.reference[_split(table)],
        lost=table.reference[_lost(table)],
        doubled=table.predicted[_doubled(table)],
    )


def score(table: Contingency, threshold: float) -> Score:
    """The largest one-to-one matching of pairs with that IoU or more."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    pairs = table.pairs[table.iou() >= threshold]
    shape = len(table.reference), len(table.predicted)
    ends = pairs[:, :2].astype(np.int32).T  # scipy's graphs are of these; older ones do not turn others into them
    graph = csr_array((np.ones(len(pairs), np.bool_), tuple(ends)), shape)
    matched = int((maximum_bipartite_matching(graph, perm_type="column") >= 0).sum())
    return Score(threshold=threshold, matched=matched, missed=shape[0] - matched, extra=shape[1] - matched)


def _fused(table: Contingency) -> NDArray[np.bool_]:
    holds = table.shared >= HELD * table.of_reference
    return np.bincount(table.pairs[holds, 1], minlength=len(table.predicted)) > 1


def _split(table: Contingency) -> NDArray[np.bool_]:
    part = (table.shared >= PART * table.of_reference) & (table.shared >= HELD * table.of_predicted)
    return np.bincount(table.pairs[part, 0], minlength=len(table.reference)) > 1


def _lost(table: Contingency) -> NDArray[np.bool_]:
    found = np.zeros(len(table.reference), np.bool_)
    found[table.pairs[table.shared >= FOUND * table.of_reference, 0]] = True
    return ~found


def _doubled(table: Contingency) -> NDArray[np.bool_]:
    most = np.zeros(len(table.reference), np.int64)
    np.maximum.at(most, table.pairs[:, 0], table.shared)
    second = (table.shared >= HELD * table.of_predicted) & (table.shared < most[table.pairs[:, 0]])
    doubled = np.zeros(len(table.predicted), np.bool_)
    doubled[table.pairs[second, 1]] = True
    return doubled


def _opened(reference: Any, predicted: Any) -> tuple[Image, Image]:
    """Both as images. An array gets the axes of the other one if they are as many, else the last ones of `tczyx`."""
    given = [
        open_image(os.fspath(said)) if isinstance(said, str | os.PathLike) else said for said in (reference, predicted)
    ]
    known = [said.axes for said in given if isinstance(said, Image)]
    opened = []
    for name, said in zip(("reference", "predicted"), given, strict=True):
        if isinstance(said, Image):
            opened.append(said)
            continue
        if not all(hasattr(said, what) for what in ("shape", "dtype", "__getitem__")):
            raise InvalidOption(f"{type(said).__name__} is not a label image; give a path, an Image, or an array")
        count = len(said.shape)
        axes = next((axes for axes in known if len(axes) == count), AXES[-count:])
        opened.append(Image(data=said, axes=axes, name=name))
    return opened[0], opened[1]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
