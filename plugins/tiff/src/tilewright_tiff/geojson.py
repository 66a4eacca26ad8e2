"""The writer `geojson`: each object as a polygon, for QuPath and for programs that read features."""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.abc.writer import LabelSpec
from tilewright.components.resolve import component
from tilewright.image import Image

from .assembly import Block, objects
from .export import place
from .features import Features
from .paths import beside_image, check_file
from .reader import ratios
from .spacing import in_units
from .staging import Chunked, FileSink, open_staging

__all__ = ["GeoJsonObjects", "GeoJsonSink"]

BLOCK = 1024  # pixels along y and x that are traced at a time


@dataclass(frozen=True, kw_only=True)
class GeoJsonObjects:
    """Write objects as the features of a GeoJSON FeatureCollection, exactly along the sides of their pixels.

    Coordinates are pixels of the image's finest level, whatever level was segmented: (0, 0) is the outer corner of its
    first pixel. Holes are kept. An object of several parts is a MultiPolygon; one of a stack is a feature in each plane
    that it reaches into, with the same id. What ran is kept as the member `tilewright`. InvalidOption for labels
    without planes.
    """

    def __call__(self, path: str, spec: LabelSpec) -> GeoJsonSink:
        return GeoJsonSink(path=check_file(path), spec=spec, staging=open_staging(spec, BLOCK, "GeoJSON"))

    def destination(self, image: str, name: str) -> str:
        """Where objects of that name go that belong to the image at that path: beside it."""
        return beside_image(image, name, ".geojson")


@dataclass(frozen=True, kw_only=True)
class GeoJsonSink(FileSink):
    """Labels under way to polygons: filled as an array, traced block by block at the end."""

    def finish(self, provenance: Mapping[str, Any]) -> None:
        """Write the objects to a file aside, and put it into its place at once; see `assembly` for what it takes."""
        aside = self.spec.workdir / "objects.geojson"
        with aside.open("w", encoding="utf-8") as file:
            record = json.dumps(dict(provenance), ensure_ascii=False)
            file.write(f'{{"type":"FeatureCollection","tilewright":{record},"features":[')
            before = "\n"
            for feature in self._features(provenance):
                file.write(before + feature)
                before = ",\n"
            file.write("\n]}\n")
        place(aside, self.path)

    def _features(self, provenance: Mapping[str, Any]) -> Iterator[str]:
        spec, labels = self.spec, self.staging.labels
        scale = _scale(spec, provenance)
        sizes = in_units(spec.spacing, spec.units)
        pixel = sizes["x"] * sizes["y"] / math.prod(scale) if {"x", "y"} <= sizes.keys() else None
        for leading in itertools.product(*map(range, spec.shape[:-2])):
            features = Features(scale=scale, pixel=pixel, plane=dict(zip(spec.axes, leading, strict=False)))
            for number, rings in objects(_blocks(labels, leading), spec.shape[-1]):
                yield features.text(number, rings)


def _blocks(labels: Chunked, leading: tuple[int, ...]) -> Iterator[Block]:
    height, width = labels.shape[-2:]
    for y in range(0, height, BLOCK):
        for x in range(0, width, BLOCK):
            region = (*leading, slice(y, y + BLOCK), slice(x, x + BLOCK))
            yield Block(y=y, x=x, read=functools.partial(_read, labels, region))


def _read(labels: Chunked, region: Any) -> NDArray[Any]:
    return np.asarray(labels[region])


def _scale(spec: LabelSpec, provenance: Mapping[str, Any]) -> tuple[float, float]:
    """How many pixels of the finest level one of the labels is long, along x and y.

    The run's own reader knows: it is asked for the finest level if it was given another.
    """
    said = provenance.get("pipeline", {}).get("reader")
    if not said or not said.get("configuration", {}).get("level"):
        return 1, 1
    configured = {**said, "configuration": {**said["configuration"], "level": 0}}
    finest: Image = component("reader", configured)(spec.image)
    shape = [finest.size(axis) for axis in spec.axes]
    down, across = ratios(shape[-2:], spec.shape[-2:])
    return across, down
