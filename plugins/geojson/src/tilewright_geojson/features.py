"""GeoJSON text of objects, as QuPath reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .outlines import Ring
from .polygons import Polygon, area, polygons

__all__ = ["Features", "feature"]


@dataclass(frozen=True, kw_only=True)
class Features:
    """How objects become features.

    scale: pixels of the image's finest level that a pixel of the labels is long, along x and y.
    pixel: the area of a pixel of the labels in square micrometres; None if it is not known.
    plane: the z and t of a stack's plane, which QuPath takes from the geometry.
    """

    scale: tuple[float, float] = (1, 1)
    pixel: float | None = None
    plane: Mapping[str, int] = field(default_factory=dict)

    def text(self, number: int, rings: Sequence[Ring]) -> str:
        """A feature in one line. Its id is the object's, in a stack with the plane, since no two features share one."""
        shapes = polygons(rings)
        pixels = sum(area(each.outer) + sum(map(area, each.holes)) for each in shapes)
        size = _plain(pixels * self.scale[0] * self.scale[1])
        measured = {"Area px^2": size, **({"Area µm^2": pixels * self.pixel} if self.pixel else {})}
        properties = {"objectType": "detection", "name": str(number), "area": size, "measurements": measured}
        return feature(self.name(number) if self.plane else number, {"geometry": self._geometry(shapes)}, properties)

    def name(self, number: int) -> str:
        """An object's label, in a stack with the plane."""
        return str(number) + "".join(f"-{axis}{index}" for axis, index in self.plane.items())

    def geometry(self, rings: Sequence[Ring]) -> str:
        """The geometry of an object."""
        return self._geometry(polygons(rings))

    def _geometry(self, shapes: Sequence[Polygon]) -> str:
        parts = [f"[{','.join(map(self._ring, (each.outer, *each.holes)))}]" for each in shapes]
        many = len(parts) > 1
        coordinates = f"[{','.join(parts)}]" if many else parts[0]
        plane = f',"plane":{json.dumps({"c": -1, "z": 0, "t": 0, **self.plane})}' if self.plane else ""
        return f'{{"type":"{"MultiPolygon" if many else "Polygon"}","coordinates":{coordinates}{plane}}}'

    def _ring(self, ring: Ring) -> str:
        across, down = self.scale
        closed = [*ring, ring[0]]
        if across == down == 1:
            return f"[{','.join([f'[{x},{y}]' for x, y in closed])}]"
        return f"[{','.join([f'[{_plain(x * across)},{_plain(y * down)}]' for x, y in closed])}]"


def feature(identifier: int | str, geometries: Mapping[str, str], properties: Mapping[str, Any]) -> str:
    """A feature in one line; geometries: texts by the name of the member."""
    shapes = ",".join(f'"{name}":{geometry}' for name, geometry in geometries.items())
    described = json.dumps(properties, ensure_ascii=False, separators=(",", ":"))
    return f'{{"type":"Feature","id":{json.dumps(identifier)},{shapes},"properties":{described}}}'


def _plain(value: float) -> Any:
    """A whole number without its point."""
    return int(value) if value == int(value) else value
