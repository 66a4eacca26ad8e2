"""Write OME-Zarr with every independent writer that is installed, and compare what is read with what was written.

Run it in an environment of its own, and install the writers one by one: ngff-zarr 0.50 and spatialdata 0.7 ask for
different versions of dask, and work with either.

    python -m venv .venv-writers
    .venv-writers/bin/python -m pip install ./core ./plugins/ome-zarr ngff-zarr ngio "yaozarrs[io]" tensorstore
    .venv-writers/bin/python -m pip install spatialdata
    .venv-writers/bin/python -m pip install bioio-ome-zarr
    .venv-writers/bin/python tests/writers/read.py
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import open_image

SPACING = {"t": 3.0, "z": 2.0, "y": 0.5, "x": 0.25}
SIZES = {"t": 2, "c": 3, "z": 4, "y": 64, "x": 80}
NAMES = ("DAPI", "GFP", "RFP")


@dataclass(frozen=True, kw_only=True)
class Store:
    """What was written. levels: how many; spacing, channels: None where the writer does not keep them."""

    name: str
    path: Path
    pixels: NDArray[Any]
    axes: str
    levels: int = 1
    spacing: dict[str, float] | None = field(default=None)
    channels: tuple[str, ...] = ()
    element: str = ""


def pixels_of(axes: str) -> NDArray[Any]:
    shape = tuple(SIZES[axis] for axis in axes)
    return np.random.default_rng(0).integers(1, 60_000, shape, dtype="u2")


def spacing_of(axes: str) -> dict[str, float]:
    return {axis: step for axis, step in SPACING.items() if axis in axes}


def by_ngff_zarr(folder: Path) -> Iterator[Store]:
    import ngff_zarr

    for version in ("0.4", "0.5", "0.6"):
        for axes in ("yx", "zyx", "cyx", "tczyx"):
            pixels, path = pixels_of(axes), folder / f"ngff-{version}-{axes}.ome.zarr"
            image = ngff_zarr.to_ngff_image(pixels, list(axes), spacing_of(axes))
            multiscales = ngff_zarr.to_multiscales(image, scale_factors=[2])
            ngff_zarr.to_ngff_zarr(str(path), multiscales, version=version)
            yield Store(
                name=f"ngff-zarr {version}",
                path=path,
                pixels=pixels,
                axes=axes,
                levels=2,
                spacing=spacing_of(axes),
            )


def by_ngio(folder: Path) -> Iterator[Store]:
    import ngio

    for version in ("0.4", "0.5"):
        for axes in ("yx", "czyx", "tczyx"):
            pixels, path = pixels_of(axes), folder / f"ngio-{version}-{axes}.ome.zarr"
            options: dict[str, Any] = {"channels_meta": list(NAMES)} if "c" in axes else {}
            ngio.create_ome_zarr_from_array(
                path,
                pixels,
                pixelsize=(SPACING["y"], SPACING["x"]),
                z_spacing=SPACING["z"],
                time_spacing=SPACING["t"],
                levels=3,
                axes_names=list(axes),
                ngff_version=version,
                **options,
            )
            channels = NAMES if "c" in axes else ()
            yield Store(
                name=f"ngio {version}",
                path=path,
                pixels=pixels,
                axes=axes,
                levels=3,
                spacing=spacing_of(axes),
                channels=channels,
            )


def by_ome_zarr(folder: Path) -> Iterator[Store]:
    import zarr
    from ome_zarr.format import format_from_version
    from ome_zarr.writer import write_image

    for version in ("0.4", "0.5"):
        for axes in ("yx", "czyx", "tczyx"):
            pixels, path = pixels_of(axes), folder / f"ome-{version}-{axes}.ome.zarr"
            chosen = format_from_version(version)
            group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
            scaled = [{"type": "scale", "scale": [SPACING.get(axis, 1.0) for axis in axes]}]
            options = {"axes": axes, "scale_factors": (), "coordinate_transformations": [scaled]}
            write_image(pixels, group, scaler=None, fmt=chosen, **options)
            yield Store(name=f"ome-zarr {version}", path=path, pixels=pixels, axes=axes, spacing=spacing_of(axes))


def by_spatialdata(folder: Path) -> Iterator[Store]:
    import spatialdata
    from spatialdata.models import Image2DModel, Image3DModel, Labels2DModel

    flat, stack = pixels_of("cyx"), pixels_of("czyx")
    labels = pixels_of("yx").astype("u4")
    path = folder / "spatialdata.zarr"
    spatialdata.SpatialData(
        images={
            "flat": Image2DModel.parse(flat, dims="cyx", c_coords=list(NAMES)),
            "pyramid": Image2DModel.parse(flat, dims="cyx", c_coords=list(NAMES), scale_factors=[2, 2]),
            "stack": Image3DModel.parse(stack, dims="czyx"),
        },
        labels={"cells": Labels2DModel.parse(labels, dims="yx")},
    ).write(path)
    written = {"flat": (flat, "cyx", 1), "pyramid": (flat, "cyx", 3), "stack": (stack, "czyx", 1)}
    for name, (pixels, axes, levels) in written.items():
        channels = NAMES if axes == "cyx" else ()  # without names it writes numbers
        store = {"pixels": pixels, "axes": axes, "levels": levels, "channels": channels}
        yield Store(name="spatialdata image", path=path, element=f"images/{name}", **store)
    yield Store(name="spatialdata labels", path=path, element="cells", pixels=labels, axes="yx")


def by_bioio(folder: Path) -> Iterator[Store]:
    from bioio_ome_zarr.writers import Channel, OMEZarrWriter

    for zarr_format in (2, 3):
        for axes in ("yx", "tczyx"):
            pixels, path = pixels_of(axes), folder / f"bioio-{zarr_format}-{axes}.ome.zarr"
            named = [Channel(label=name, color="FF0000") for name in NAMES] if "c" in axes else None
            OMEZarrWriter(
                str(path),
                [pixels.shape],
                pixels.dtype,
                zarr_format=zarr_format,
                channels=named,
                axes_names=list(axes),
                physical_pixel_size=[SPACING.get(axis, 1.0) for axis in axes],
            ).write_full_volume(pixels)
            channels = NAMES if "c" in axes else ()
            yield Store(
                name=f"bioio-ome-zarr v{zarr_format}",
                path=path,
                pixels=pixels,
                axes=axes,
                spacing=spacing_of(axes),
                channels=channels,
            )


def by_yaozarrs(folder: Path) -> Iterator[Store]:
    """The layouts of bioformats2raw and of a plate."""
    from yaozarrs import v05
    from yaozarrs.write.v05 import write_bioformats2raw, write_plate

    pixels = pixels_of("cyx")
    axes = [v05.ChannelAxis(name="c"), v05.SpaceAxis(name="y"), v05.SpaceAxis(name="x")]
    scale = v05.ScaleTransformation(scale=[1.0, SPACING["y"], SPACING["x"]])
    dataset = v05.Dataset(path="0", coordinateTransformations=[scale])
    image = v05.Image(multiscales=[v05.Multiscale(name="one", axes=axes, datasets=[dataset])])
    common: dict[str, Any] = {"pixels": pixels, "axes": "cyx", "spacing": spacing_of("yx")}
    for count in (1, 2):
        path = folder / f"series-{count}.ome.zarr"
        write_bioformats2raw(path, {str(n): (image, [pixels]) for n in range(count)})
        yield Store(name=f"bioformats2raw of {count}", path=path, element="" if count == 1 else "1", **common)
    path = folder / "plate.ome.zarr"
    write_plate(path, {("A", "1", "0"): (image, [pixels])})
    yield Store(name="plate", path=path, element="A/1/0", **common)


def by_tensorstore(folder: Path) -> Iterator[Store]:
    """Arrays without OME-Zarr metadata: zarr v3 names their dimensions."""
    import tensorstore

    pixels = pixels_of("czyx")
    path = folder / "tensorstore.zarr"
    store = tensorstore.open(
        {
            "driver": "zarr3",
            "kvstore": {"driver": "file", "path": str(path)},
            "metadata": {"dimension_names": [*"czyx"]},
        },
        create=True,
        dtype=tensorstore.uint16,
        shape=pixels.shape,
    ).result()
    store.write(pixels).result()
    yield Store(name="tensorstore", path=path, pixels=pixels, axes="czyx", levels=0)


WRITERS: tuple[Callable[[Path], Iterator[Store]], ...] = (
    by_ngff_zarr,
    by_ngio,
    by_ome_zarr,
    by_spatialdata,
    by_bioio,
    by_yaozarrs,
    by_tensorstore,
)


def faults(store: Store) -> list[str]:
    """What was read otherwise than it was written."""
    image = open_image(f"{store.path}#{store.element}" if store.element else store.path)
    wanted = {"axes": store.axes, "levels": store.levels, "channels": store.channels, "shape": store.pixels.shape}
    given: dict[str, Any] = {
        "axes": image.axes,
        "levels": len(image.levels),
        "channels": image.channels,
        "shape": image.shape,
    }
    if store.spacing is not None:
        wanted["spacing"], given["spacing"] = store.spacing, dict(image.spacing)
    found = [f"{what}: {given[what]} for {wanted[what]}" for what in wanted if given[what] != wanted[what]]
    if not found and not np.array_equal(image[...], store.pixels):
        found.append("pixels")
    return found


def main() -> int:
    """Print a line for each store; the exit code is the number of stores that were read wrong."""
    warnings.simplefilter("ignore")  # what the writers' libraries say of each other
    wrong = count = 0
    with tempfile.TemporaryDirectory() as folder:
        for writer in WRITERS:
            try:
                for store in writer(Path(folder)):
                    problems = faults(store)
                    count, wrong = count + 1, wrong + bool(problems)
                    print(f"{store.name:24}{store.axes:8}{'; '.join(problems) or 'right'}", flush=True)
            except ImportError as error:
                print(f"{writer.__name__:32}left out: {error}", flush=True)
    print(f"{count} stores, {wrong} wrong")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
