"""Streaming finished levels into one OME-TIFF."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from tilewright.abc import LabelSpec

from .omexml import AXES_KEY, NAMESPACE
from .pyramid import Chunked, tiles
from .spacing import in_units

__all__ = ["Export", "annotation"]

CODES = {"deflate": "zlib", "zstd": "zstd", "none": None}
CLASSIC = 2**32 - 2**28  # bytes that offsets of 32 bits reach, less what the tables of tiles take
BUFFER = 2**25  # bytes of tiles that tifffile collects before it encodes them; its default takes 256 MB


@dataclass(frozen=True, kw_only=True, eq=False)
class Export:
    """Levels of labels and how they are stored. The file is BigTIFF if its pixels may not fit into a classic one."""

    levels: Sequence[Chunked]
    dtype: np.dtype[Any]
    tile: int
    compression: str
    spec: LabelSpec

    def write(self, path: Path, provenance: Mapping[str, Any]) -> None:
        """Write all levels from the first tile to the last; a tile at a time is read."""
        size = sum(math.prod(level.shape) for level in self.levels) * self.dtype.itemsize
        with tifffile.TiffWriter(path, bigtiff=size > CLASSIC, ome=True) as tif:
            for number, level in enumerate(self.levels):
                first = {"subifds": len(self.levels) - 1, "metadata": self._metadata(provenance)}
                rest = {"subfiletype": 1, "metadata": None}
                tif.write(
                    self._tiles(level),
                    shape=level.shape,
                    dtype=self.dtype,
                    tile=(self.tile, self.tile),
                    photometric="minisblack",
                    compression=CODES[self.compression],
                    maxworkers=min(8, os.cpu_count() or 1),
                    buffersize=BUFFER,
                    **self._resolution(level),
                    **(rest if number else first),
                )

    def _tiles(self, level: Chunked) -> Iterator[NDArray[Any]]:
        for region in tiles(level):
            block = np.asarray(level[region])
            yield np.ascontiguousarray(block.reshape(block.shape[-2:]), self.dtype)

    def _metadata(self, provenance: Mapping[str, Any]) -> dict[str, Any]:
        """What OME-XML is to say; text is kept as text, anything else as JSON."""
        spec = self.spec
        metadata: dict[str, Any] = {"axes": spec.axes.upper(), "Name": spec.name}
        for axis, size in in_units(spec.spacing, spec.units).items():
            name, unit = ("TimeIncrement", "s") if axis == "t" else (f"PhysicalSize{axis.upper()}", "µm")
            metadata |= {name: size, f"{name}Unit": unit}
        record = {key: value if isinstance(value, str) else json.dumps(value) for key, value in provenance.items()}
        record |= {AXES_KEY: spec.axes} if 1 in spec.shape[:-2] else {}
        return {**metadata, "MapAnnotation": {"Namespace": NAMESPACE, "Value": record}} if record else metadata

    def _resolution(self, level: Chunked) -> dict[str, Any]:
        """Pixels per centimetre, for readers that know no OME-XML."""
        sizes = in_units(self.spec.spacing, self.spec.units)
        if "x" not in sizes or "y" not in sizes:
            return {}
        down, across = (n / m for n, m in zip(self.spec.shape[-2:], level.shape[-2:], strict=True))
        dots = (1e4 / (sizes["x"] * across), 1e4 / (sizes["y"] * down))
        return {"resolution": dots, "resolutionunit": "CENTIMETER"}


def annotation(root: ElementTree.Element) -> dict[str, Any] | None:
    """What the map annotation holds that `Export` writes; None if there is none."""
    found = root.findall(f".//{{*}}MapAnnotation[@Namespace='{NAMESPACE}']/{{*}}Value/{{*}}M")
    return {entry.get("K", ""): _value(entry.text or "") for entry in found} or None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
