"""An image with labels of an earlier run, and what a reader finds of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

LEVEL = 100  # pixels above it are objects
TILE = 32
REGION = [(40, 50), (40, 170), (150, 170), (150, 50)]  # y, x of the corners of a region
TILES = 6  # of the image that `make_image` makes


def make_image(folder: Path, shape: tuple[int, ...] = (64, 96), chunk: int = TILE) -> NDArray[Any]:
    """`image.ome.zarr` with labels (all ones) in its `labels/cells`, and an array of ones, `labels.zarr`."""
    # Smoothed along x, so that objects are larger than a pixel and none fills a tile's halo.
    noise = np.random.default_rng(0).integers(0, 200, shape)
    pixels = ((noise + np.roll(noise, 1, axis=-1)) // 2).astype(np.uint16)
    image = zarr.open_group(folder / "image.ome.zarr", mode="w", zarr_format=3)
    image.attrs["ome"] = multiscales()
    image.create_array("0", data=pixels, chunks=(chunk, chunk), dimension_names=["y", "x"])
    labels = image.create_group("labels", attributes={"ome": {"version": "0.5", "labels": ["cells"]}})
    cells = labels.create_group("cells", attributes={"ome": multiscales() | {"image-label": {"version": "0.5"}}})
    ones = np.ones(shape, np.uint32)
    cells.create_array("0", data=ones, chunks=(chunk, chunk), dimension_names=["y", "x"])
    zarr.create_array(folder / "labels.zarr", data=ones, chunks=(chunk, chunk), dimension_names=["y", "x"])
    return pixels


def multiscales(axes: str = "yx", version: str = "0.5") -> dict[str, Any]:
    said = [{"name": axis, "type": {"c": "channel", "t": "time"}.get(axis, "space")} for axis in axes]
    dataset = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0] * len(axes)}]}
    return {"version": version, "multiscales": [{"name": "image", "axes": said, "datasets": [dataset]}]}


def labels_of(folder: Path, writer: str = "ome-zarr") -> NDArray[Any]:
    """The labels as a reader finds them: through the list of the image's labels, or as the array."""
    if writer == "zarr-array":
        return np.asarray(zarr.open_array(folder / "labels.zarr", mode="r")[:])
    image = zarr.open_group(folder / "image.ome.zarr", mode="r")
    listed = image["labels"].attrs["ome"]["labels"]
    if listed != ["cells"]:
        raise RuntimeError(f"the labels listed are {listed}, not cells alone")
    return np.asarray(image["labels/cells/0"][:])


def checkpoint_of(folder: Path) -> Path:
    """The one checkpoint in a folder."""
    (checkpoint,) = folder.glob("*.tilewright")
    return checkpoint
