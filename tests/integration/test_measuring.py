"""Measuring from the command line, with the plugins of this repository: what it prints, writes and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zarr
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from skimage.measure import regionprops_table

from tilewright.cli import main

SHAPE = (90, 120)
AXES = [{"name": "c", "type": "channel"}, *({"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx")]


def objects() -> NDArray[np.uint16]:
    """12 objects, with ids that are not consecutive."""
    labels = np.zeros(SHAPE, np.uint16)
    for number in range(12):
        y, x = divmod(number, 4)
        labels[30 * y + 4 : 30 * y + 20 + number, 30 * x + 4 : 30 * x + 24] = 3 * number + 2
    return labels


def pixels() -> NDArray[np.uint8]:
    """Objects are above 100 in the first of two channels."""
    noise = np.random.default_rng(0).integers(0, 100, (2, *SHAPE))
    noise[0] += 101 * (objects() > 0)
    return noise.astype(np.uint8)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An OME-Zarr image of two channels with a pyramid of one level, and labels `cells` in it."""
    group = zarr.create_group(tmp_path / "image.ome.zarr")
    group.create_array("0", data=pixels(), dimension_names=["c", "y", "x"])
    channels = [{"label": name} for name in ("DAPI", "GFP")]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [_multiscale(AXES, 3)], "omero": {"channels": channels}}
    labels = group.create_group("labels", attributes={"ome": {"version": "0.5", "labels": ["cells"]}})
    cells = labels.create_group("cells")
    cells.create_array("0", data=objects(), dimension_names=["y", "x"])
    cells.attrs["ome"] = {"version": "0.5", "multiscales": [_multiscale(AXES[1:], 2)], "image-label": {}}
    return tmp_path / "image.ome.zarr"


def _multiscale(axes: list[dict[str, str]], n: int) -> dict[str, Any]:
    scale = {"type": "scale", "scale": [1.0, 0.5, 0.5][-n:]}
    return {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}


