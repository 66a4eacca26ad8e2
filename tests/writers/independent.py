"""OME-Zarr and zarr as independent libraries write it, with what they were handed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPACING = {"t": 3.0, "z": 2.0, "y": 0.5, "x": 0.25}
SIZES = {"t": 2, "c": 3, "z": 4, "y": 64, "x": 80}
NAMES = ("DAPI", "GFP", "RFP")


@dataclass(frozen=True, kw_only=True)
class Store:
    """What was written. levels: how many, 0 of a plain array; spacing: None where the writer keeps none.

    element: the place of the image in the store.
    """

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
    image = ngff_zarr.to_ngff_image(pixels_of("zyx"), list("zyx"), spacing_of("zyx"))
    for name, options in (("archive.ozx", {}), ("shards.ome.zarr", {"chunks_per_shard": 2})):
        multiscales = ngff_zarr.to_multiscales(image, scale_factors=[2], chunks=16)
        ngff_zarr.to_ngff_zarr(str(folder / name), multiscales, version="0.5", **options)
        yield Store(
            name=f"ngff-zarr {name}",
            path=folder / name,
            pixels=pixels_of("zyx"),
            axes="zyx",
            levels=2,
            spacing=spacing_of("zyx"),
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
            group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
            options: dict[str, Any] = {"axes": axes, "scale": spacing_of(axes) | ({"c": 1.0} if "c" in axes else {})}
            if "c" in axes:
                window = {"min": 0, "max": 65535, "start": 0, "end": 65535}
                shown = [{"label": name, "color": "FF0000", "active": True, "window": window} for name in NAMES]
                options["omero"] = {"channels": shown}
            write_image(pixels, group, scale_factors=[2], fmt=format_from_version(version), **options)
            yield Store(
                name=f"ome-zarr {version}",
                path=path,
                pixels=pixels,
                axes=axes,
                levels=2,
                spacing=spacing_of(axes),
                channels=NAMES if "c" in axes else (),
            )


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


def by_ome_zarr_io(folder: Path) -> Iterator[Store]:
    from ome_zarr_io import Writer

    for axes in ("yx", "czyx"):
        pixels, path = pixels_of(axes), folder / f"io-{axes}.ome.zarr"
        channels, spacing = (NAMES if "c" in axes else ()), spacing_of(axes)
        options: dict[str, Any] = {"channels": list(channels)} if channels else {}
        scales = {axis: spacing.get(axis, 1.0) for axis in axes}
        Writer(
            path,
            pixels,
            list(axes),
            dict.fromkeys(spacing, "micrometer"),
            scale_transformations=scales,
            downscale_levels=2,
            **options,
        ).write()
        yield Store(
            name="ome-zarr-io",
            path=path,
            pixels=pixels,
            axes=axes,
            levels=3,
            spacing=spacing,
            channels=channels,
        )


def by_ome_writers(folder: Path) -> Iterator[Store]:
    """Streams of frames, through each of its backends."""
    import ome_writers

    pixels, types = pixels_of("tczyx"), {"t": "time", "c": "channel"}
    dimensions = [
        ome_writers.Dimension(
            name=axis, count=SIZES[axis], type=types.get(axis, "space"), scale=SPACING.get(axis, 1.0), chunk_size=n
        )
        for axis, n in zip("tczyx", (1, 1, 1, 32, 32), strict=True)
    ]
    for backend in ("zarr-python", "tensorstore", "acquire-zarr"):
        path = folder / f"stream-{backend}.ome.zarr"
        settings = ome_writers.AcquisitionSettings(
            root_path=str(path),
            dimensions=dimensions,
            dtype="uint16",
            format=ome_writers.OmeZarrFormat(backend=backend),
        )
        with ome_writers.create_stream(settings) as stream:
            for frame in pixels.reshape(-1, *pixels.shape[-2:]):
                stream.append(frame)
        yield Store(
            name=f"ome-writers by {backend}", path=path, pixels=pixels, axes="tczyx", spacing=spacing_of("tczyx")
        )


def by_acquire_zarr(folder: Path) -> Iterator[Store]:
    """A stream into shards, with levels of its own."""
    import acquire_zarr

    pixels, path = pixels_of("czyx"), folder / "acquire.zarr"
    kinds = acquire_zarr.DimensionType
    array = acquire_zarr.ArraySettings(
        output_key="",
        is_ngff=True,
        dimensions=[
            acquire_zarr.Dimension(
                name=axis,
                kind=kinds.CHANNEL if axis == "c" else kinds.SPACE,
                array_size_px=SIZES[axis],
                chunk_size_px=chunk,
                shard_size_chunks=shard,
                scale=SPACING.get(axis, 1.0),
                unit="" if axis == "c" else "micrometer",
            )
            for axis, chunk, shard in zip("czyx", (1, 1, 32, 32), (1, 4, 2, 3), strict=True)
        ],
        data_type=acquire_zarr.DataType.UINT16,
        downsampling_method=acquire_zarr.DownsamplingMethod.MEAN,
        max_levels=2,  # beside the finest
    )
    stream = acquire_zarr.ZarrStream(acquire_zarr.StreamSettings(store_path=str(path), arrays=[array]))
    stream.append(pixels)
    stream.close()
    yield Store(name="acquire-zarr", path=path, pixels=pixels, axes="czyx", levels=3, spacing=spacing_of("czyx"))


def by_zarr(folder: Path) -> Iterator[Store]:
    """What Bio-Formats writes, by zarr alone: 0.4 in big-endian arrays, a series with `OME` or numbered."""
    import zarr

    pixels, axes = pixels_of("tczyx"), "tczyx"
    for listed in (True, False):
        path = folder / f"raw-{listed}.zarr"
        root = zarr.open_group(path, mode="w", zarr_format=2)
        root.attrs["bioformats2raw.layout"] = 3
        if listed:
            root.create_group("OME").attrs["series"] = ["0"]
            (path / "OME" / "METADATA.ome.xml").write_text("<OME/>", encoding="utf-8")
        image = root.create_group("0")
        datasets = []
        for level in range(2):
            reduced = pixels[..., :: 2**level, :: 2**level]
            image.create_array(
                str(level),
                data=reduced.astype(">u2"),
                chunks=(1, 1, 1, 64, 64),
                chunk_key_encoding={"name": "v2", "separator": "/"},
            )
            scale = [SPACING.get(axis, 1.0) * (2**level if axis in "yx" else 1) for axis in axes]
            datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
        types = {"t": "time", "c": "channel"}
        image.attrs["multiscales"] = [
            {
                "version": "0.4",
                "axes": [{"name": axis, "type": types.get(axis, "space")} for axis in axes],
                "datasets": datasets,
                "metadata": {"method": "loci.common.image.SimpleImageScaler"},
            }
        ]
        image.attrs["omero"] = {"channels": [{"label": name, "active": True} for name in NAMES]}
        yield Store(
            name=f"bioformats2raw, {'listed' if listed else 'numbered'}",
            path=path,
            pixels=pixels,
            axes=axes,
            levels=2,
            spacing=spacing_of(axes),
            channels=NAMES,
        )


def by_xarray(folder: Path) -> Iterator[Store]:
    """Variables of a data set, whose names of dimensions zarr v2 keeps in an attribute."""
    import xarray

    pixels = pixels_of("czyx")
    for zarr_format in (2, 3):
        path = folder / f"xarray-{zarr_format}.zarr"
        variable = xarray.DataArray(pixels, dims=list("czyx"))
        xarray.Dataset({"pixels": variable}).to_zarr(path, zarr_format=zarr_format, consolidated=zarr_format == 2)
        yield Store(name=f"xarray v{zarr_format}", path=path, element="pixels", pixels=pixels, axes="czyx", levels=0)


def by_dask(folder: Path) -> Iterator[Store]:
    """An array without names of dimensions, for which the user names axes."""
    import dask.array

    pixels, path = pixels_of("zyx"), folder / "dask.zarr"
    dask.array.from_array(pixels, chunks=(2, 32, 32)).to_zarr(str(path))
    yield Store(name="dask", path=path, pixels=pixels, axes="zyx", levels=0)


def by_tensorstore(folder: Path) -> Iterator[Store]:
    """Arrays without OME-Zarr metadata, of which zarr v3's name their dimensions, with and without shards."""
    import tensorstore

    pixels = pixels_of("czyx")
    grids: dict[str, dict[str, Any]] = {
        "zarr3": {"dimension_names": [*"czyx"]},
        "zarr3 in shards": {
            "dimension_names": [*"czyx"],
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 4, 64, 64]}},
            "codecs": [{"name": "sharding_indexed", "configuration": {"chunk_shape": [1, 1, 32, 32]}}],
        },
        "zarr": {"compressor": {"id": "zlib", "level": 1}, "dimension_separator": "/", "chunks": [1, 1, 32, 32]},
    }
    for name, metadata in grids.items():
        path = folder / f"{name}.zarr"
        kvstore = {"driver": "file", "path": str(path)}
        store = tensorstore.open(
            {"driver": name.split()[0], "kvstore": kvstore, "metadata": metadata},
            create=True,
            dtype=tensorstore.uint16,
            shape=pixels.shape,
        ).result()
        store.write(pixels).result()
        yield Store(name=f"tensorstore {name}", path=path, pixels=pixels, axes="czyx", levels=0)


WRITERS: dict[str, Callable[[Path], Iterator[Store]]] = {
    "acquire_zarr": by_acquire_zarr,
    "bioio_ome_zarr": by_bioio,
    "dask": by_dask,
    "ngff_zarr": by_ngff_zarr,
    "ngio": by_ngio,
    "ome_writers": by_ome_writers,
    "ome_zarr": by_ome_zarr,
    "ome_zarr_io": by_ome_zarr_io,
    "spatialdata": by_spatialdata,
    "tensorstore": by_tensorstore,
    "xarray": by_xarray,
    "yaozarrs": by_yaozarrs,
    "zarr": by_zarr,
}
"""By the package that has to be installed."""
