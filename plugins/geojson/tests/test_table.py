"""Tables as GeoJSON: outlines and measures of one object together, with ids that stay."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from tilewright.abc import Column, Facts, LabelSpec, TableSpec
from tilewright.errors import InvalidMeasures, InvalidOption
from tilewright_geojson import planes
from tilewright_geojson.table import GeoJsonTable
from tilewright_geojson.writer import GeoJsonObjects

from .conftest import collection_of, polygons_of, rasterised

MASK = Path(__file__).parents[3] / "docs" / "demo" / "data" / "mask2d.tif"
PROVENANCE = {"source": '/dätä/<image> & "co".tif', "n_objects": 3}
COLUMNS = {
    "label": Column(dtype="uint64"),
    "area": Column(unit="micrometer^2"),
    "num_pixels": Column(dtype="int64"),
    'mean-DAPI, "405" µ/ß': Column(dtype="float32"),
    "touches_border": Column(dtype="bool"),
}


def written(path: Path, labels: NDArray[Any], format: GeoJsonTable | None = None, **others: Any) -> dict[str, Any]:
    """The collection of labels, with a table that is made of them."""
    provenance = others.pop("provenance", PROVENANCE)
    rows = others.pop("rows", None) or table_of(labels, others.get("axes", "yx"))
    n_rows = others.pop("n_rows", len(rows["label"]))
    sink = (format or GeoJsonTable())(str(path), spec_of(path.parent, labels, n_rows, **others))
    for start in range(0, len(rows["label"]), 7):
        sink.write({name: values[start : start + 7] for name, values in rows.items()})
    sink.finish(provenance)
    return collection_of(path)


def spec_of(
    folder: Path,
    labels: NDArray[Any],
    n_rows: int,
    axes: str = "yx",
    columns: Mapping[str, Column] = COLUMNS,
    run: str = "run",
) -> TableSpec:
    (folder / run).mkdir(exist_ok=True)
    space = axes.removeprefix("t")
    ones = (1.0,) * len(space)
    facts = Facts(
        axes=space, shape=labels.shape[-len(space) :], spacing=ones, units=("",) * len(space), times="t" in axes
    )
    columns = {**({"t": Column(dtype="int64")} if "t" in axes else {}), **columns}
    return TableSpec(columns=columns, n_rows=n_rows, facts=facts, labels=labels, workdir=folder / run)


def table_of(labels: NDArray[Any], axes: str = "yx") -> dict[str, NDArray[Any]]:
    """A row for each object and time, by counting."""
    times = labels if "t" in axes else labels[np.newaxis]
    parts = [np.unique(plane[plane > 0], return_counts=True) for plane in times]
    ids, counts = (np.concatenate(each) for each in zip(*parts, strict=True))
    t = np.repeat(np.arange(len(times)), [len(part[0]) for part in parts])
    names = iter(COLUMNS)
    values = (ids.astype(np.uint64), counts / 4, counts, (counts / 8).astype(np.float32), counts > 9)
    return {**({"t": t} if "t" in axes else {}), **dict(zip(names, values, strict=True))}


def test_an_object_has_its_outline_and_its_measures(tmp_path: Path) -> None:
    labels = np.zeros((40, 40), np.uint32)
    labels[5:15, 5:25], labels[20:30, 20:30] = 3, 7
    found = written(tmp_path / "o.geojson", labels)
    assert found["type"] == "FeatureCollection"
    assert found["tilewright"] == PROVENANCE
    assert {name: Column(**column) for name, column in found["tilewright_columns"].items()} == COLUMNS
    assert [each["properties"]["name"] for each in found["features"]] == ["3", "7"]
    assert found["features"][0]["geometry"]["coordinates"] == [[[5, 5], [25, 5], [25, 15], [5, 15], [5, 5]]]
    assert found["features"][0]["properties"] == {
        "objectType": "detection",
        "name": "3",
        "measurements": {"area": 50.0, "num_pixels": 200, 'mean-DAPI, "405" µ/ß': 25.0, "touches_border": 1},
    }


@pytest.mark.parametrize("block", [100, 1024])
def test_real_nuclei_come_back_with_their_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(planes, "BLOCK", block)
    labels = tifffile.imread(MASK)
    features = written(tmp_path / "o.geojson", labels)["features"]
    np.testing.assert_array_equal(rasterised(features, labels.shape), labels)
    counts = np.bincount(labels.ravel())
    measured = {int(f["properties"]["name"]): f["properties"]["measurements"]["num_pixels"] for f in features}
    assert measured == {int(i): int(counts[i]) for i in np.unique(labels[labels > 0])}


@pytest.mark.parametrize("first", [2**53 + 1, 2**60 + 1, 2**64 - 400])
def test_labels_of_64_bits_find_their_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    monkeypatch.setattr(planes, "BLOCK", 8)
    labels = (np.arange(100, dtype=np.uint64).reshape(10, 10) + np.uint64(first)).repeat(3, 0).repeat(3, 1)
    features = written(tmp_path / "o.geojson", labels)["features"]
    np.testing.assert_array_equal(rasterised(features, labels.shape), labels)
    assert len(features) == 100
    assert {each["properties"]["measurements"]["num_pixels"] for each in features} == {9}


@pytest.mark.parametrize("axes", ["yx", "zyx", "tyx", "tzyx"])
def test_an_object_is_a_feature_in_each_plane_with_the_row_of_its_time(tmp_path: Path, axes: str) -> None:
    labels = np.random.default_rng(2).integers(0, 5, (3, 2, 11, 12)[-len(axes) :]).astype("u4")
    features = written(tmp_path / "o.geojson", labels, axes=axes)["features"]
    rows = table_of(labels, axes)
    count = {
        (t, label): n for t, label, n in zip(rows.get("t", [0] * 999), rows["label"], rows["num_pixels"], strict=False)
    }
    for each in features:
        plane = each["geometry"].get("plane", {"t": 0})
        assert each["properties"]["measurements"]["num_pixels"] == count[plane["t"], int(each["properties"]["name"])]
    assert len({each["id"] for each in features}) == len(features)
    assert len(features) == sum(len(np.unique(plane)) - 1 for plane in labels.reshape(-1, 11, 12))


def test_ids_are_uuids_that_only_other_labels_change(tmp_path: Path) -> None:
    labels = np.arange(1, 21).reshape(4, 5).repeat(10, axis=0).repeat(10, axis=1)

    def ids(fingerprint: str, dtype: str) -> list[str]:
        provenance = {"labels": {"path": "cells.ome.zarr", "fingerprint": fingerprint}}
        found = written(tmp_path / "o.geojson", labels.astype(dtype), provenance=provenance)
        return [each["id"] for each in found["features"]]

    same = ids("a0", "u4")
    assert [str(uuid.UUID(each)) for each in same] == same
    assert len(set(same)) == 20
    assert ids("a0", "u8") == same
    assert not set(ids("a1", "u4")) & set(same)


def test_cells_have_their_nuclei(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes, "BLOCK", 16)
    cells, nuclei = np.zeros((2, 2, 60, 60), np.uint16)[0].copy(), np.zeros((2, 60, 60), np.uint16)
    cells[:, 5:35, 5:35], cells[0, 40:50, 40:55], cells[1, 40:50, 5:15] = 9, 2, 5
    nuclei[0, 10:30, 10:40], nuclei[0, 41:45, 41:45], nuclei[1, 20:25, 20:25] = 9, 2, 9  # the first is not all within
    tifffile.imwrite(tmp_path / "nuclei.ome.tif", nuclei, metadata={"axes": "ZYX"})
    format = GeoJsonTable(object_type="cell", nuclei=str(tmp_path / "nuclei.ome.tif"))
    features = written(tmp_path / "o.geojson", cells, format, axes="zyx")["features"]
    assert {each["properties"]["objectType"] for each in features} == {"cell"}
    for z in range(2):
        plane = [each for each in features if each["geometry"]["plane"]["z"] == z]
        np.testing.assert_array_equal(rasterised(plane, (60, 60)), cells[z])
        inner = [{**each, "geometry": each["nucleusGeometry"]} for each in plane if "nucleusGeometry" in each]
        np.testing.assert_array_equal(rasterised(inner, (60, 60)), nuclei[z])
        assert all(each["geometry"]["plane"]["z"] == z for each in inner)


def test_a_value_that_is_not_a_number_is_left_out(tmp_path: Path) -> None:
    labels = np.eye(3, dtype=np.uint8)
    rows = table_of(labels)
    rows["area"][:], rows['mean-DAPI, "405" µ/ß'][:] = np.nan, np.inf
    (feature,) = written(tmp_path / "o.geojson", labels, rows=rows)["features"]
    assert feature["properties"]["measurements"] == {"num_pixels": 3, "touches_border": 0}
    assert len(polygons_of(feature)) == 3


def test_no_objects_are_an_empty_collection(tmp_path: Path) -> None:
    labels = np.zeros((5, 5), "u4")
    rows = {name: np.zeros(0, column.dtype) for name, column in COLUMNS.items()}
    assert written(tmp_path / "o.geojson", labels, rows=rows)["features"] == []


def test_a_coarse_level_lies_on_the_finest(tmp_path: Path) -> None:
    """As the writer's objects do: the provenance has the reader and its level."""
    import zarr

    image = zarr.open_group(tmp_path / "slide.zarr", mode="w")
    datasets = []
    for level, length in enumerate((400, 100)):
        image.create_array(str(level), shape=(length, length), dtype="u1", dimension_names=["y", "x"])
        scale = [{"type": "scale", "scale": [4.0**level] * 2}]
        datasets.append({"path": str(level), "coordinateTransformations": scale})
    axes = [{"name": axis, "type": "space"} for axis in "yx"]
    image.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    labels = np.zeros((100, 100), "u4")
    labels[10:20, 30:50] = 5
    sink = GeoJsonTable()(str(tmp_path / "o.geojson"), spec_of(tmp_path, labels, 1))
    sink.write(table_of(labels))
    reader = {"name": "ome-zarr", "configuration": {"level": 1}}
    sink.finish({"source": str(tmp_path / "slide.zarr"), "pipeline": {"reader": reader}})
    (feature,) = collection_of(tmp_path / "o.geojson")["features"]
    assert feature["geometry"]["coordinates"] == [[[120, 40], [200, 40], [200, 80], [120, 80], [120, 40]]]


