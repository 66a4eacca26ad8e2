"""The writer `geojson`: each object as a polygon, for QuPath and for programs that read features."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import zarr

from tilewright.abc import Array, LabelSpec, StagedSink
from tilewright.errors import InvalidOption

from . import planes
from .assembly import objects
from .collection import file_at, members_of, write_collection
from .features import Features

__all__ = ["GeoJsonObjects", "GeoJsonSink"]

Labels: TypeAlias = zarr.Array[Any]

# Micrometres, by the names and symbols that images give for a unit of length.
MICROMETERS = {
    **{"micrometer": 1.0, "micron": 1.0, "µm": 1.0, "μm": 1.0, "um": 1.0},  # micro sign, Greek mu
    **{"picometer": 1e-6, "pm": 1e-6, "nanometer": 1e-3, "nm": 1e-3, "angstrom": 1e-4, "Å": 1e-4},
    **{"millimeter": 1e3, "mm": 1e3, "centimeter": 1e4, "cm": 1e4, "meter": 1e6, "m": 1e6, "inch": 25_400.0},
}


@dataclass(frozen=True, kw_only=True)
class GeoJsonObjects:
    """Write objects as the features of a GeoJSON FeatureCollection, exactly along the sides of their pixels.

    Coordinates are pixels of the image's finest level, whatever level was segmented: (0, 0) is the outer corner of its
    first pixel. Holes are kept. An object of several parts is a MultiPolygon; an object of a stack is a feature in each
    plane that it reaches into, with an id such as `4-t1-z2`. The name of a feature is the object's label. What ran is
    kept as the member `tilewright`. InvalidOption for labels without planes, and for a path that is a folder.
    """

    def __call__(self, path: str, spec: LabelSpec) -> GeoJsonSink:
        target = file_at(path)
        if spec.axes not in ("yx", "zyx", "tyx", "tzyx"):
            raise InvalidOption(
                f"GeoJSON cannot hold labels with axes {spec.axes!r}, only t z y x; write another format"
            )
        return GeoJsonSink(path=target, spec=spec, labels=_staged(spec))

    def destination(self, image: str, name: str) -> str:
        """Where objects of that name go that belong to the image at that path: beside it."""
        stem = image.rstrip("/").removesuffix(Path(image).suffix)
        return f"{re.sub(r'[.](ome|companion)$', '', stem, flags=re.IGNORECASE)}.{name}.geojson"

    def provenance(self, path: str) -> Mapping[str, Any] | None:
        """The member `tilewright` of the file at the path."""
        return members_of(Path(path)).get("tilewright")


@dataclass(frozen=True, kw_only=True)
class GeoJsonSink(StagedSink):
    """Labels on their way to polygons: an array that is traced block by block at the end."""

    def finish(self, provenance: Mapping[str, Any]) -> None:
        """Write the objects to a file aside, and replace the path with it at once; see `assembly` for the memory."""
        write_collection(self.path, self.spec.workdir, {"tilewright": dict(provenance)}, self._features(provenance))

    def _features(self, provenance: Mapping[str, Any]) -> Iterator[str]:
        spec = self.spec
        scale = planes.scale_of(spec.shape, spec.source or spec.image, provenance)
        pixel = _square_micrometers(spec)
        for leading in itertools.product(*map(range, spec.shape[:-2])):
            features = Features(scale=scale, pixel=pixel, plane=dict(zip(spec.axes, leading, strict=False)))
            for number, rings in objects(planes.blocks(cast("Array", self.labels), leading), spec.shape[-1]):
                yield features.text(number, rings)


def _staged(spec: LabelSpec) -> Labels:
    """The array in the run's folder whose chunks are blocks of planes: new, or as an earlier try left it."""
    chunks = (1,) * (len(spec.shape) - 2) + tuple(max(1, min(planes.BLOCK, n)) for n in spec.shape[-2:])
    folder = spec.workdir / "labels.zarr"
    return zarr.open_array(folder, mode="a", shape=spec.shape, dtype=spec.dtype, chunks=chunks, fill_value=0)


def _square_micrometers(spec: LabelSpec) -> float | None:
    """The area of a pixel of the labels; None if its size or the unit is not known."""
    sizes = [spec.spacing.get(axis, 0) * MICROMETERS.get(spec.units.get(axis, ""), 0) for axis in "yx"]
    return math.prod(sizes) or None
