"""Labels and tables that a run adds to a SpatialData store, opened by spatialdata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tilewright import Pipeline
from tilewright.errors import InvalidOption
from tilewright_spatialdata.table import SpatialDataTable

spatialdata = pytest.importorskip("spatialdata", reason="it wants older libraries than the rest: make test-spatialdata")
pytest.importorskip("tilewright_ome_zarr", reason="it reads the images and writes the labels")
ndimage = pytest.importorskip("scipy.ndimage")
pytestmark = pytest.mark.filterwarnings("default")  # spatialdata's libraries warn of one another

GRID = {"name": "grid", "configuration": {"tile": 32}}


def bright(pixels: NDArray[Any]) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(pixels > 0)[0]
    return labels


def blobs(shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Squares of 5 pixels, some of which lie on the borders of tiles."""
    pixels = np.zeros(shape, np.uint16)
    for y in range(2, shape[-2] - 6, 9):
        for x in range(3, shape[-1] - 6, 11):
            pixels[..., y : y + 5, x : x + 5] = 7
    return pixels


def stored(path: Path, v1: bool = False) -> Path:
    """A store with an image of two channels and three levels in three coordinate systems, and another image."""
    from spatialdata.models import Image2DModel
    from spatialdata.transformations import Identity, Scale, Sequence, Translation

    scale = Scale([0.5, 0.25], axes=("y", "x"))
    moved = Sequence([scale, Translation([3.0, 4.0], axes=("y", "x"))])
    pixels = np.stack([blobs((100, 128)), np.zeros((100, 128), np.uint16)])
    slide = Image2DModel.parse(
        pixels,
        dims=("c", "y", "x"),
        scale_factors=[2, 2],
        transformations={"global": Identity(), "um": scale, "stage": moved},
    )
    data = spatialdata.SpatialData(images={"slide": slide, "other": Image2DModel.parse(pixels, dims=("c", "y", "x"))})
    formats = {"sdata_formats": spatialdata._io.format.SpatialDataContainerFormatV01()} if v1 else {}
    data.write(path, **formats)
    return path


def matrix(element: Any, system: str) -> NDArray[Any]:
    found = spatialdata.transformations.get_transformation(element, system)
    return np.asarray(found.to_affine_matrix(("y", "x"), ("y", "x")))


@pytest.mark.parametrize("v1", [False, True])
def test_labels_become_an_element_beside_their_image(tmp_path: Path, caplog: Any, v1: bool) -> None:
    store = stored(tmp_path / "s.zarr", v1)
    result = Pipeline(segmenter=bright, tiler=GRID).run(f"{store}#slide", channel=0, name="cells")
    assert result.path == store / "labels" / "cells"
    data = spatialdata.read_zarr(store)
    assert "no parent found" not in caplog.text
    assert sorted(data.images) == ["other", "slide"]
    labels, image = data.labels["cells"], data.images["slide"]
    spatialdata.models.get_model(labels)().validate(labels)
    finest = np.asarray(labels["scale0"]["image"])
    np.testing.assert_array_equal(finest, bright(blobs((100, 128))))
    assert [labels[k]["image"].shape for k in labels] == [(100, 128), (50, 64), (25, 32)]
    assert spatialdata.transformations.get_transformation(labels, get_all=True).keys() == {"global", "um", "stage"}
    for system in ("global", "um", "stage"):
        np.testing.assert_array_equal(matrix(labels, system), matrix(image, system))


@pytest.mark.parametrize("v1", [False, True])
def test_labels_of_a_coarse_level_lie_where_it_lies(tmp_path: Path, v1: bool) -> None:
    store = stored(tmp_path / "s.zarr", v1)
    Pipeline(segmenter=bright, tiler=GRID).run(f"{store}#slide", channel=0, level=1, name="cells")
    labels = spatialdata.read_zarr(store).labels["cells"]
    assert labels["scale0"]["image"].shape == (50, 64)
    expected = {"global": ([2, 2], [0, 0]), "um": ([1, 0.5], [0, 0]), "stage": ([1, 0.5], [3, 4])}
    for system, (scale, translation) in expected.items():
        np.testing.assert_array_equal(np.diag(matrix(labels, system))[:2], scale)
        np.testing.assert_array_equal(matrix(labels, system)[:2, 2], translation)


def test_a_table_annotates_the_labels_in_their_store(tmp_path: Path) -> None:
    store = stored(tmp_path / "s.zarr")
    pipeline = Pipeline(segmenter=bright, tiler=GRID, measure="size")
    table = {"table": store / "tables" / "measures", "table_format": "spatialdata"}
    result = pipeline.run(f"{store}#slide", channel=0, name="cells", **table)
    data = spatialdata.read_zarr(store)
    rows = data.tables["measures"]
    assert rows.uns["spatialdata_attrs"] == {"region": "cells", "region_key": "region", "instance_key": "label"}
    assert len(rows) == result.n_objects
    elements, joined = spatialdata.join_spatialelement_table(
        sdata=data, spatial_element_names="cells", table_name="measures", how="left"
    )
    assert list(elements) == ["cells"]
    np.testing.assert_array_equal(joined.obs["label"], np.arange(1, result.n_objects + 1))
    pipeline.run(f"{store}#slide", channel=0, name="cells", overwrite=True, **table)
    data = spatialdata.read_zarr(store)
    data.write(tmp_path / "again.zarr")
    assert sorted(spatialdata.read_zarr(tmp_path / "again.zarr").tables) == ["measures"]


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("Slide", "which has images/slide"),
        ("my cells", "is not a name for labels"),
        ("OTHER", "which has images/other"),
    ],
)
def test_a_name_that_spatialdata_would_refuse_is_refused_before_work(tmp_path: Path, name: str, match: str) -> None:
    store = stored(tmp_path / "s.zarr")
    with pytest.raises(InvalidOption, match=match):
        Pipeline(segmenter=bright).run(f"{store}#slide", channel=0, name=name)


def test_labels_of_an_image_from_elsewhere_are_refused(tmp_path: Path) -> None:
    store, foreign = stored(tmp_path / "s.zarr"), stored(tmp_path / "foreign.zarr")
    with pytest.raises(InvalidOption, match="placed like one of its images"):
        Pipeline(segmenter=bright).run(f"{foreign}#slide", store / "labels" / "cells", channel=0)
    with pytest.raises(InvalidOption, match="placed like one of its images"):
        Pipeline(segmenter=bright).run(blobs((100, 128)), store / "labels" / "cells")


def test_a_plain_array_is_not_taken_for_a_spatialdata_store(tmp_path: Path) -> None:
    import zarr

    zarr.create_array(tmp_path / "plain.zarr", shape=(4, 4), dtype="u1")
    assert SpatialDataTable().beside(str(tmp_path / "plain.zarr/tables/measures")).name == "measures"


@pytest.mark.parametrize(
    ("v1", "table", "labels", "match"),
    [
        (True, "measures", "labels/cells", "is of zarr v2"),
        (False, "measures", "../apart.zarr", "which are not in"),
        (False, "CELLS", "labels/cells", "which has labels/cells"),
        (False, "my table", "labels/cells", "cannot be a name"),
    ],
)
def test_a_table_that_the_store_cannot_hold_is_refused(
    tmp_path: Path, v1: bool, table: str, labels: str, match: str
) -> None:
    store = stored(tmp_path / "s.zarr", v1)
    with pytest.raises(InvalidOption, match=match):
        Pipeline(segmenter=bright, measure="size").run(
            f"{store}#slide",
            (store / labels).resolve(),
            channel=0,
            table=store / "tables" / table,
            table_format="spatialdata",
        )