def test_the_writer_and_the_table_draw_the_same_outlines(tmp_path: Path) -> None:
    labels = tifffile.imread(MASK)
    (tmp_path / "writer").mkdir()
    spec = LabelSpec(shape=labels.shape, axes="yx", dtype=np.dtype("u4"), workdir=tmp_path / "writer")
    sink = GeoJsonObjects()(str(tmp_path / "writer.geojson"), spec)
    sink.write((slice(0, labels.shape[0]), slice(0, labels.shape[1])), labels)
    sink.finish({})
    one = collection_of(tmp_path / "writer.geojson")["features"]
    other = written(tmp_path / "table.geojson", labels)["features"]
    assert [each["geometry"] for each in one] == [each["geometry"] for each in other]


def test_an_object_without_a_row_is_an_error_and_the_earlier_file_stays(tmp_path: Path) -> None:
    labels = np.eye(9, dtype="u4") * np.arange(1, 10, dtype="u4")
    (tmp_path / "o.geojson").write_text("{}")
    rows = {name: values[:-1] for name, values in table_of(labels).items()}
    with pytest.raises(InvalidMeasures, match="object 9 of the labels has no row"):
        written(tmp_path / "o.geojson", labels, rows=rows)
    assert (tmp_path / "o.geojson").read_text() == "{}"
    assert len(written(tmp_path / "o.geojson", labels)["features"]) == 9  # in the same folder, as a run that resumes


