"""Labels of ours, in images of both versions and in stores of their own, are opened by independent libraries."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Grid, Pipeline
from tilewright_ome_zarr.writer import OmeZarrLabels

pytestmark = pytest.mark.slow

SPACING = (2.0, 0.5, 0.25)


def bright(tile: NDArray[Any]) -> NDArray[Any]:
    return ndimage.label(tile > 150)[0]  # type: ignore[no-any-return]


def image_in(folder: Path, version: str) -> tuple[Path, NDArray[Any]]:
    """An image of two levels, by zarr alone."""
    pixels = np.random.default_rng(1).integers(0, 200, (4, 64, 80), dtype="u2")
    path = folder / "image.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    datasets = []
    for level in range(2):
        reduced = pixels[:, :: 2**level, :: 2**level]
        named: dict[str, Any] = {"dimension_names": ["z", "y", "x"]}
        if version == "0.4":
            named = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
        group.create_array(str(level), data=reduced, chunks=(4, 32, 32), **named)
        scale = [SPACING[0], *(step * 2**level for step in SPACING[1:])]
        datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    multiscales = [{"name": "pixels", "axes": axes, "datasets": datasets}]
    if version == "0.4":
        group.attrs["multiscales"] = [multiscales[0] | {"version": version}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": multiscales}
    return path, pixels


def by_ome_zarr(image: Path, labels: Path) -> tuple[NDArray[Any], int]:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    nodes = [node for node in Reader(parse_url(image))() if node.zarr.basename() == "cells"]
    return np.asarray(nodes[0].data[0]), len(nodes[0].data)


def by_napari(image: Path, labels: Path) -> tuple[NDArray[Any], int]:
    from napari_ome_zarr._reader import napari_get_reader

    layers = [layer for layer in napari_get_reader(str(image))(str(image)) if layer[2] == "labels"]
    ((levels, options, _),) = layers
    assert tuple(np.ravel(options["scale"])) == SPACING
    return np.asarray(levels[0]), len(levels)


def by_bioio(image: Path, labels: Path) -> tuple[NDArray[Any], int]:
    from bioio_ome_zarr import Reader

    reader = Reader(str(labels))
    assert tuple(reader.physical_pixel_sizes) == SPACING
    return reader.get_image_data("ZYX"), len(reader.resolution_levels)


def by_ngio(image: Path, labels: Path) -> tuple[NDArray[Any], int]:
    import ngio

    opened = ngio.open_ome_zarr_container(image)
    label = opened.get_label("cells")
    assert tuple(label.pixel_size.zyx) == SPACING
    return np.asarray(label.get_as_numpy()), len(label.meta.paths)


def by_ngff_zarr(image: Path, labels: Path) -> tuple[NDArray[Any], int]:
    import ngff_zarr

    opened = ngff_zarr.from_ngff_zarr(str(labels), validate=True)
    assert tuple(opened.images[0].scale[axis] for axis in "zyx") == SPACING
    return np.asarray(opened.images[0].data), len(opened.images)


READERS: dict[str, Callable[[Path, Path], tuple[NDArray[Any], int]]] = {
    "bioio_ome_zarr": by_bioio,
    "napari_ome_zarr": by_napari,
    "ngff_zarr": by_ngff_zarr,
    "ngio": by_ngio,
    "ome_zarr": by_ome_zarr,
}
"""By the package that has to be installed; what it reads of the finest level, and how many levels there are."""


@pytest.mark.parametrize(("version", "shards"), [("0.4", None), ("0.5", None), ("0.5", 64)])
@pytest.mark.parametrize("package", READERS)
def test_it_opens_labels_of_ours(tmp_path: Path, package: str, version: str, shards: int | None) -> None:
    pytest.importorskip(package)
    image, pixels = image_in(tmp_path, version)
    writer = OmeZarrLabels(chunks=32, shards=shards)
    Pipeline(segmenter=bright, tiler=Grid(tile=64), writer=writer).run(image, name="cells")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what libraries say of each other
        labels, levels = READERS[package](image, image / "labels" / "cells")
    assert levels == 2
    assert np.array_equal(np.squeeze(labels), bright(pixels))
