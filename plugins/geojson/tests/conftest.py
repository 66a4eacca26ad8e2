"""Features out of a file, and back to labels."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rings = list[list[list[float]]]


def collection_of(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded


def polygons_of(feature: dict[str, Any]) -> list[Rings]:
    """The polygons of a feature, each a list of rings."""
    geometry = feature["geometry"]
    polygons: list[Rings] = geometry["coordinates"]
    return polygons if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]


def rasterised(features: list[dict[str, Any]], shape: tuple[int, ...]) -> NDArray[np.uint64]:
    """Polygons back to labels, by a scan of its own: a pixel is inside where its centre is (the even-odd rule).

    AssertionError where two features, or two polygons of one, cover the same pixel.
    """
    labels = np.zeros(shape, np.uint64)
    for feature in features:
        for rings in polygons_of(feature):
            _draw(labels, rings, int(feature["properties"]["name"]))
    return labels


def _draw(labels: NDArray[np.uint64], rings: Rings, number: int) -> None:
    flips: dict[int, list[float]] = {}
    for ring in rings:
        assert ring[0] == ring[-1]
        for (x0, y0), (x1, y1) in itertools.pairwise(ring):
            assert (x0 == x1) != (y0 == y1)
            for row in range(int(min(y0, y1)), int(max(y0, y1))):
                flips.setdefault(row, []).append(x0)
    for row, columns in flips.items():
        crossings = sorted(columns)
        for left, right in zip(crossings[::2], crossings[1::2], strict=True):
            span = labels[row, int(left) : int(right)]
            assert not span.any()
            span[:] = number
