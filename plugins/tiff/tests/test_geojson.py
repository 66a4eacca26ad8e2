"""GeoJSON: polygons that rasterise back to the labels exactly, whole over blocks, as QuPath reads them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tilewright.errors import InvalidOption
from tilewright_tiff import geojson
from tilewright_tiff.assembly import Block, objects
from tilewright_tiff.features import Features
from tilewright_tiff.geojson import GeoJsonObjects


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
@settings(max_examples=400, deadline=None)
def test_polygons_rasterise_back_to_the_labels_whatever_the_blocks(
    labels: NDArray[Any], block: int, rasterised
) -> None:
    features = features_of(labels, block)
    np.testing.assert_array_equal(rasterised(features, labels.shape), labels)
    ids, counts = np.unique(labels[labels > 0], return_counts=True)
    assert sorted((f["id"], f["properties"]["area"]) for f in features) == list(
        zip(ids.tolist(), counts.tolist(), strict=True)
    )


@given(labels=SMALL)
@settings(max_examples=200, deadline=None)
def test_rings_pass_no_point_twice_and_turn_as_geojson_wants(labels: NDArray[Any], rings_of) -> None:
    for feature in features_of(labels, 5):
        for rings in rings_of(feature):
            for number, ring in enumerate(rings):
                points = [tuple(point) for point in ring[:-1]]
                assert len(set(points)) == len(points)
                turned = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in itertools.pairwise(ring))
                assert (turned > 0) == (number == 0)


@given(labels=SMALL)
@settings(max_examples=200, deadline=None)
def test_polygons_are_valid_and_have_no_point_too_many(labels: NDArray[Any], rings_of) -> None:
    geometry = pytest.importorskip("shapely.geometry")
    for feature in features_of(labels, 5):
        shape = geometry.shape(feature["geometry"])
        assert shape.is_valid
        assert shape.area == feature["properties"]["area"]
        for rings in rings_of(feature):
            for ring in rings:
                points = ring[:-1]
                turns = zip(points, points[1:] + points[:1], points[2:] + points[:2], strict=True)
                assert all((a[0] == b[0]) != (b[0] == c[0]) for a, b, c in turns)


def test_a_hole_stays_a_hole_and_what_lies_in_it_is_its_own(rasterised) -> None:
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


def test_holes_of_an_object_in_parts_go_to_the_part_that_they_lie_in(rasterised) -> None:
    rng = np.random.default_rng(1)
    labels = (rng.random((120, 110)) < 0.62).astype(np.uint32)  # hundreds of parts and holes, nested
    (feature,) = features_of(labels, 32)
    np.testing.assert_array_equal(rasterised([feature], labels.shape), labels)


def test_an_object_over_many_blocks_is_one_feature(
    tmp_path: Path, spec_of, fill, monkeypatch, collection, rasterised
) -> None:
    monkeypatch.setattr(geojson, "BLOCK", 64)
    y, x = np.indices((500, 700))
    labels = ((np.hypot(y - 250, x - 350) // 20) % 2).astype("u4") * (1 + (y > 250))
    sink = GeoJsonObjects()(str(tmp_path / "o.geojson"), spec_of(shape=labels.shape))
    fill(sink, labels)
    found = collection(tmp_path / "o.geojson")
    assert sorted(f["id"] for f in found["features"]) == [1, 2]
    np.testing.assert_array_equal(rasterised(found["features"], labels.shape), labels)


def test_the_collection_is_what_qupath_imports(tmp_path: Path, spec_of, fill, cells, collection) -> None:
    labels = cells((40, 50), 10)
    spec = spec_of(shape=(40, 50), spacing={"y": 0.5, "x": 0.25}, units=dict.fromkeys("yx", "micrometer"))
    fill(GeoJsonObjects()(str(tmp_path / "o.geojson"), spec), labels)
    found = collection(tmp_path / "o.geojson")
    assert found["type"] == "FeatureCollection"
    assert found["tilewright"]["source"] == '/dätä/<image> & "co".tif'
    first = found["features"][0]
    assert first == {
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


def test_an_object_of_a_stack_is_a_feature_in_each_of_its_planes(
    tmp_path: Path, spec_of, fill, collection, rasterised
) -> None:
    labels = np.zeros((2, 3, 8, 9), "u4")
    labels[1, 1:, 2:5, 3:7] = 4
    fill(GeoJsonObjects()(str(tmp_path / "o.geojson"), spec_of(shape=labels.shape, axes="tzyx")), labels)
    features = collection(tmp_path / "o.geojson")["features"]
    assert [f["geometry"]["plane"] for f in features] == [{"c": -1, "z": 1, "t": 1}, {"c": -1, "z": 2, "t": 1}]
    for feature in features:
        np.testing.assert_array_equal(rasterised([feature], (8, 9)), labels[1, 1])


def test_labels_of_a_coarse_level_lie_on_the_finest(tmp_path: Path, spec_of, fill, collection) -> None:
    image = tmp_path / "slide.tif"
    with tifffile.TiffWriter(image) as tif:
        tif.write(np.zeros((401, 602), "u1"), tile=(64, 64), subifds=1)
        tif.write(np.zeros((100, 200), "u1"), tile=(64, 64), subfiletype=1)
    labels = np.zeros((100, 200), "u4")
    labels[10:20, 30:50] = 5
    reader = {"name": "tiff", "configuration": {"series": 0, "level": 1, "axes": None}}
    spec = spec_of(
        shape=labels.shape, image=str(image), spacing={"y": 2.0, "x": 1.5}, units=dict.fromkeys("yx", "micrometer")
    )
    sink = GeoJsonObjects()(str(tmp_path / "o.geojson"), spec)
    fill(sink, labels, provenance={"pipeline": {"reader": reader}})
    (feature,) = collection(tmp_path / "o.geojson")["features"]
    assert feature["geometry"]["coordinates"] == [[[90, 40], [150, 40], [150, 80], [90, 80], [90, 40]]]
    assert feature["properties"]["area"] == 2400
    assert feature["properties"]["measurements"]["Area µm^2"] == pytest.approx(200 * 2.0 * 1.5)


def test_no_objects_are_an_empty_collection(tmp_path: Path, spec_of, fill, collection) -> None:
    fill(GeoJsonObjects()(str(tmp_path / "o.geojson"), spec_of(shape=(5, 5))), np.zeros((5, 5), "u4"))
    assert collection(tmp_path / "o.geojson")["features"] == []


def test_a_failure_leaves_the_earlier_file(tmp_path: Path, spec_of, fill, monkeypatch, collection) -> None:
    path, labels = tmp_path / "o.geojson", np.eye(9, dtype="u4")
    path.write_text("{}")
    sink = GeoJsonObjects()(str(path), spec_of(shape=(9, 9)))
    with monkeypatch.context() as patched:
        patched.setattr(Features, "text", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fill(sink, labels)
    assert path.read_text() == "{}"
    sink.finish({})
    assert len(collection(path)["features"]) == 1


def test_objects_go_beside_their_image_and_need_planes(tmp_path: Path, spec_of) -> None:
    assert GeoJsonObjects().destination("/data/slide.svs", "cells") == "/data/slide.cells.geojson"
    with pytest.raises(InvalidOption, match="GeoJSON cannot hold labels with axes 'xy'"):
        GeoJsonObjects()(str(tmp_path / "o.geojson"), spec_of(shape=(8, 8), axes="xy"))
