"""SpatialData stores, opened by spatialdata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from tilewright.abc import Column, Facts, TableSpec
from tilewright.errors import AlreadyExists, InvalidOption
from tilewright_measure.tables import rows as table_rows
from tilewright_spatialdata import labels as element
from tilewright_spatialdata.table import SpatialDataTable

spatialdata = pytest.importorskip("spatialdata", reason="it wants older libraries than the rest: make test-spatialdata")
pytestmark = pytest.mark.filterwarnings("default")  # spatialdata's libraries warn of one another

PROVENANCE = {"tilewright": "0.1.0", "source": '/dätä/<image> & "co".tif'}
COLUMNS = {
    "label": Column(dtype="uint64"),
    "area": Column(unit="micrometer^2"),
    "centroid-0": Column(unit="micrometer"),
    "centroid-1": Column(unit="micrometer"),
    "num_pixels": Column(dtype="int64"),
    "parent": Column(dtype="uint64"),
    "touches_border": Column(dtype="bool"),
    'mean-DAPI, "405" µ/ß': Column(dtype="float32"),
}


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of few rows and pixels, so that small tables and images have several."""
    monkeypatch.setattr(table_rows, "LONGEST", 16)
    monkeypatch.setattr(element, "CHUNKS", {2: (16, 16), 3: (2, 16, 16)})


def labels_of(n: int, shape: tuple[int, ...] = (40, 50)) -> NDArray[np.uint64]:
    """Objects of three pixels with ids that end at the largest that SpatialData has."""
    flat = np.zeros(int(np.prod(shape)), np.uint64)
    flat[: 3 * n] = np.repeat(ids_of(n), 3)
    return flat.reshape(shape)


def ids_of(n: int) -> NDArray[np.uint64]:
    return np.arange(n, dtype=np.uint64) + np.uint64(2**63 - n)


def rows_of(n: int) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(n)
    rows: dict[str, NDArray[Any]] = {
        name: (rng.random(n) * 1000).astype(column.dtype) for name, column in COLUMNS.items()
    }
    rows["area"][::5] = np.nan
    return {**rows, "label": ids_of(n), "parent": np.uint64(2**64 - 1) - ids_of(n)}


def write(path: Path, n: int, run: str = "run", **others: Any) -> Any:
    axes, shape = others.pop("axes", "yx"), others.pop("shape", (40, 50))
    workdir = path.parent / run
    workdir.mkdir(exist_ok=True)
    facts = Facts(axes=axes, shape=shape, spacing=(0.5, 0.25, 2.0)[: len(axes)], units=("micrometer",) * len(axes))
    given = {"name": "cells", "columns": COLUMNS, "labels": labels_of(n, shape), **others}
    sink = SpatialDataTable()(str(path), TableSpec(n_rows=n, facts=facts, workdir=workdir, **given))
    for start in range(0, n, 7):
        sink.write({name: values[start : start + 7] for name, values in rows_of(n).items()})
    sink.finish(PROVENANCE)
    return sink


@pytest.mark.parametrize("n", [0, 1, 100])
def test_spatialdata_reads_labels_and_the_table_that_annotates_them(tmp_path: Path, n: int) -> None:
    sink, rows = write(tmp_path / "cells.sdata.zarr", n), rows_of(n)
    data = spatialdata.read_zarr(tmp_path / "cells.sdata.zarr")
    np.testing.assert_array_equal(np.asarray(data.labels["cells"]), labels_of(n))
    table = data.tables["table"]
    keys = {"region": "cells", "region_key": "region", "instance_key": "label"}
    assert table.uns.get("spatialdata_attrs") == (keys if n else None)
    assert table.obs.columns.tolist() == ["region", "label", "num_pixels", "parent", "touches_border"]
    for name in ("label", "num_pixels", "parent", "touches_border"):
        assert table.obs[name].dtype == rows[name].dtype
        np.testing.assert_array_equal(table.obs[name], rows[name])
    for name in table.var_names:
        np.testing.assert_array_equal(table[:, name].X[:, 0].astype(rows[name].dtype), rows[name])
    np.testing.assert_array_equal(table.obsm["spatial"], np.column_stack([rows["centroid-1"], rows["centroid-0"]]))
    assert json.loads(table.uns["tilewright"]) == PROVENANCE
    found = sink.read()
    assert list(found) == list(rows)
    for name, values in rows.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)


