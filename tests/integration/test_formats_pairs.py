"""Every reader with every writer: the labels are those of the whole image, whatever they come from and go to."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import AlreadyExists, Pipeline, open_image

pytestmark = pytest.mark.slow

MPP = 0.5
METRES = {"PhysicalSizeX": MPP, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": MPP, "PhysicalSizeYUnit": "µm"}
THRESHOLD = {"name": "threshold", "configuration": {"threshold": 500}}
GRID = {"name": "grid", "configuration": {"tile": 64}}


def plane(seed: int = 0) -> NDArray[np.uint16]:
    """Blurred noise, so that a threshold finds objects with holes and of all sizes."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((170, 230)), 3)
    return (1000 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint16)


def ome_zarr(path: Path, data: NDArray[Any], version: str) -> None:
    """An image with two levels, with zarr alone."""
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    datasets = []
    for level, step in enumerate((1, 2)):
        options: dict[str, Any] = {} if version == "0.4" else {"dimension_names": ["y", "x"]}
        group.create_array(str(level), data=np.ascontiguousarray(data[::step, ::step]), chunks=(50, 50), **options)
        scale = [{"type": "scale", "scale": [MPP * step] * 2}]
        datasets.append({"path": str(level), "coordinateTransformations": scale})
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    multiscale = {"axes": axes, "datasets": datasets, **({"version": version} if version == "0.4" else {})}
    attributes = {"multiscales": [multiscale]}
    group.attrs.put(attributes if version == "0.4" else {"ome": {"version": version, **attributes}})


def ome_tiff(path: Path, data: NDArray[Any]) -> None:
    with tifffile.TiffWriter(path, ome=True) as tif:
        options: dict[str, Any] = {"tile": (48, 48), "compression": "zlib", "photometric": "minisblack"}
        tif.write(data, subifds=1, metadata={"axes": "YX", **METRES}, **options)
        tif.write(np.ascontiguousarray(data[::2, ::2]), subfiletype=1, **options)


def slide(path: Path, data: NDArray[Any]) -> None:
    """As Aperio's scanners write it, in grey levels."""
    text = f"Aperio Image Library v12\r\n230x170 [0,0 230x170] (48x48) RAW|AppMag = 20|MPP = {MPP}"
    options: dict[str, Any] = {"tile": (48, 48), "photometric": "minisblack", "metadata": None, "software": False}
    with tifffile.TiffWriter(path) as tif:
        tif.write(data, description=text, **options)
        tif.write(data[:60, :60], description="Aperio\r\n thumbnail", metadata=None, software=False)
        tif.write(np.ascontiguousarray(data[::2, ::2]), description=text, **options)


def plain_tiff(path: Path, data: NDArray[Any]) -> None:
    tifffile.imwrite(path, data, resolution=(1e4 / MPP, 1e4 / MPP), resolutionunit="CENTIMETER")


SOURCES: dict[str, Callable[[Path, NDArray[Any]], None]] = {
    "v4.ome.zarr": lambda path, data: ome_zarr(path, data, "0.4"),
    "v5.ome.zarr": lambda path, data: ome_zarr(path, data, "0.5"),
    "pyramid.ome.tif": ome_tiff,
    "slide.svs": slide,
    "plain.tif": plain_tiff,
}
TARGETS = ("labels.ome.zarr", "labels.ome.tif", "labels.geojson")


def drawn(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint32]:
    """The labels that the polygons of a GeoJSON file cover, by the even-odd rule at pixel centres."""
    labels = np.zeros(shape, np.uint32)
    for feature in json.loads(path.read_text("utf-8"))["features"]:
        geometry = feature["geometry"]
        polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
        flipped = np.zeros((shape[0], shape[1] + 1), bool)
        for (x, y0), (_, y1) in (side for rings in polygons for ring in rings for side in itertools.pairwise(ring)):
            flipped[min(y0, y1) : max(y0, y1), x] ^= True
        labels[np.logical_xor.accumulate(flipped, axis=1)[:, :-1]] = feature["id"]
    return labels


