"""GeoJSON: polygons that rasterise back to the labels exactly, whole over blocks, as QuPath reads them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tilewright import Pipeline
from tilewright.abc import LabelSpec
from tilewright.errors import InvalidOption
from tilewright_geojson import planes
from tilewright_geojson.assembly import Block, objects
from tilewright_geojson.features import Features
from tilewright_geojson.writer import GeoJsonObjects

from .conftest import collection_of, polygons_of, rasterised

MASK = Path(__file__).parents[3] / "docs" / "demo" / "data" / "mask2d.tif"
PROVENANCE = {"source": '/dätä/<image> & "co".tif', "n_objects": 3}


def written(path: Path, labels: NDArray[Any], provenance: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """The collection of labels that are written at once; blocks in any order are the kit's."""
    sink = GeoJsonObjects()(str(path), spec_of(path.parent, shape=labels.shape, **spec))
    sink.write(tuple(slice(0, n) for n in labels.shape), labels)
    sink.finish(provenance or PROVENANCE)
    return collection_of(path)


def spec_of(folder: Path, *, shape: tuple[int, ...], axes: str = "yx", **options: Any) -> LabelSpec:
    (folder / "run").mkdir(exist_ok=True)
    return LabelSpec(**{"dtype": np.dtype("u4"), **options}, shape=shape, axes=axes, workdir=folder / "run")


def features_of(labels: NDArray[Any], block: int, scale: tuple[float, float] = (1, 1)) -> list[dict[str, Any]]:
    """The features of labels that are traced in blocks of that length."""
    height, width = labels.shape
    blocks = [
        Block(y=y, x=x, read=lambda y=y, x=x: labels[y : y + block, x : x + block])
        for y in range(0, height, block)
        for x in range(0, width, block)
    ]
    return [json.loads(Features(scale=scale).text(number, rings)) for number, rings in objects(blocks, width)]


SMALL = hnp.arrays(np.uint32, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 3))


@given(labels=SMALL, block=st.integers(1, 16))
@settings(max_examples=400)
def test_polygons_rasterise_back_to_the_labels_whatever_the_blocks(labels: NDArray[Any], block: int) -> None:
    features = features_of(labels, block)
    np.testing.assert_array_equal(rasterised(features, labels.shape), labels)
    ids, counts = np.unique(labels[labels > 0], return_counts=True)
    assert sorted((f["id"], f["properties"]["area"]) for f in features) == list(
        zip(ids.tolist(), counts.tolist(), strict=True)
    )


@given(labels=SMALL)
@settings(max_examples=200)
def test_rings_pass_no_point_twice_and_turn_as_geojson_wants(labels: NDArray[Any]) -> None:
    for feature in features_of(labels, 5):
        for rings in polygons_of(feature):
            for number, ring in enumerate(rings):
                points = [tuple(point) for point in ring[:-1]]
                assert len(set(points)) == len(points)
                turned = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in itertools.pairwise(ring))
                assert (turned > 0) == (number == 0)


@given(labels=SMALL)
@settings(max_examples=200)
def test_polygons_are_valid_and_have_no_point_too_many(labels: NDArray[Any]) -> None:
    geometry = pytest.importorskip("shapely.geometry")
    for feature in features_of(labels, 5):
        shape = geometry.shape(feature["geometry"])
        assert shape.is_valid
        assert shape.area == feature["properties"]["area"]
        for rings in polygons_of(feature):
            for ring in rings:
                points = ring[:-1]
                turns = zip(points, points[1:] + points[:1], points[2:] + points[:2], strict=True)
                assert all((a[0] == b[0]) != (b[0] == c[0]) for a, b, c in turns)


def test_a_hole_stays_a_hole_and_what_lies_in_it_is_its_own() -> None:
    labels = np.zeros((9, 9), np.uint32)
    labels[1:8, 1:8], labels[2:7, 2:7], labels[4, 4] = 1, 0, 2
    ring, inner = features_of(labels, 4)
    assert ring["geometry"] == {
        "type": "Polygon",
        "coordinates": [
            [[1, 1], [8, 1], [8, 8], [1, 8], [1, 1]],
            [[2, 2], [2, 7], [7, 7], [7, 2], [2, 2]],
        ],
    } or inner["geometry"]["coordinates"][0][0] == [1, 1]
    np.testing.assert_array_equal(rasterised([ring, inner], (9, 9)), labels)


def test_parts_that_meet_at_a_corner_are_polygons_of_one_object() -> None:
    (feature,) = features_of(np.eye(3, dtype=np.uint32) * 7, 2)
    assert feature["geometry"]["type"] == "MultiPolygon"
    assert len(feature["geometry"]["coordinates"]) == 3
    assert feature["properties"] == {
        "objectType": "detection",
        "name": "7",
        "area": 3,
        "measurements": {"Area px^2": 3},
    }


