"""The labels element of a SpatialData store: a copy of the labels, with where they lie in space.

https://spatialdata.scverse.org/en/stable/design_doc.html
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import zarr

from tilewright.abc import Facts, Region, TableSpec

__all__ = ["copy_labels"]

CHUNKS = {2: (1024, 1024), 3: (32, 256, 256)}
GLOBAL, PHYSICAL = "global", "physical"  # coordinate systems: pixels, which every element has; units, where known


def copy_labels(group: zarr.Group, spec: TableSpec) -> None:
    """Copy the labels into the group `labels` of a store, block by block."""
    element = group.require_group("labels").create_group(spec.name)
    group["labels"].attrs["ome"] = {"labels": [spec.name]}
    element.attrs.update(_attributes(spec))
    shape, dtype = spec.labels.shape, spec.labels.dtype
    chunks = tuple(max(1, min(pair)) for pair in zip(shape, CHUNKS[len(shape)], strict=True))
    axes = list(spec.facts.axes)
    copy: Any = element.create_array("s0", shape=shape, dtype=dtype, chunks=chunks, dimension_names=axes, fill_value=0)
    for region in _blocks(shape, chunks):
        block = spec.labels[region]
        if block.any():
            copy[region] = block


def _blocks(shape: tuple[int, ...], chunks: tuple[int, ...]) -> Iterator[Region]:
    for starts in itertools.product(*(range(0, n, step) for n, step in zip(shape, chunks, strict=True))):
        yield tuple(slice(start, min(start + step, n)) for start, step, n in zip(starts, chunks, shape, strict=True))


def _attributes(spec: TableSpec) -> dict[str, Any]:
    axes = [{"name": axis, "type": "space"} for axis in spec.facts.axes]
    whole = {"type": "scale", "scale": [1.0] * len(axes)}
    multiscale = {
        "name": spec.name,
        "axes": axes,
        "datasets": [{"path": "s0", "coordinateTransformations": [whole]}],
        "coordinateTransformations": _transformations(spec.facts),
    }
    ome = {"version": "0.5-dev-spatialdata", "multiscales": [multiscale], "image-label": {"version": "0.5"}}
    return {"ome": ome, "spatialdata_attrs": {"version": "0.3"}}


def _transformations(facts: Facts) -> list[dict[str, Any]]:
    pixels = ["unit"] * len(facts.axes)
    whence = _system(facts.axes, facts.axes, pixels)
    same = {"type": "identity", "input": whence, "output": _system(GLOBAL, facts.axes, pixels)}
    if not all(facts.units):
        return [same]
    scaled = {"type": "scale", "scale": list(facts.spacing), "input": whence}
    return [same, {**scaled, "output": _system(PHYSICAL, facts.axes, facts.units)}]


def _system(name: str, axes: str, units: Any) -> dict[str, Any]:
    named = zip(axes, units, strict=True)
    return {"name": name, "axes": [{"name": axis, "type": "space", "unit": unit} for axis, unit in named]}
