"""`tilewright info`: what an image holds, without its pixels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .conftest import Invoke, save


def test_info_tells_a_person_what_the_image_holds(invoke: Invoke, tmp_path: Path) -> None:
    path = save(tmp_path / "two.cyx.lab", np.zeros((2, 30, 40), np.uint16))
    assert invoke("info", path).stdout.splitlines() == [
        "image    image",
        "format   lab",
        "reader   lab, cli-lab 1.5",
        "axes     cyx",
        "shape    2 × 30 × 40 (4.8 kB)",
        "dtype    uint16",
        "chunks   2 × 30 × 40",
        "spacing  x 0.5 micrometer",
        "extent   x 20 micrometer",
        "channels dye0, dye1",
        "labels   cells, nuclei",
    ]


def test_info_as_json_holds_the_same_facts(invoke: Invoke, image: Path) -> None:
    facts = json.loads(invoke("info", image, "--reader", "lab", "--json").stdout)
    assert (facts["reader"]["name"], facts["reader"]["configuration"]) == ("lab", {"axes": None})
    assert (facts["reader"]["distribution"], facts["reader"]["version"]) == ("cli-lab", "1.5")
    assert (facts["axes"], facts["shape"], facts["dtype"]) == ("yx", [64, 48], "uint8")
    assert (facts["spacing"], facts["units"]) == ({"x": 0.5}, {"x": "micrometer"})
    assert (facts["channels"], facts["levels"], facts["labels"]) == ([], [], ["cells", "nuclei"])


def test_info_takes_options_of_the_reader(invoke: Invoke, image: Path) -> None:
    facts = json.loads(invoke("info", image, "--reader", "lab", "--reader-set", "axes=zx", "--json").stdout)
    assert facts["axes"] == "zx"


def test_info_takes_the_axes_and_the_level_as_a_run_does(invoke: Invoke, image: Path) -> None:
    assert json.loads(invoke("info", image, "--axes", "zx", "--json").stdout)["axes"] == "zx"
    refused = invoke("info", image, "--level", "1")
    assert (refused.exit_code, refused.stderr) == (
        2,
        "error: reader 'lab' of cli-lab 1.5 has no option 'level'; leave level out (--level)\n",
    )
