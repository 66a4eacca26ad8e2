"""What is derived of the merged quantities of objects: one property of this class for each of a table's properties."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Facts, Rows

from . import moments, patterns, polygons, solids
from .moments import Exponents
from .runs import Ints

__all__ = ["PROPERTIES", "Property", "Shapes", "unit_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Property:
    """A property of scikit-image's name.

    group: which choice of several it belongs to; "" if it is chosen by its own name alone.
    needs: the quantities. shape: of its value by the number of axes. axes: the numbers of axes that it is defined for.
    length: the power of the unit of length; "d" stands for the number of axes.
    spacing: what the spacing must be: "any", "equal" along all axes, or 1 ("one").
    """

    group: str = ""
    needs: tuple[str, ...] = ()
    shape: Callable[[int], tuple[int, ...]] = field(default=lambda _: ())
    dtype: str = "float64"
    length: int | str = 0
    axes: tuple[int, ...] = (1, 2, 3)
    spacing: str = "any"

    def defined(self, facts: Facts) -> bool:
        """Whether there is such a property of such labels."""
        spacing = facts.spacing
        fitting = {"any": True, "equal": len(set(spacing)) == 1, "one": all(each == 1 for each in spacing)}
        return len(facts.axes) in self.axes and fitting[self.spacing]

    def unit(self, facts: Facts) -> str:
        """The unit of its values: "" for pixels and plain numbers."""
        return unit_of(facts, len(facts.axes) if self.length == "d" else int(self.length))


def unit_of(facts: Facts, power: int) -> str:
    """A power of the unit of length; "" if the axes have none, or several."""
    unit = facts.units[0] if len(set(facts.units)) == 1 else ""
    if not (unit and power):
        return ""
    return unit if power == 1 else f"{unit}^{power}"


def _vector(d: int) -> tuple[int, ...]:
    return (d,)


def _square(d: int) -> tuple[int, ...]:
    return (d, d)


def _powers(d: int) -> tuple[int, ...]:
    return (1 + moments.ORDER,) * d


PROPERTIES: Mapping[str, Property] = {
    "num_pixels": Property(group="basic", dtype="int64"),
    "area": Property(group="basic", length="d"),
    "bbox": Property(group="basic", needs=("stop",), shape=lambda d: (2 * d,), dtype="int64"),
    "centroid": Property(group="basic", needs=("first",), shape=_vector, length=1),
    "equivalent_diameter_area": Property(group="basic", length=1),
    "extent": Property(group="basic", needs=("stop",)),
    "touches_border": Property(group="basic", needs=("stop",), dtype="bool"),
    "axis_major_length": Property(group="ellipse", needs=("second",), length=1, axes=(2, 3)),
    "axis_minor_length": Property(group="ellipse", needs=("second",), length=1, axes=(2, 3)),
    "eccentricity": Property(group="ellipse", needs=("second",), axes=(2,)),
    "orientation": Property(group="ellipse", needs=("second",), axes=(2,)),
    "perimeter": Property(group="boundary", needs=("borders",), length=1, axes=(2,), spacing="equal"),
    "perimeter_crofton": Property(group="boundary", needs=("windows",), length=1, axes=(2,), spacing="equal"),
    "surface_area": Property(group="boundary", needs=("windows",), length=2, axes=(3,)),
    "euler_number": Property(group="boundary", needs=("windows",), dtype="int64", axes=(2, 3)),
    "holes": Property(group="boundary", needs=("windows",), dtype="int64", axes=(2,)),
    "area_convex": Property(group="hull", needs=("hull",), length="d", axes=(2, 3)),
    "solidity": Property(group="hull", needs=("hull",), axes=(2, 3)),
    "feret_diameter_max": Property(group="hull", needs=("hull",), length=1, axes=(2, 3)),
    "feret_diameter_min": Property(group="hull", needs=("hull",), length=1, axes=(2,)),
    "moments": Property(group="moments", needs=("all",), shape=_powers),
    "moments_central": Property(group="moments", needs=("all",), shape=_powers),
    "moments_normalized": Property(group="moments", needs=("all",), shape=_powers),
    "moments_hu": Property(group="moments", needs=("third",), shape=lambda _: (7,), axes=(2,), spacing="one"),
    "inertia_tensor": Property(group="moments", needs=("second",), shape=_square, length=2, axes=(2, 3)),
    "inertia_tensor_eigvals": Property(group="moments", needs=("second",), shape=_vector, length=2, axes=(2, 3)),
    "centroid_local": Property(needs=("first",), shape=_vector, length=1),
    "area_bbox": Property(needs=("stop",), length="d"),
}
"""In the order of the table's columns."""