def read(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    return drawn(path, shape) if path.suffix == ".geojson" else np.asarray(open_image(path).data[...])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", SOURCES)
def test_any_reader_goes_with_any_writer(tmp_path: Path, source: str, target: str) -> None:
    data = plane()
    SOURCES[source](tmp_path / source, data)
    expected = ndimage.label(data > 500)[0]
    result = Pipeline(segmenter=THRESHOLD, tiler=GRID).run(tmp_path / source, tmp_path / target)
    assert result.n_objects == expected.max()
    np.testing.assert_array_equal(read(tmp_path / target, data.shape), expected)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({source, target})


@pytest.mark.parametrize("target", TARGETS[:2])
@pytest.mark.parametrize("source", SOURCES)
def test_levels_and_pixel_sizes_come_along(tmp_path: Path, source: str, target: str) -> None:
    SOURCES[source](tmp_path / source, plane())
    Pipeline(segmenter=THRESHOLD, tiler=GRID).run(tmp_path / source, tmp_path / target)
    image, labels = open_image(tmp_path / source), open_image(tmp_path / target)
    assert labels.spacing == image.spacing == {"y": MPP, "x": MPP}
    assert labels.units == image.units
    if image.levels:
        assert [(a.shape, a.scale) for a in labels.levels] == [(a.shape, a.scale) for a in image.levels]


@pytest.mark.parametrize("target", TARGETS[1:])
@pytest.mark.parametrize("source", ["v5.ome.zarr", "pyramid.ome.tif", "slide.svs"])
def test_objects_of_a_coarse_level_lie_where_they_lie_on_the_finest(tmp_path: Path, source: str, target: str) -> None:
    data = plane()
    SOURCES[source](tmp_path / source, data)
    expected = ndimage.label(data[::2, ::2] > 500)[0]
    Pipeline(segmenter=THRESHOLD, tiler=GRID).run(tmp_path / source, tmp_path / target, level=1)
    if target.endswith(".geojson"):
        fine = read(tmp_path / target, (170, 230))
        np.testing.assert_array_equal(fine, expected.repeat(2, axis=0).repeat(2, axis=1))
    else:
        assert open_image(tmp_path / target).spacing == {"y": 2 * MPP, "x": 2 * MPP}
        np.testing.assert_array_equal(read(tmp_path / target, expected.shape), expected)


@pytest.mark.parametrize("target", TARGETS)
def test_a_stack_goes_through_every_writer(tmp_path: Path, target: str) -> None:
    data = np.stack([np.stack([plane(t * 3 + z) for z in range(3)]) for t in range(2)])
    options = {"axes": "TZYX", "PhysicalSizeZ": 2.0, **METRES}
    tifffile.imwrite(tmp_path / "a.ome.tif", data, tile=(48, 48), metadata=options)
    Pipeline(segmenter=THRESHOLD, tiler={"name": "grid", "configuration": {"tile": (1, 2, 64, 64)}}).run(
        tmp_path / "a.ome.tif", tmp_path / target
    )
    first, second = ndimage.label(data[0] > 500)[0], ndimage.label(data[1] > 500)[0]
    expected = np.stack([first, np.where(second, second + first.max(), 0)])
    if target.endswith(".geojson"):
        features = json.loads((tmp_path / target).read_text("utf-8"))["features"]
        found = {f["id"] for f in features}
        wanted = {f"{i}-t{t}-z{z}" for t in range(2) for z in range(3) for i in np.unique(expected[t, z]).tolist() if i}
        assert found == wanted
    else:
        np.testing.assert_array_equal(open_image(tmp_path / target).data[...], expected)


@pytest.mark.parametrize("target", TARGETS)
def test_a_run_that_fails_leaves_the_earlier_labels(tmp_path: Path, target: str) -> None:
    ome_tiff(tmp_path / "a.ome.tif", plane())
    run = Pipeline(segmenter=THRESHOLD, tiler=GRID).run
    run(tmp_path / "a.ome.tif", tmp_path / target)
    before = read(tmp_path / target, (170, 230))
    with pytest.raises(AlreadyExists):
        run(tmp_path / "a.ome.tif", tmp_path / target)

    def fails(pixels: NDArray[Any]) -> NDArray[Any]:
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        Pipeline(segmenter=fails, tiler=GRID).run(tmp_path / "a.ome.tif", tmp_path / target, overwrite=True)
    np.testing.assert_array_equal(read(tmp_path / target, (170, 230)), before)


def test_labels_without_a_destination_go_beside_a_tiff(tmp_path: Path) -> None:
    ome_tiff(tmp_path / "a.ome.tif", plane())
    result = Pipeline(segmenter=THRESHOLD, tiler=GRID).run(tmp_path / "a.ome.tif", name="cells")
    assert result.path == tmp_path / "a.cells.ome.tif"
    assert result.labels.shape == (170, 230)
    result = Pipeline(segmenter=THRESHOLD, tiler=GRID, writer="geojson").run(tmp_path / "a.ome.tif", name="cells")
    assert result.path == tmp_path / "a.cells.geojson"