@pytest.mark.parametrize("n_rows", [8, 10])
def test_another_number_of_rows_than_announced_is_an_error(tmp_path: Path, n_rows: int) -> None:
    labels = np.eye(9, dtype="u4") * np.arange(1, 10, dtype="u4")
    with pytest.raises(InvalidMeasures, match=rf"9 rows were written .* opened for {n_rows}"):
        written(tmp_path / "o.geojson", labels, n_rows=n_rows)


def test_what_makes_no_geojson_is_refused(tmp_path: Path) -> None:
    labels = np.ones((8, 8), "u4")
    path = str(tmp_path / "o.geojson")
    with pytest.raises(InvalidOption, match="GeoJSON cannot hold objects with axes 'xy'"):
        GeoJsonTable()(path, spec_of(tmp_path, labels, 1, axes="xy"))
    with pytest.raises(InvalidOption, match="is a folder"):
        GeoJsonTable()(str(tmp_path), spec_of(tmp_path, labels, 1))
    with pytest.raises(InvalidOption, match="column 'class' has dtype 'U5', but measurements are numbers"):
        GeoJsonTable()(path, spec_of(tmp_path, labels, 1, columns={**COLUMNS, "class": Column(dtype="U5")}))
    with pytest.raises(InvalidOption, match="object_type is 'detection'; only a 'cell' has a nucleus"):
        GeoJsonTable(nuclei="nuclei.tif")(path, spec_of(tmp_path, labels, 1))
    tifffile.imwrite(tmp_path / "nuclei.tif", np.zeros((9, 8), "u4"))
    with pytest.raises(InvalidOption, match=r"shape \(9, 8\), but the cells 'yx' of shape \(8, 8\)"):
        GeoJsonTable(object_type="cell", nuclei=str(tmp_path / "nuclei.tif"))(path, spec_of(tmp_path, labels, 1))