class Shapes:
    """The properties of objects, each made when it is first asked for, as an array (n, *shape).

    merged: the quantities that the properties need, of all parts. exponents: of the sums of powers.
    """

    def __init__(self, merged: Mapping[str, Any], facts: Facts, exponents: Exponents) -> None:
        self._merged, self._facts = merged, facts
        self._d = len(facts.axes)
        self._spacing = np.array(facts.spacing)
        self._start = merged["powers"][:, : self._d]
        self._sums = moments.grid(merged["powers"][:, self._d :], exponents)
        self._pixel = float(np.prod(self._spacing))

    @property
    def _count(self) -> Floats:
        return moments.entry(self._sums, (0,) * self._d)

    @property
    def num_pixels(self) -> Ints:
        return self._count.astype(np.int64)

    @property
    def area(self) -> Floats:
        return self._count * self._pixel

    @property
    def bbox(self) -> Ints:
        return np.concatenate([self._start.astype(np.int64), self._stop], axis=1)

    @property
    def _stop(self) -> Ints:
        stop: Ints = self._merged["stop"].reshape(-1, self._d)
        return stop

    @property
    def area_bbox(self) -> Floats:
        area: Floats = np.prod((self._stop - self._start), axis=1) * self._pixel
        return area

    @property
    def extent(self) -> Floats:
        return self.area / self.area_bbox

    @property
    def touches_border(self) -> NDArray[np.bool_]:
        touching: NDArray[np.bool_] = ((self._start == 0) | (self._stop == self._facts.shape)).any(axis=1)
        return touching

    @property
    def equivalent_diameter_area(self) -> Floats:
        return (2 * self._d * self.area / math.pi) ** (1 / self._d)

    @cached_property
    def _centre(self) -> Floats:
        """From the corner of the bounding box, in pixels."""
        return moments.centre(self._sums)

    @property
    def centroid(self) -> Floats:
        place: Floats = (self._start + self._centre) * self._spacing
        return place

    @property
    def centroid_local(self) -> Floats:
        place: Floats = self._centre * self._spacing
        return place

    @property
    def moments(self) -> Floats:
        return moments.scaled(self._sums, self._spacing)

    @cached_property
    def moments_central(self) -> Floats:
        return moments.scaled(moments.central(self._sums, self._centre), self._spacing)

    @property
    def moments_normalized(self) -> Floats:
        return moments.normalized(self.moments_central, self._facts.spacing)

    @property
    def moments_hu(self) -> Floats:
        return moments.hu(self.moments_normalized)

    @cached_property
    def inertia_tensor(self) -> Floats:
        return moments.inertia(self.moments_central)

    @cached_property
    def inertia_tensor_eigvals(self) -> Floats:
        return np.clip(np.linalg.eigvalsh(self.inertia_tensor)[:, ::-1], 0, None)

    @property
    def axis_major_length(self) -> Floats:
        values = self.inertia_tensor_eigvals
        if self._d == 2:
            return 4 * np.sqrt(values[:, 0])
        return np.sqrt(np.maximum(10 * (values[:, 0] + values[:, 1] - values[:, 2]), 0))

    @property
    def axis_minor_length(self) -> Floats:
        values = self.inertia_tensor_eigvals
        if self._d == 2:
            return 4 * np.sqrt(values[:, 1])
        return np.sqrt(np.maximum(10 * (values[:, 1] + values[:, 2] - values[:, 0]), 0))

    @property
    def eccentricity(self) -> Floats:
        large, small = self.inertia_tensor_eigvals.T
        ratio = np.divide(small, large, out=np.ones_like(large), where=large > 0)
        result: Floats = np.sqrt(1 - ratio)
        return result

    @property
    def orientation(self) -> Floats:
        a, b, c = self.inertia_tensor[:, 0, 0], self.inertia_tensor[:, 0, 1], self.inertia_tensor[:, 1, 1]
        even = np.where(b < 0, math.pi / 4, -math.pi / 4)
        return np.where(a == c, even, np.arctan2(0.0 - 2 * b, c - a) / 2)

    @property
    def perimeter(self) -> Floats:
        straight, diagonal = self._merged["borders"].T
        length: Floats = (straight + diagonal * math.sqrt(2)) / 2 * self._spacing[0]
        return length

    @property
    def perimeter_crofton(self) -> Floats:
        axes, diagonals = self._windows(patterns.CROFTON).T
        length: Floats = math.pi / 8 * (axes / 2 + diagonals / math.sqrt(2)) * self._spacing[0]
        return length

    @property
    def surface_area(self) -> Floats:
        return self._windows(patterns.surface_areas(self._facts.spacing))

    @property
    def euler_number(self) -> Ints:
        number: Ints = self._windows(patterns.EULER[self._d]) // 2**self._d
        return number

    @property
    def holes(self) -> Ints:
        return 1 - self.euler_number

    def _windows(self, weights: NDArray[Any]) -> NDArray[Any]:
        """The sum of what the patterns of each object's windows add."""
        rows: Rows = self._merged["windows"]
        code, count = rows.values.T.astype(np.int64)
        n = len(self._count)
        result = np.zeros((n, *weights.shape[1:]), weights.dtype)
        np.add.at(result, rows.of, (count.reshape(-1, *(1,) * (weights.ndim - 1)) * weights[code]))
        return result

    @cached_property
    def _hulls(self) -> tuple[NDArray[Any], Floats, Floats]:
        """The pixels in each hull, the greatest and the least extent."""
        rows: Rows = self._merged["hull"]
        n = len(self._count)
        if self._d == 3:
            volume, longest = solids.volume_and_span(rows, self._facts.spacing, n)
            return volume, longest, np.full(n, np.nan)
        hulls = polygons.widened(polygons.hulls_of_points(rows.of, *rows.values.T))
        of, y, low, high = polygons.rows_of_hulls(hulls)
        pixels = np.bincount(of, high - low + 1, n)
        ends = polygons.hulls_of_points(np.tile(of, 2), np.tile(y, 2), np.concatenate([low, high]))
        return pixels, *polygons.spans(polygons.widened(ends), self._facts.spacing, n)

    @property
    def area_convex(self) -> Floats:
        return self._hulls[0] * self._pixel

    @property
    def solidity(self) -> Floats:
        with np.errstate(divide="ignore"):  # a flat object in three dimensions: infinite, as in scikit-image
            return self.area / self.area_convex

    @property
    def feret_diameter_max(self) -> Floats:
        return self._hulls[1]

    @property
    def feret_diameter_min(self) -> Floats:
        return self._hulls[2]