def invoke(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_labels_in_the_store_of_their_image_are_measured_there(image: Path, tmp_path: Path) -> None:
    table = tmp_path / "cells.csv"
    done = invoke("measure", image / "labels" / "cells", table, "--measure", "size,intensity", "--quiet")
    assert (done.exit_code, done.stderr) == (0, "")
    frame = pd.read_csv(table)
    assert done.stdout == f"table:  {table} (12 rows of {len(frame.columns)} columns)\n"
    expected = regionprops_table(objects(), np.moveaxis(pixels(), 0, -1), properties=("label", "intensity_mean"))
    assert frame["label"].tolist() == expected["label"].tolist()
    np.testing.assert_allclose(frame["intensity_mean-DAPI"], expected["intensity_mean-0"])
    np.testing.assert_allclose(frame["intensity_mean-GFP"], expected["intensity_mean-1"])
    assert (frame["area"] == frame["num_pixels"] / 4).all()


def test_the_facts_of_a_table_are_one_json_object(image: Path, tmp_path: Path) -> None:
    labels, table = image / "labels" / "cells", tmp_path / "cells.parquet"
    done = invoke("measure", labels, image, table, "--measure", "intensity", "--channels", "GFP", "--json", "--quiet")
    said = json.loads(done.stdout)
    assert (said["path"], said["n_rows"], said["too_large"]) == (str(table), 12, [])
    assert list(said["columns"])[:2] == ["label", "intensity_mean"]
    assert said["columns"]["label"] == {"dtype": "uint64", "unit": ""}
    assert pd.read_parquet(table)["intensity_mean"].max() < 100


def test_a_run_measures_its_labels_in_the_channels_that_are_chosen(image: Path, tmp_path: Path) -> None:
    table = tmp_path / "cells.csv"
    words = ("--segmenter", "threshold", "--set", "threshold=100", "--channel", "DAPI", "--tile", "40", "--quiet")
    words += ("--measure", "size,intensity", "--measure-channels", "GFP", "--table", table)
    done = invoke("run", image, tmp_path / "cells.ome.zarr", *words)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("12 objects in 9 tiles\n")
    assert f"table:  {table} (12 rows of " in done.stdout
    frame = pd.read_csv(table)
    assert sorted(frame["num_pixels"]) == sorted(np.bincount(objects().ravel())[2::3])
    assert frame["intensity_mean"].max() < 100
    again = tmp_path / "again.csv"
    words = ("--measure", "size,intensity", "--channels", "GFP")
    assert invoke("measure", tmp_path / "cells.ome.zarr", image, again, *words).exit_code == 0
    assert again.read_bytes() == table.read_bytes()


def test_an_option_of_a_measurer_may_be_names_between_commas(image: Path, tmp_path: Path) -> None:
    words = ("--measure", "size", "--measure-set", "size.properties=area,extent")
    assert invoke("measure", image / "labels" / "cells", tmp_path / "cells.csv", *words).exit_code == 0
    assert list(pd.read_csv(tmp_path / "cells.csv")) == ["label", "area", "extent"]


def test_other_labels_are_given_by_name(image: Path, tmp_path: Path) -> None:
    labels, words = image / "labels" / "cells", ("--measure", "overlaps", "--measure-set", "overlaps.given=nuclei")
    done = invoke("measure", labels, tmp_path / "a.csv", *words, "--given", f"nuclei={labels}")
    assert done.exit_code == 0, done.stderr
    frame = pd.read_csv(tmp_path / "a.csv")
    assert (frame["parent-nuclei"] == frame["label"]).all()
    assert (frame["iou-nuclei"] == 1).all()
    done = invoke("measure", labels, tmp_path / "b.csv", *words)
    assert done.exit_code == 2
    assert "needs the label image 'nuclei', but none of that name is given" in done.stderr
    assert "--given nuclei=PATH" in done.stderr


def alone(image: Path, folder: Path) -> tuple[object, ...]:
    """Labels without an image."""
    labels = folder / "alone.ome.zarr"
    assert invoke("run", image, labels, "--segmenter", "threshold", "--channel", "DAPI").exit_code == 0
    return ("measure", labels, folder / "c.csv", "--measure", "intensity")


def smaller(image: Path, folder: Path) -> tuple[object, ...]:
    """An image of fewer rows."""
    zarr.create_array(folder / "other.zarr", data=pixels()[0, :50], dimension_names=["y", "x"])
    return ("measure", image / "labels/cells", folder / "other.zarr", folder / "c.csv", "--measure", "intensity")


REFUSED: dict[str, tuple[Callable[[Path, Path], tuple[object, ...]], str]] = {
    "nothing": (lambda image, folder: ("measure", image / "labels/cells", folder / "c.csv"), "no measurer is given"),
    "unknown": (
        lambda image, folder: ("measure", image / "labels/cells", folder / "c.csv", "--measure", "sizes"),
        "did you mean 'size'?",
    ),
    "many": (lambda image, _: ("measure", image, image, image, "c.csv", "--measure", "size"), "not 4 paths"),
    "format": (
        lambda image, folder: ("measure", image / "labels/cells", folder / "c.xyz", "--measure", "size"),
        "c.xyz",
    ),
    "alone": (alone, "measures pixels, but no image is given"),
    "smaller": (smaller, "the labels have the shape yx (90, 120), but the image"),
    "twice": (
        lambda image, folder: (
            "measure",
            image / "labels/cells",
            folder / "c.csv",
            "--measure",
            "size,regionprops",
            "--measure-set",
            "regionprops.properties=area",
        ),
        "the column 'area' is one of measurer 'size'",
    ),
    "channels": (
        lambda image, folder: ("measure", image, folder / "c.csv", "--measure", "size"),
        "the label image has 2 channels",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_measured_ends_with_exit_code_2_and_no_table(what: str, image: Path, tmp_path: Path) -> None:
    words, message = REFUSED[what]
    done = invoke(*words(image, tmp_path))
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert not list(tmp_path.glob("c.*"))


def test_a_table_that_is_there_is_replaced_only_on_request(image: Path, tmp_path: Path) -> None:
    words = ("measure", image / "labels" / "cells", tmp_path / "cells.csv", "--measure", "size")
    assert invoke(*words).exit_code == 0
    before = (tmp_path / "cells.csv").read_bytes()
    done = invoke(*words, "--measure-set", "size.properties=extent")
    assert done.exit_code == 2
    assert "cells.csv exists" in done.stderr
    assert (tmp_path / "cells.csv").read_bytes() == before
    assert invoke(*words, "--measure-set", "size.properties=extent", "--overwrite").exit_code == 0
    assert list(pd.read_csv(tmp_path / "cells.csv")) == ["label", "extent"]


def test_each_time_has_rows_of_its_own(tmp_path: Path) -> None:
    times = np.stack([objects(), np.where(objects() == 5, 0, objects())])
    for name, data in (("labels", times), ("image", np.stack([pixels()[0], pixels()[1]]))):
        zarr.create_array(tmp_path / f"{name}.zarr", data=data, dimension_names=["t", "y", "x"])
    words = ("--measure", "intensity", "--measure-pixels", "500")
    done = invoke("measure", tmp_path / "labels.zarr", tmp_path / "image.zarr", tmp_path / "cells.csv", *words)
    assert done.exit_code == 0, done.stderr
    frame = pd.read_csv(tmp_path / "cells.csv")
    assert list(frame)[:2] == ["t", "label"]
    assert frame["t"].tolist() == [0] * 12 + [1] * 11
    for time in range(2):
        expected = regionprops_table(times[time], pixels()[time], properties=("label", "intensity_mean"))
        own = frame[frame["t"] == time]
        assert own["label"].tolist() == expected["label"].tolist()
        np.testing.assert_allclose(own["intensity_mean"], expected["intensity_mean"])
