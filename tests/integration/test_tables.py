"""Tables of runs, in the formats of the plugins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zarr
from numpy.typing import NDArray
from scipy import ndimage

import tilewright
from tilewright import Pipeline
from tilewright.errors import AlreadyExists

AXES = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]


def image_at(path: Path) -> Path:
    """An image of two levels, the second of which is a quarter as long."""
    group = zarr.create_group(path)
    pixels = np.zeros((400, 480), np.uint8)
    for number in range(40):
        y, x = divmod(number, 8)
        pixels[80 * y + 8 : 80 * y + 60, 60 * x + 4 : 60 * x + 44 + number % 5 * 4] = 9
    group.create_array("0", data=pixels, dimension_names=["y", "x"])
    group.create_array("1", data=pixels[::4, ::4], dimension_names=["y", "x"])
    scales = [[{"type": "scale", "scale": [0.5 * 4**level] * 2}] for level in range(2)]
    datasets = [{"path": str(level), "coordinateTransformations": scale} for level, scale in enumerate(scales)]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": AXES, "datasets": datasets}]}
    return path


def parts(pixels: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(ndimage.label(pixels)[0])


def run(image: Path, table: Path, **options: Any) -> Any:
    labels = table.parent / f"{table.name}.labels.ome.zarr"
    return Pipeline(segmenter=parts, measure=["size"]).run(image, labels, table=table, **options)


FILES = ["cells.csv", "cells.tsv", "cells.parquet", "cells.h5ad"]


@pytest.mark.parametrize("name", FILES)
def test_every_format_has_the_same_table(tmp_path: Path, name: str) -> None:
    image = image_at(tmp_path / "image.ome.zarr")
    table, reference = run(image, tmp_path / name).table, run(image, tmp_path / "reference.table.zarr").table
    pd.testing.assert_frame_equal(table.to_pandas(), reference.to_pandas(), check_exact=True)
    assert len(table) == 40


@pytest.mark.parametrize("name", [*FILES, "image.ome.zarr/tables/cells", "cells.geojson", "cells.sdata.zarr"])
def test_an_earlier_table_is_replaced_only_if_that_is_asked_for(tmp_path: Path, name: str) -> None:
    image = image_at(tmp_path / "image.ome.zarr")
    labels = tmp_path / "labels.ome.zarr"
    pipeline = Pipeline(segmenter=parts, measure=["size"])
    for overwrite in (False, True):
        assert len(pipeline.run(image, labels, table=tmp_path / name, overwrite=overwrite).table) == 40
    with pytest.raises(AlreadyExists):
        pipeline.run(image, tmp_path / "others.ome.zarr", table=tmp_path / name)
    assert not list(tmp_path.rglob("*.tilewright"))


def test_objects_of_a_coarse_level_lie_on_the_finest_with_their_measures(tmp_path: Path) -> None:
    image = image_at(tmp_path / "image.ome.zarr")
    Pipeline(segmenter=parts).run(image, tmp_path / "writer.geojson", level=1)
    run(image, tmp_path / "table.geojson", level=1)
    one, other = (json.loads((tmp_path / f"{name}.geojson").read_text())["features"] for name in ("writer", "table"))
    outlines = {each["properties"]["name"]: each["geometry"] for each in one}
    assert {each["properties"]["name"]: each["geometry"] for each in other} == outlines
    assert max(x for x, _ in one[-1]["geometry"]["coordinates"][0]) > 120
    assert {each["properties"]["measurements"]["area"] for each in other} == {w * 13 * 4.0 for w in range(10, 15)}


def test_objects_keep_their_ids_when_their_labels_are_measured_again(tmp_path: Path) -> None:
    image = image_at(tmp_path / "image.ome.zarr")
    Pipeline(segmenter=parts, measure=["size"]).run(image, table=tmp_path / "run.geojson", name="cells")
    tilewright.measure(image / "labels" / "cells", measure=["size"], table=tmp_path / "again.geojson")
    one, other = (json.loads((tmp_path / f"{name}.geojson").read_text())["features"] for name in ("run", "again"))
    assert [each["id"] for each in one] == [each["id"] for each in other]
    assert len({each["id"] for each in one}) == 40