def test_spatialdata_matches_rows_and_labels(tmp_path: Path) -> None:
    write(tmp_path / "cells.sdata.zarr", 100)
    data = spatialdata.read_zarr(tmp_path / "cells.sdata.zarr")
    spatialdata.models.TableModel().validate(data.tables["table"])
    elements, table = spatialdata.join_spatialelement_table(
        sdata=data, spatial_element_names="cells", table_name="table", how="left"
    )
    assert list(elements) == ["cells"]
    assert len(table) == 100
    assert set(spatialdata.get_element_instances(data.labels["cells"])) - {0} == set(table.obs["label"])


def test_positions_are_pixels_and_units(tmp_path: Path) -> None:
    write(tmp_path / "cells.sdata.zarr", 10, axes="zyx", shape=(3, 20, 30))
    data = spatialdata.read_zarr(tmp_path / "cells.sdata.zarr")
    assert data.labels["cells"].dims == ("z", "y", "x")
    assert sorted(data.coordinate_systems) == ["global", "physical"]
    found = spatialdata.transformations.get_transformation(data.labels["cells"], "physical")
    np.testing.assert_array_equal(np.diag(found.to_affine_matrix(tuple("zyx"), tuple("zyx"))), [0.5, 0.25, 2.0, 1])


def test_spatialdata_can_add_to_the_store_and_write_it_again(tmp_path: Path) -> None:
    write(tmp_path / "cells.sdata.zarr", 20)
    data = spatialdata.read_zarr(tmp_path / "cells.sdata.zarr")
    data.labels["others"] = data.labels["cells"]
    data.write_element("others")
    data.write(tmp_path / "again.zarr")
    again = spatialdata.read_zarr(tmp_path / "again.zarr")
    assert sorted(again.labels) == ["cells", "others"]
    np.testing.assert_array_equal(again.tables["table"].obs["label"], ids_of(20))


def test_an_earlier_store_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "cells.sdata.zarr"
    write(path, 30)
    with pytest.raises(ZeroDivisionError):
        write(path, 40, labels=_Broken())
    assert len(spatialdata.read_zarr(path).tables["table"]) == 30
    write(path, 40)  # in the same folder, as a run that resumes
    assert len(spatialdata.read_zarr(path).tables["table"]) == 40


class _Broken:
    shape, dtype = (40, 50), np.dtype("u8")

    def __getitem__(self, region: Any) -> Any:
        return 1 / 0


def test_a_folder_of_documents_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "cells.sdata.zarr").mkdir()
    (tmp_path / "cells.sdata.zarr" / "notes.txt").write_text("mine")
    with pytest.raises(AlreadyExists, match="has no zarr metadata"):
        write(tmp_path / "cells.sdata.zarr", 1)


@pytest.mark.parametrize(
    ("others", "match"),
    [
        ({"axes": "xy"}, "cannot hold labels with axes 'xy'"),
        ({"name": "my cells"}, "'my cells' cannot be a name in SpatialData"),
        ({"name": "__cells"}, "'__cells' cannot be a name in SpatialData"),
        ({"columns": {**COLUMNS, "count DAPI": Column(dtype="int64")}}, "'count DAPI' cannot be a name"),
        ({"columns": {**COLUMNS, "region": Column(dtype="int64")}}, "cannot be a column of AnnData's obs"),
    ],
)
def test_what_spatialdata_cannot_hold_is_refused(tmp_path: Path, others: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidOption, match=match):
        write(tmp_path / "cells.sdata.zarr", 1, **others)


def test_metadata_is_consolidated(tmp_path: Path) -> None:
    write(tmp_path / "cells.sdata.zarr", 20)
    group = zarr.open_group(tmp_path / "cells.sdata.zarr", mode="r")
    assert group.metadata.consolidated_metadata is not None
