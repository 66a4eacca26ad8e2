"""`tilewright preview`: a picture of what a run finds in a part of an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from .conftest import Invoke


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_preview_makes_a_picture_and_says_what_is_in_it(invoke: Invoke, image: Path, here: Path) -> None:
    done = invoke("preview", image, "--segmenter", "lab-components", "--at", "32,24", "--size", "30")
    path = here / f"{image.name}.preview.png"
    first, second = done.stdout.splitlines()
    assert first == f"picture: {path}"
    assert second.startswith("y 17:47, x 9:39: ")
    assert np.asarray(Pillow.open(path)).shape[1] > 900


def test_preview_replaces_its_picture_and_never_the_image(invoke: Invoke, image: Path, here: Path) -> None:
    arguments = ("preview", image, "--segmenter", "lab-components", "--output", "seen.png")
    assert invoke(*arguments).exit_code == invoke(*arguments).exit_code == 0
    (here / "seen.png").unlink()
    (here / "seen.png").hardlink_to(image)
    before, refused = image.read_bytes(), invoke(*arguments)
    assert refused.exit_code == 2
    assert "would replace the image" in refused.stderr
    assert image.read_bytes() == before


def test_sweep_shows_each_combination_of_values(invoke: Invoke, image: Path, here: Path) -> None:
    done = invoke(
        "preview", image, "--segmenter", "lab-components", "--sweep", "threshold=1,5", "--sweep", "hold_at=7,8,9"
    )
    assert done.exit_code == 0, done.stderr
    captions = [line.partition(":")[0] for line in done.stdout.splitlines()[1:]]
    assert captions == [f"threshold = {level}, hold_at = {at}" for at in (7, 8, 9) for level in (1, 5)]
    assert [each.name for each in here.glob("*.png")] == [f"{image.name}.preview.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--at", "1000,0"), "at has y 1000, but the image has 64 pixels along y; give one from 0 to 63"),
        (("--at", "left"), "'left' is not a place, such as 120,80 for y,x"),
        (("--sweep", "treshold=1"), "has no option 'treshold'; did you mean 'threshold'"),
        (("--sweep", "threshold"), "'threshold' is not of the form OPTION=VALUE"),
        (
            ("--sweep", "threshold=1", "--sweep", "threshold=2"),
            "'threshold' comes twice; give all of its values at once",
        ),
        (("--sweep", "threshold=" + ",".join(map(str, range(65)))), "65 pictures (65 of threshold), but at most 64"),
        (("--output", "seen.jpg"), "'seen.jpg' ends in '.jpg'; end it in .png"),
        (("--output", "nowhere/seen.png"), "does not exist; make it"),
        (("--workflow", "cells.toml"), "has several steps; give the parts of one of them"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_cannot_be_shown_is_refused_in_one_line(
    invoke: Invoke, image: Path, arguments: tuple[str, ...], message: str
) -> None:
    refused = invoke("preview", image, "--segmenter", "lab-components", *arguments)
    assert refused.exit_code == 2
    assert message in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_of_several_outputs_the_first_is_shown(invoke: Invoke, image: Path, here: Path) -> None:
    done = invoke("preview", image, "--segmenter", "lab-levels", "--output", here / "seen.png")
    alone = invoke("preview", image, "--segmenter", "lab-components", "--output", here / "seen.png")
    assert done.stdout == alone.stdout
    assert " 0 objects" not in done.stdout
