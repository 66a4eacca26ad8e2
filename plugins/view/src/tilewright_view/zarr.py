"""Layers as OME-Zarr 0.5 groups that exist nowhere: their metadata, made of the layers' levels.

https://ngff.openmicroscopy.org/0.5, https://zarr-specs.readthedocs.io/en/latest/v3/core/v3.0.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tilewright import Image, Level

from .layers import Layer

__all__ = ["metadata", "place_of"]

NODE = {"zarr_format": 3}
KINDS = {"t": "time", "z": "space", "y": "space", "x": "space"}
PIECE = re.compile(r"(\d+)/c/(\d+(?:/\d+)*)")  # LEVEL/c/I/J/K


def metadata(layer: Layer, units: Mapping[str, str]) -> dict[str, Any]:
    """The JSON documents of a layer's group, by their keys. units: of an image, for a layer that has none itself."""
    ome = {"version": "0.5", "multiscales": [_multiscale(layer, units)]}
    documents: dict[str, Any] = {"zarr.json": {**NODE, "node_type": "group", "attributes": {"ome": ome}}}
    for number, (image, piece) in enumerate(zip(layer.levels, layer.pieces, strict=True)):
        documents[f"{number}/zarr.json"] = {
            **NODE,
            "node_type": "array",
            "shape": list(image.shape),
            "data_type": layer.dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(piece)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            "fill_value": 0,
            "dimension_names": list(layer.axes),
        }
    return documents


def place_of(key: str) -> tuple[int, tuple[int, ...]] | None:
    """The level and the place of a piece; None for another key."""
    found = PIECE.fullmatch(key)
    return found and (int(found[1]), tuple(map(int, found[2].split("/"))))


def _multiscale(layer: Layer, units: Mapping[str, str]) -> dict[str, Any]:
    known = layer.levels[0].units or units
    axes = [
        {"name": axis, "type": KINDS[axis], **({"unit": known[axis]} if axis in known else {})} for axis in layer.axes
    ]
    datasets = [{"path": str(n), "coordinateTransformations": _placed(each)} for n, each in enumerate(layer.levels)]
    return {"name": layer.name, "axes": axes, "datasets": datasets}


def _placed(image: Image) -> list[dict[str, Any]]:
    """Scale and translation of a level, which is the first of its own pyramid."""
    own: Level | None = image.levels[0] if image.levels and len(image.levels[0].scale) == len(image.axes) else None
    scale = [image.spacing.get(axis, 1.0) for axis in image.axes]
    placed: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    if own is not None and own.translation is not None:
        placed.append({"type": "translation", "translation": list(own.translation)})
    return placed
