"""Tables within OME-Zarr images, opened by ngio."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
import zarr

from tilewright.abc import Column
from tilewright.errors import AlreadyExists, InvalidOption, TilewrightError
from tilewright_measure.tables.ngio import NgioTable

from .conftest import COLUMNS, PROVENANCE, TIMED, assert_same, filled, rows_of, spec_of

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    import ngio

Version = Literal["0.4", "0.5"]
versions = pytest.mark.parametrize("version", ["0.4", "0.5"])


def image_at(folder: Path, version: Version = "0.5") -> ngio.OmeZarrContainer:
    import ngio  # not before ome-zarr-models, whose classes for 0.4 would then have members of 0.5

    pixels = np.zeros((64, 64), np.uint16)
    image = ngio.create_ome_zarr_from_array(
        folder / "image.ome.zarr", pixels, pixelsize=0.5, levels=1, ngff_version=version
    )
    image.derive_label("cells")
    return image


def write(folder: Path, name: str = "measures", n: int = 40, columns: dict[str, Column] = COLUMNS) -> Any:
    path = folder / "image.ome.zarr" / "tables" / name
    labels = str(folder / "image.ome.zarr" / "labels" / "cells")
    spec = spec_of(folder / f"run-{name}-{n}", n, columns, labels_path=labels, name="cells")
    return filled(NgioTable()(str(path), spec), rows_of(n, columns))


@versions
@pytest.mark.parametrize("n", [0, 1, 100])
def test_ngio_opens_the_table_with_its_labels_as_index(tmp_path: Path, version: Version, n: int) -> None:
    from ngio.tables import FeatureTable

    image, rows = image_at(tmp_path, version), rows_of(n)
    sink = write(tmp_path, n=n)
    assert image.list_tables() == ["measures"]
    table = image.get_table("measures")
    assert isinstance(table, FeatureTable)
    assert (table.table_type(), table.version(), table.reference_label) == ("feature_table", "1", "cells")
    frame = table.dataframe
    assert frame.index.name == "label"
    assert frame.index.dtype == (np.uint64 if n else np.int64)  # ngio's own choice for no rows
    np.testing.assert_array_equal(frame.index, rows["label"])
    assert_same(dict(frame.items()), {name: rows[name] for name in rows if name != "label"})
    assert_same(sink.read(), rows)
    group = zarr.open_group(tmp_path / "image.ome.zarr" / "tables" / "measures", mode="r")
    assert group.attrs["tilewright"] == PROVENANCE


def test_ngio_reads_times_as_a_column(tmp_path: Path) -> None:
    image = image_at(tmp_path)
    write(tmp_path, n=50, columns=TIMED)
    frame = image.get_table("measures").dataframe
    np.testing.assert_array_equal(frame["t"], rows_of(50, TIMED)["t"])


@versions
def test_other_tables_of_the_image_stay_listed(tmp_path: Path, version: Version) -> None:
    image = image_at(tmp_path, version)
    image.add_table("regions", image.build_image_roi_table("whole"), backend="csv")
    for n in (30, 40):  # the second replaces the first
        write(tmp_path, n=n)
    write(tmp_path, "others")
    assert image.list_tables() == ["regions", "measures", "others"]
    assert len(image.get_table("measures").dataframe) == 40
    assert image.get_table("regions").table_type() == "roi_table"


@versions
def test_consolidated_metadata_has_the_table(tmp_path: Path, version: Version) -> None:
    image_at(tmp_path, version)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr says of stores of v3 that others may not understand it
        zarr.consolidate_metadata(str(tmp_path / "image.ome.zarr"))
    write(tmp_path)
    group = zarr.open_group(tmp_path / "image.ome.zarr", mode="r", use_consolidated=True)
    assert group["tables"].attrs["tables"] == ["measures"]
    assert group["tables/measures"].attrs["type"] == "feature_table"


def test_a_table_of_labels_elsewhere_names_no_region(tmp_path: Path) -> None:
    image = image_at(tmp_path)
    path = tmp_path / "image.ome.zarr" / "tables" / "measures"
    filled(NgioTable()(str(path), spec_of(tmp_path / "run", 5, labels_path=str(tmp_path / "cells.tif"))), rows_of(5))
    assert image.get_table("measures").reference_label is None


def test_nothing_is_seen_of_a_table_before_its_end(tmp_path: Path) -> None:
    image = image_at(tmp_path)
    write(tmp_path, n=30)
    path = tmp_path / "image.ome.zarr" / "tables" / "measures"
    sink = NgioTable()(str(path), spec_of(tmp_path / "run", 40))
    sink.write({name: values[:35] for name, values in rows_of(40).items()})
    assert len(image.get_table("measures").dataframe) == 30
    filled(NgioTable()(str(path), spec_of(tmp_path / "run", 40)), rows_of(40))  # as the run that resumes
    assert len(image.get_table("measures").dataframe) == 40
    assert not (tmp_path / "run" / "measures").exists()


@pytest.mark.parametrize("place", ["image.ome.zarr", "image.ome.zarr/measures", "tables/measures", "a.zarr/tables/b"])
def test_what_is_not_among_the_tables_of_an_image_is_refused(tmp_path: Path, place: str) -> None:
    image_at(tmp_path)
    with pytest.raises(InvalidOption, match=r"not a table of an OME-Zarr image; write to IMAGE\.ome\.zarr/tables/NAME"):
        NgioTable()(str(tmp_path / place), spec_of(tmp_path / "run", 1))


def test_a_group_that_is_not_an_image_and_a_plain_array_have_no_tables(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "plate.zarr", attributes={"plate": {}})
    zarr.create_array(tmp_path / "plain.zarr", shape=(4, 4), dtype="u1", dimension_names=["y", "x"])
    for name in ("plate.zarr", "plain.zarr"):
        with pytest.raises(TilewrightError):
            NgioTable()(str(tmp_path / name / "tables" / "measures"), spec_of(tmp_path / "run", 1))


@pytest.mark.parametrize("name", [".hidden", "__secret", "zarr.json"])
def test_names_that_a_table_cannot_have_are_refused(tmp_path: Path, name: str) -> None:
    image_at(tmp_path)
    with pytest.raises(InvalidOption, match=f"{name!r} cannot be the name of a table"):
        NgioTable()(str(tmp_path / "image.ome.zarr" / "tables" / name), spec_of(tmp_path / "run", 1))


def test_a_folder_of_documents_is_not_replaced(tmp_path: Path) -> None:
    image_at(tmp_path)
    path = tmp_path / "image.ome.zarr" / "tables" / "measures"
    path.mkdir(parents=True)
    (path / "notes.txt").write_text("mine")
    with pytest.raises(AlreadyExists, match="has no zarr metadata"):
        NgioTable()(str(path), spec_of(tmp_path / "run", 1))


def test_the_checkpoint_lies_beside_the_store(tmp_path: Path) -> None:
    image_at(tmp_path)
    path = NgioTable().destination(str(tmp_path / "image.ome.zarr") + "/", "measures")
    assert path == f"{tmp_path}/image.ome.zarr/tables/measures"
    assert NgioTable().beside(path) == tmp_path / "image.ome.zarr"
