"""Polygons as masks, and as users give them: a pixel is in a polygon if its centre is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption

__all__ = ["Polygons", "polygons_in"]

Floats = NDArray[np.float64]

SUFFIXES = (".geojson", ".json")


@dataclass(frozen=True, kw_only=True, eq=False)
class Polygons:
    """Polygons over the plane of y and x, in pixels: the first pixel lies between (0, 0) and (1, 1).

    edges: for each polygon (n, 4) y, x, y, x of the edges of its outline and of its holes.

    >>> square = polygons_in([[(0, 0), (0, 2), (2, 2), (2, 0)]], "the region")
    >>> square.mask(slice(0, 3), slice(1, 4)).astype(int)
    array([[1, 0, 0],
           [1, 0, 0],
           [0, 0, 0]])
    """

    edges: tuple[Floats, ...]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The least y and x, and the greatest."""
        ends = np.concatenate(self.edges).reshape(-1, 2)
        return (*ends.min(axis=0).tolist(), *ends.max(axis=0).tolist())

    def scaled(self, down: float, across: float) -> Polygons:
        """The same polygons over pixels that are so many times as long along y and along x."""
        return Polygons(edges=tuple(each / [down, across, down, across] for each in self.edges))

    def mask(self, rows: slice, columns: slice) -> NDArray[np.bool_]:
        """Which pixels of a part of the plane have their centre in a polygon; on a border, in the one right of it."""
        mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.bool_)
        origin = np.array([rows.start, columns.start] * 2) + 0.5
        for edges in self.edges:
            y, x = edges[:, 0::2], edges[:, 1::2]
            if y.min() <= rows.stop and y.max() >= rows.start and x.min() <= columns.stop and x.max() >= columns.start:
                mask |= _odd(edges - origin, mask.shape)
        return mask


def _odd(edges: Floats, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which whole-numbered points have an odd number of edges on their left."""
    upward = edges[:, 0] > edges[:, 2]
    edges = np.where(upward[:, None], edges[:, [2, 3, 0, 1]], edges)  # both ways an edge is met at the same place
    first, stop = (np.clip(np.ceil(edges[:, i]), 0, shape[0]).astype(np.int64) for i in (0, 2))
    counts = stop - first
    edge = np.repeat(np.arange(len(edges)), counts)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts - first, counts)
    y, x, last_y, last_x = edges[edge].T
    column = np.clip(np.ceil(x + (row - y) * (last_x - x) / (last_y - y)), 0, shape[1]).astype(np.int64)
    met, times = np.unique(row * (shape[1] + 1) + column, return_counts=True)
    turns = np.zeros((shape[0], shape[1] + 1), np.uint8)
    turns.ravel()[met[times % 2 == 1]] = 1
    odd: NDArray[np.uint8] = np.bitwise_xor.accumulate(turns, axis=1)[:, :-1]
    return odd.view(np.bool_)


def polygons_in(value: Any, what: str) -> Polygons | None:
    """The polygons that a user gives; None if the value is something else.

    value: the path of a `.geojson` file, GeoJSON as a mapping (or a list of features), or what has a
        `__geo_interface__` (shapely's geometries), whose coordinates are x, y; or a list of polygons of y, x. Of a
        stack's polygons the plane is ignored.

    InvalidOption for what is not GeoJSON, for geometries that have no area, and for coordinates that are not numbers.
    """
    if isinstance(value, str | Path) and str(value).lower().endswith(SUFFIXES):
        if "://" in str(value):
            raise InvalidOption(f"{what} {value} is a URL, but polygons are read from local files; copy the file here")
        value = _loaded(Path(value), what)
    value = getattr(value, "__geo_interface__", value)
    if isinstance(value, Mapping):
        rings = list(_geometries(value, what))
    elif isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
        rings = [ring for each in value for ring in _geometries(each, what)]
    elif isinstance(value, list | tuple):
        rings = _plain(value, what)
    else:
        return None
    if not rings:
        raise InvalidOption(f"{what} has no polygon; give at least one")
    return Polygons(edges=tuple(np.concatenate([_edges(ring, what) for ring in each]) for each in rings))


def _loaded(path: Path, what: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidOption(f"{what} {path} cannot be read: {error.strerror}; check the path") from error
    except ValueError as error:
        raise InvalidOption(f"{what} {path} is not GeoJSON: {error}; correct it") from error


def _geometries(value: Any, what: str) -> Iterator[Sequence[Any]]:
    """The polygons of a GeoJSON object, each as its outline and its holes. A feature without a geometry has none."""
    kind = value.get("type") if isinstance(value, Mapping) else type(value).__name__
    try:
        if kind in ("FeatureCollection", "GeometryCollection"):
            for each in value["features" if kind == "FeatureCollection" else "geometries"]:
                yield from _geometries(each, what)
        elif kind == "Feature":
            if value["geometry"] is not None:
                yield from _geometries(value["geometry"], what)
        elif kind in ("Polygon", "MultiPolygon"):
            yield from [value["coordinates"]] if kind == "Polygon" else value["coordinates"]
        else:
            raise InvalidOption(f"{what} has a {kind}, which has no area; give Polygon and MultiPolygon alone")
    except KeyError as error:
        raise InvalidOption(f"{what} is not GeoJSON: a {kind} has no {error.args[0]!r}; correct it") from error


def _plain(value: Sequence[Any], what: str) -> list[Sequence[Any]]:
    """Polygons that are lists of y, x; one alone may stand for a list of one."""
    try:
        single = len(value) > 0 and np.ndim(value[0]) == 1
        return [[[(x, y) for y, x in each]] for each in ([value] if single else value)]
    except (TypeError, ValueError) as error:
        raise InvalidOption(f"{what} has a polygon whose corners are not pairs of y and x ({error})") from error


def _edges(ring: Any, what: str) -> Floats:
    """The edges of a closed line of corners x, y."""
    try:
        corners = np.array([(x, y) for x, y, *_ in ring], np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidOption(f"{what} has a polygon whose corners are not pairs of numbers ({error})") from error
    if len(corners) < 3 or not np.isfinite(corners).all():
        raise InvalidOption(f"{what} has a polygon of the corners {corners.tolist()}; give at least 3 finite ones")
    return np.hstack([corners[:, ::-1], np.roll(corners[:, ::-1], -1, axis=0)])
