"""`tilewright compare`: two label images side by side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from .conftest import Invoke, save


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Three objects; the second image has fused two of them."""
    labels = np.repeat([[0, 1, 1, 2, 2, 0, 3, 3]], 4, axis=0)
    return save(tmp_path / "one.yx.lab", labels), save(tmp_path / "two.yx.lab", np.where(labels == 2, 1, labels))


def test_compare_tells_a_person_how_many_objects_match(invoke: Invoke, pair: tuple[Path, Path]) -> None:
    assert invoke("compare", *pair).stdout.splitlines() == [
        f"reference 3 objects in {pair[0]}",
        f"labels    2 objects in {pair[1]}",
        "",
        "   IoU      AP  precision  recall      F1  matched  missed  extra",
        "   0.5  0.6667     1.0000  0.6667  0.8000        2       1      0",
        "   0.7  0.2500     0.5000  0.3333  0.4000        1       2      1",
        "   0.9  0.2500     0.5000  0.3333  0.4000        1       2      1",
        "",
        "1 fused, 0 split, 0 lost, 0 doubled",
    ]


def test_compare_as_json_holds_the_same_figures(invoke: Invoke, pair: tuple[Path, Path]) -> None:
    found = json.loads(invoke("compare", *pair, "--thresholds", "0.5, 1", "--json", "--reader", "lab").stdout)
    assert (found["reference"], found["labels"]) == tuple(map(str, pair))
    assert (found["n_reference"], found["n_predicted"], found["fused"], found["doubled"]) == (3, 2, 1, 0)
    assert [(each["threshold"], each["matched"]) for each in found["scores"]] == [(0.5, 2), (1.0, 1)]
    assert found["scores"][0]["ap"] == 2 / 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--thresholds", "half"], "'half' is not a list of numbers, such as 0.5,0.75"),
        (["--thresholds", "2"], "above 0 and up to 1, not 2.0"),
    ],
)
def test_compare_refuses_thresholds_that_are_none(
    invoke: Invoke, pair: tuple[Path, Path], options: list[str], said: str
) -> None:
    refused = invoke("compare", *pair, *options)
    assert refused.exit_code == 2
    assert said in refused.stderr


def test_compare_refuses_images_of_different_extent(invoke: Invoke, pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = save(tmp_path / "other.yx.lab", np.ones((3, 8), int))
    refused = invoke("compare", pair[0], other)
    assert refused.exit_code == 2
    assert "of different extent cannot be compared" in refused.stderr
    assert "\n" not in refused.stderr.strip()


def test_compare_takes_labels_stored_as_whole_floats_and_names_the_pixel_that_is_no_label(
    invoke: Invoke, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    labels = np.load(pair[1]).astype("f4")
    whole = save(tmp_path / "whole.yx.lab", labels)
    assert invoke("compare", pair[0], whole).stdout.splitlines()[2:] == invoke("compare", *pair).stdout.splitlines()[2:]
    labels[1, 4] = 1.5
    refused = invoke("compare", pair[0], save(tmp_path / "broken.yx.lab", labels))
    assert refused.exit_code == 2
    assert "broken.yx.lab has the value 1.5 at y=1, x=4, which is not a label" in refused.stderr