def test_holes_of_an_object_in_parts_go_to_the_part_that_they_lie_in() -> None:
    rng = np.random.default_rng(1)
    labels = (rng.random((120, 110)) < 0.62).astype(np.uint32)  # hundreds of parts and holes, nested
    (feature,) = features_of(labels, 32)
    np.testing.assert_array_equal(rasterised([feature], labels.shape), labels)


@pytest.mark.parametrize("block", [100, 512])
def test_real_nuclei_come_back(block: int) -> None:
    labels = tifffile.imread(MASK)
    features = features_of(labels, block)
    assert len(features) == 125  # as annotated
    np.testing.assert_array_equal(rasterised(features, labels.shape), labels)


def test_an_object_over_many_blocks_is_one_feature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes, "BLOCK", 64)
    y, x = np.indices((500, 700))
    labels = ((np.hypot(y - 250, x - 350) // 20) % 2).astype("u4") * (1 + (y > 250))
    features = written(tmp_path / "o.geojson", labels)["features"]
    assert sorted(f["id"] for f in features) == [1, 2]
    np.testing.assert_array_equal(rasterised(features, labels.shape), labels)


@pytest.mark.parametrize("first", [2**53 + 1, 2**60 + 1, 2**64 - 30])
def test_neighbouring_ids_of_64_bits_stay_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    monkeypatch.setattr(planes, "BLOCK", 8)
    labels = (np.arange(25, dtype=np.uint64).reshape(5, 5) + np.uint64(first)).repeat(5, 0).repeat(5, 1)
    features = written(tmp_path / "o.geojson", labels, dtype=np.dtype("u8"))["features"]
    assert [each["properties"]["area"] for each in features] == [25] * 25
    np.testing.assert_array_equal(rasterised(features, labels.shape), labels)


def test_the_collection_is_what_qupath_imports(tmp_path: Path) -> None:
    labels = np.arange(1, 21).reshape(4, 5).repeat(10, axis=0).repeat(10, axis=1).astype("u4")
    microns = {"spacing": {"y": 0.5, "x": 0.25}, "units": dict.fromkeys("yx", "micrometer")}
    found = written(tmp_path / "o.geojson", labels, **microns)
    assert found["type"] == "FeatureCollection"
    assert found["tilewright"] == PROVENANCE
    assert found["features"][0] == {
        "type": "Feature",
        "id": 1,
        "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]]},
        "properties": {
            "objectType": "detection",
            "name": "1",
            "area": 100,
            "measurements": {"Area px^2": 100, "Area µm^2": 12.5},
        },
    }


@pytest.mark.parametrize(
    ("size", "units", "area"),
    [
        ({"y": 500.0, "x": 0.25}, {"y": "nanometer", "x": "µm"}, 0.125),
        ({"y": 0.5, "x": 0.25}, {"y": "parsec", "x": "micrometer"}, None),
        ({"y": 0.5, "x": 0.25}, {}, None),
        ({"x": 0.25}, {"y": "micrometer", "x": "micrometer"}, None),
    ],
)
def test_areas_in_square_micrometres_need_sizes_in_known_units(
    tmp_path: Path, size: dict[str, float], units: dict[str, str], area: float | None
) -> None:
    (feature,) = written(tmp_path / "o.geojson", np.ones((1, 1), "u4"), spacing=size, units=units)["features"]
    assert feature["properties"]["measurements"].get("Area µm^2") == area


def test_an_object_of_a_stack_is_a_feature_in_each_of_its_planes(tmp_path: Path) -> None:
    labels = np.zeros((2, 3, 8, 9), "u4")
    labels[1, 1:, 2:5, 3:7] = 4
    features = written(tmp_path / "o.geojson", labels, axes="tzyx")["features"]
    assert [f["geometry"]["plane"] for f in features] == [{"c": -1, "z": 1, "t": 1}, {"c": -1, "z": 2, "t": 1}]
    assert [(f["id"], f["properties"]["name"]) for f in features] == [("4-t1-z1", "4"), ("4-t1-z2", "4")]
    for feature in features:
        np.testing.assert_array_equal(rasterised([feature], (8, 9)), labels[1, 1])


@pytest.mark.parametrize("axes", ["yx", "zyx", "tyx", "tzyx"])
def test_no_two_features_have_the_same_id(tmp_path: Path, axes: str) -> None:
    labels = np.random.default_rng(2).integers(0, 5, (12, 11, 2, 3)[: len(axes)][::-1]).astype("u4")
    ids = [feature["id"] for feature in written(tmp_path / "o.geojson", labels, axes=axes)["features"]]
    assert len(set(ids)) == len(ids)


def test_labels_of_a_coarse_level_lie_on_the_finest(tmp_path: Path) -> None:
    image = zarr.open_group(tmp_path / "slide.zarr", mode="w")
    datasets = []
    for level, shape in enumerate([(401, 602), (100, 200)]):
        image.create_array(str(level), shape=shape, dtype="u1", dimension_names=["y", "x"])
        scale = [{"type": "scale", "scale": [4.0**level, 3.0**level]}]
        datasets.append({"path": str(level), "coordinateTransformations": scale})
    axes = [{"name": axis, "type": "space"} for axis in "yx"]
    image.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    labels = np.zeros((100, 200), "u4")
    labels[10:20, 30:50] = 5
    (feature,) = written(
        tmp_path / "o.geojson",
        labels,
        {"pipeline": {"reader": {"name": "ome-zarr", "configuration": {"level": 1}}}},
        image=str(tmp_path / "slide.zarr"),
        spacing={"y": 2.0, "x": 1.5},
        units=dict.fromkeys("yx", "micrometer"),
    )["features"]
    assert feature["geometry"]["coordinates"] == [[[90, 40], [150, 40], [150, 80], [90, 80], [90, 40]]]
    assert feature["properties"]["area"] == 2400
    assert feature["properties"]["measurements"]["Area µm^2"] == pytest.approx(200 * 2.0 * 1.5)


def test_the_finest_level_is_that_of_the_image_which_the_reader_chose(tmp_path: Path) -> None:
    """The levels of both images are called 0 and 1, as an image inside of image 1 would be."""
    scales = [{"type": "scale", "scale": [1.0, 1.0]}], [{"type": "scale", "scale": [4.0, 4.0]}]
    datasets = [{"path": str(i), "coordinateTransformations": scale} for i, scale in enumerate(scales)]
    axes = [{"name": axis, "type": "space"} for axis in "yx"]
    for number, length in enumerate((400, 40)):
        image = zarr.open_group(tmp_path / "slides.zarr" / str(number), mode="w")
        image.create_array("0", data=np.eye(length, dtype="u1"))
        image.create_array("1", data=np.eye(length // 4, dtype="u1"))
        image.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    zarr.open_group(tmp_path / "slides.zarr", mode="a")
    reader = {"name": "ome-zarr", "configuration": {"image": "1"}}
    result = Pipeline(segmenter=diagonal, reader=reader).run(tmp_path / "slides.zarr", tmp_path / "o.geojson", level=1)
    (feature,) = collection_of(result.path)["features"]
    assert feature["properties"]["area"] == 10 * 16


def diagonal(pixels: NDArray[Any]) -> NDArray[Any]:
    return (pixels > 0).astype(np.uint8)


def test_no_objects_are_an_empty_collection(tmp_path: Path) -> None:
    assert written(tmp_path / "o.geojson", np.zeros((5, 5), "u4"))["features"] == []


def test_a_failure_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, labels = tmp_path / "o.geojson", np.eye(9, dtype="u4")
    path.write_text("{}")
    with monkeypatch.context() as patched:
        patched.setattr(Features, "text", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            written(path, labels)
    assert path.read_text() == "{}"
    GeoJsonObjects()(str(path), spec_of(tmp_path, shape=(9, 9))).finish({})  # with the blocks of the first try
    assert len(collection_of(path)["features"]) == 1


@pytest.mark.parametrize(
    ("image", "output"),
    [
        ("/data/slide.svs", "/data/slide.cells.geojson"),
        ("/data/a.b.OME.TIFF", "/data/a.b.cells.geojson"),
        ("/data.d/image.ome.zarr/", "/data.d/image.cells.geojson"),
        ("/data.d/raw", "/data.d/raw.cells.geojson"),
        ("s3://bucket/a.tif", "s3://bucket/a.cells.geojson"),  # refused as any output that is a URL
    ],
)
def test_objects_go_beside_their_image(image: str, output: str) -> None:
    assert GeoJsonObjects().destination(image, "cells") == output


def test_what_makes_no_geojson_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="GeoJSON cannot hold labels with axes 'xy'"):
        GeoJsonObjects()(str(tmp_path / "o.geojson"), spec_of(tmp_path, shape=(8, 8), axes="xy"))
    with pytest.raises(InvalidOption, match="is a folder"):
        GeoJsonObjects()(str(tmp_path), spec_of(tmp_path, shape=(8, 8)))
