"""The writer `geojson`: each object as a polygon, for QuPath and for programs that read features."""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import zarr
from numpy.typing import NDArray

from tilewright import open_image
from tilewright.abc import LabelSpec, StagedSink
from tilewright.errors import InvalidOption

from .assembly import Block, objects
from .features import Features

__all__ = ["GeoJsonObjects", "GeoJsonSink"]

Labels: TypeAlias = zarr.Array[Any]

BLOCK = 1024  # pixels along y and x that are traced at a time
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
        target = Path(path).absolute()
        if target.is_dir():
            raise InvalidOption(f"{path!r} is a folder, but GeoJSON is one file; give the path of a file")
        if spec.axes not in ("yx", "zyx", "tyx", "tzyx"):
            raise InvalidOption(
                f"GeoJSON cannot hold labels with axes {spec.axes!r}, only t z y x; write another format"
            )
        return GeoJsonSink(path=target, spec=spec, labels=_staged(spec))

    def destination(self, image: str, name: str) -> str:
        """Where objects of that name go that belong to the image at that path: beside it."""
        stem = image.rstrip("/").removesuffix(Path(image).suffix)
        return f"{re.sub(r'[.](ome|companion)$', '', stem, flags=re.IGNORECASE)}.{name}.geojson"


@dataclass(frozen=True, kw_only=True)
class GeoJsonSink(StagedSink):
    """Labels on their way to polygons: an array that is traced block by block at the end."""

    def finish(self, provenance: Mapping[str, Any]) -> None:
        """Write the objects to a file aside, and replace the path with it at once; see `assembly` for the memory."""
        aside = self.spec.workdir / "objects.geojson"
        with aside.open("w", encoding="utf-8") as file:
            record = json.dumps(dict(provenance), ensure_ascii=False)
            file.write(f'{{"type":"FeatureCollection","tilewright":{record},"features":[')
            before = "\n"
            for feature in self._features(provenance):
                file.write(before + feature)
                before = ",\n"
            file.write("\n]}\n")
        aside.replace(self.path)

    def _features(self, provenance: Mapping[str, Any]) -> Iterator[str]:
        spec = self.spec
        scale, pixel = _scale(spec, provenance), _square_micrometers(spec)
        for leading in itertools.product(*map(range, spec.shape[:-2])):
            features = Features(scale=scale, pixel=pixel, plane=dict(zip(spec.axes, leading, strict=False)))
            for number, rings in objects(_blocks(self.labels, leading), spec.shape[-1]):
                yield features.text(number, rings)


def _staged(spec: LabelSpec) -> Labels:
    """The array in the run's folder whose chunks are blocks of planes: new, or as an earlier try left it."""
    chunks = (1,) * (len(spec.shape) - 2) + tuple(max(1, min(BLOCK, n)) for n in spec.shape[-2:])
    folder = spec.workdir / "labels.zarr"
    return zarr.open_array(folder, mode="a", shape=spec.shape, dtype=spec.dtype, chunks=chunks, fill_value=0)


def _blocks(labels: Labels, leading: tuple[int, ...]) -> Iterator[Block]:
    height, width = labels.shape[-2:]
    for y in range(0, height, BLOCK):
        for x in range(0, width, BLOCK):
            region = (*leading, slice(y, y + BLOCK), slice(x, x + BLOCK))
            yield Block(y=y, x=x, read=functools.partial(_read, labels, region))


def _read(labels: Labels, region: Any) -> NDArray[Any]:
    return np.asarray(labels[region])


def _square_micrometers(spec: LabelSpec) -> float | None:
    """The area of a pixel of the labels; None if its size or the unit is not known."""
    sizes = [spec.spacing.get(axis, 0) * MICROMETERS.get(spec.units.get(axis, ""), 0) for axis in "yx"]
    return math.prod(sizes) or None


def _scale(spec: LabelSpec, provenance: Mapping[str, Any]) -> tuple[float, float]:
    """How many pixels of the finest level one of the labels is long, along x and y.

    The run's own reader knows: it is asked for the finest level if it was given another.
    """
    record = provenance.get("pipeline", {}).get("reader")
    if not record or not record.get("configuration", {}).get("level"):
        return 1, 1
    finest = open_image(
        spec.source or spec.image, reader={**record, "configuration": {**record["configuration"], "level": 0}}
    )
    down, across = (_ratio(finest.size(axis), n) for axis, n in zip("yx", spec.shape[-2:], strict=True))
    return across, down


def _ratio(fine: int, coarse: int) -> float:
    """How many fine pixels a coarse one is long: a whole number where rounding explains the lengths."""
    factor = max(1, round(fine / coarse))
    return factor if coarse in (fine // factor, -(-fine // factor)) else fine / coarse
