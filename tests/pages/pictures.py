"""The images that the pages speak of, made of real nuclei."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from functions.nuclei import NUCLEI
from numpy.typing import NDArray

__all__ = ["write_image", "write_plate", "write_spatialdata"]

TYPES = {"c": "channel", "z": "space", "y": "space", "x": "space"}
SPACING = {"c": 1.0, "z": 2.0, "y": 0.5, "x": 0.5}  # micrometres
CHUNK = {"c": 1, "z": 1, "y": 128, "x": 128}


def write_image(path: Path, axes: str, channels: Sequence[str] = ()) -> None:
    """An OME-Zarr 0.5 of 256 × 256 pixels in two resolutions; of three slices along z, and a channel for each name."""
    pixels: NDArray[Any] = NUCLEI[:256, :256]
    if "z" in axes:
        pixels = np.stack([pixels] * 3)
    if "c" in axes:
        pixels = np.stack([pixels, pixels.swapaxes(-1, -2)][: len(channels)])
    group = zarr.create_group(path, attributes={"ome": _described(path, axes, channels)})
    for level, array in enumerate((pixels, pixels[..., ::2, ::2])):
        chunks = tuple(min(CHUNK[axis], n) for axis, n in zip(axes, array.shape, strict=True))
        group.create_array(str(level), data=array, chunks=chunks, dimension_names=list(axes))


def _described(path: Path, axes: str, channels: Sequence[str]) -> dict[str, Any]:
    units = {axis: {"unit": "micrometer"} for axis in "zyx"}
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [SPACING[axis] * (2**level if axis in "yx" else 1) for axis in axes]}
            ],
        }
        for level in range(2)
    ]
    described = [{"name": axis, "type": TYPES[axis], **units.get(axis, {})} for axis in axes]
    name = path.name.removesuffix(".ome.zarr")
    metadata: dict[str, Any] = {
        "version": "0.5",
        "multiscales": [{"name": name, "axes": described, "datasets": datasets}],
    }
    if channels:
        window = {"start": 0, "end": 255, "min": 0, "max": 255}
        metadata["omero"] = {"channels": [{"label": label, "color": "FFFFFF", "window": window} for label in channels]}
    return metadata


def write_plate(path: Path) -> None:
    """A plate of one row and two columns, with one field in each well."""
    wells = [{"path": f"A/{n}", "rowIndex": 0, "columnIndex": n - 1} for n in (1, 2)]
    plate = {"rows": [{"name": "A"}], "columns": [{"name": "1"}, {"name": "2"}], "wells": wells, "version": "0.5"}
    group = zarr.create_group(path, attributes={"ome": {"version": "0.5", "plate": plate}})
    group.create_group("A")
    for well in wells:
        images = {"version": "0.5", "well": {"images": [{"path": "0"}], "version": "0.5"}}
        group.create_group(well["path"], attributes={"ome": images})
        write_image(path / str(well["path"]) / "0", "yx")


def write_spatialdata(path: Path) -> None:
    """A SpatialData store of one image, `images/slide`, in one coordinate system."""
    zarr.create_group(path, attributes={"spatialdata_attrs": {"version": "0.2"}}).create_group("images")
    slide = path / "images" / "slide"
    write_image(slide, "cyx", ["DAPI"])  # SpatialData takes an image without channels for labels
    group = zarr.open_group(slide, mode="r+")
    ome: Any = group.attrs["ome"]
    space = [{"name": axis, "type": "space", "unit": "unit"} for axis in "yx"]
    axes = [{"name": "c", "type": "channel"}, *space]
    same = {"type": "identity", "input": {"name": "cyx", "axes": axes}, "output": {"name": "global", "axes": axes}}
    multiscale = {**ome["multiscales"][0], "coordinateTransformations": [same]}
    ome = {**ome, "version": "0.5-dev-spatialdata", "multiscales": [multiscale]}
    group.attrs.update({"ome": ome, "spatialdata_attrs": {"version": "0.3"}})
