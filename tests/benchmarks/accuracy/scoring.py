"""What tiling did to the objects: scores over all of them, and over those that cross a seam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Image
from tilewright.metrics.comparison import compared
from tilewright.metrics.contingency import Contingency

__all__ = ["scores"]

Labels = NDArray[Any]


def scores(truth: Labels, untiled: Labels, found: Labels, seams: Iterable[int]) -> dict[str, float]:
    """Counts and figures of one result. `seams` are the places along any axis at which a tile's core begins.

    AP and the faults are against the truth; `AP=0.9` and `doubled=` against the result without tiles.
    """
    table, same = _table(truth, found), _table(untiled, found)
    against_truth, against_untiled = compared(table), compared(same)
    rows = np.array([place for seam in seams for place in (seam - 1, seam)], int)
    figures = {"objects": float(against_truth.n_predicted)}
    figures |= {f"AP {score.threshold}": score.ap for score in against_truth.scores}
    figures |= {f"AP= {score.threshold}": score.ap for score in against_untiled.scores}
    figures |= {f"F1 {t}": _f1(table, t) for t in (0.5, 0.75)}
    figures |= {f"seam F1 {t}": _f1(table, t, _on(truth, rows), _on(found, rows)) for t in (0.5, 0.75)}
    figures |= {name: float(len(getattr(against_truth, name))) for name in ("fused", "split", "lost", "doubled")}
    return figures | {f"{name}=": float(len(getattr(against_untiled, name))) for name in ("lost", "doubled")}


def _table(one: Labels, other: Labels) -> Contingency:
    axes = "zyx"[-one.ndim :]
    return Contingency.of(Image(data=one, axes=axes), Image(data=other, axes=axes))


def _on(labels: Labels, rows: NDArray[np.int64]) -> NDArray[Any]:
    """The ids of objects that have pixels on those rows or columns, or planes."""
    ids = np.unique(np.concatenate([labels.take(rows, axis).ravel() for axis in range(labels.ndim)]))
    return ids[ids > 0]


def _f1(
    table: Contingency, threshold: float, ids: NDArray[Any] | None = None, others: NDArray[Any] | None = None
) -> float:
    """F1 over the objects of those ids. One that crosses a seam in the truth counts as found wherever it was."""
    pairs = table.pairs[table.iou() > threshold]
    wanted = np.ones(len(table.reference), bool) if ids is None else np.isin(table.reference, ids)
    offered = np.ones(len(table.predicted), bool) if others is None else np.isin(table.predicted, others)
    hit, right = np.zeros(len(wanted), bool), np.zeros(len(offered), bool)
    hit[pairs[:, 0]], right[pairs[:, 1]] = True, True
    true = (hit & wanted).sum()
    return float(2 * true / (2 * true + (wanted & ~hit).sum() + (offered & ~right).sum()))
