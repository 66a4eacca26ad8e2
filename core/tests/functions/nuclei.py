"""Real nuclei, a function that finds them, and a store to put them into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray
from scipy import ndimage

DATA = Path(__file__).parents[3] / "docs" / "demo" / "data"
NUCLEI: NDArray[np.uint16] = tifffile.imread(DATA / "img2d.tif")
LEVEL = 50


def write_ome_zarr(path: Path, pixels: NDArray[Any], axes: str, chunks: tuple[int, ...], version: str = "0.5") -> None:
    """An OME-Zarr image of one resolution."""
    described = [{"name": a, "type": {"t": "time", "c": "channel"}.get(a, "space")} for a in axes]
    scale = [{"type": "scale", "scale": [1.0] * len(axes)}]
    multiscale = {"axes": described, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    if version == "0.5":
        group = zarr.create_group(path, attributes={"ome": {"version": "0.5", "multiscales": [multiscale]}})
        group.create_array("0", data=pixels, chunks=chunks, dimension_names=list(axes))
    else:
        attributes = {"multiscales": [multiscale | {"version": version}]}
        zarr.create_group(path, zarr_format=2, attributes=attributes).create_array("0", data=pixels, chunks=chunks)


def threshold(tile: NDArray[Any]) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(tile > LEVEL)[0].astype("int32")
    return labels
