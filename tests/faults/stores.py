"""An image with labels of an earlier run, and what a reader finds of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from scipy import ndimage

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


def field_pixels(seed: int, side: int = 64) -> NDArray[np.float32]:
    """Blobs, from 0 to 1."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((side, side)), 2)
    return ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)


def make_plate(path: Path, wells: int = 2, fields: int = 2, side: int = 64) -> Path:
    """A plate of OME-Zarr 0.5; the pixels of field `f` of well `w` are those of seed `w * fields + f`."""
    names = [f"{'ABCDEFGH'[i // 2]}/{i % 2 + 1}" for i in range(wells)]
    plate = {
        "columns": [{"name": "1"}, {"name": "2"}],
        "rows": [{"name": row} for row in sorted({name[0] for name in names})],
        "wells": [{"path": name, "rowIndex": i // 2, "columnIndex": i % 2} for i, name in enumerate(names)],
        "version": "0.5",
    }
    group = zarr.create_group(path, attributes={"ome": {"version": "0.5", "plate": plate}})
    for i, name in enumerate(names):
        images = [{"path": str(field)} for field in range(fields)]
        well = group.create_group(name, attributes={"ome": {"version": "0.5", "well": {"images": images}}})
        for field in range(fields):
            image = well.create_group(str(field), attributes={"ome": multiscales(unit="micrometer")})
            data = field_pixels(i * fields + field, side)
            image.create_array("0", data=data, chunks=(32, 32), dimension_names=["y", "x"])
    return path


def multiscales(axes: str = "yx", version: str = "0.5", unit: str = "") -> dict[str, Any]:
    said = [{"name": axis, "type": {"c": "channel", "t": "time"}.get(axis, "space")} for axis in axes]
    for each in said if unit else ():
        each["unit"] = unit
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
