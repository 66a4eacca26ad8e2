"""Which files a model is made of, and one line of advice where they are not there."""

from __future__ import annotations

import json
import re
import shutil
import socket
from pathlib import Path

import pytest

from tilewright.errors import InvalidOption, NotReadable, TilewrightError
from tilewright_stardist import folders
from tilewright_stardist.folders import axes_of, channels_of, digest_of, folder_of

pytestmark = pytest.mark.slow


@pytest.fixture
def copied(small2d: str, tmp_path: Path) -> Path:
    """The small model in a folder of its own, to be spoilt."""
    return Path(shutil.copytree(small2d, tmp_path / "mine", copy_function=shutil.copyfile))


def test_a_folder_is_found_from_where_one_stands(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copied.parent)
    monkeypatch.setenv("HOME", str(copied.parent))
    assert folder_of("mine") == folder_of("~/mine") == folder_of(str(copied)) == copied


@pytest.mark.parametrize(
    ("fixture", "axes", "channels"), [("small2d", "yx", 1), ("small3d", "zyx", 1), ("small_rgb", "cyx", 3)]
)
def test_the_configuration_says_which_axes(
    fixture: str, axes: str, channels: int, request: pytest.FixtureRequest
) -> None:
    folder = Path(request.getfixturevalue(fixture))
    assert (axes_of(folder), channels_of(folder)) == (axes, channels)


def test_an_unknown_model_is_told_in_one_line_that_says_where_models_come_from() -> None:
    with pytest.raises(InvalidOption) as caught:
        folder_of("nuclei/none")
    said = str(caught.value)
    assert "\n" not in said
    for part in ("'nuclei/none'", str(Path.cwd()), "2D_versatile_fluo, 2D_versatile_he", "3D_demo", folders.RELEASES,
                 "(model=FOLDER)"):  # fmt: skip
        assert part in said


def test_a_pretrained_model_that_cannot_be_fetched_is_one_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))  # nothing is there

    def refused(*_: object, **__: object) -> None:
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    with pytest.raises(NotReadable, match=r"^StarDist's model '2D_demo' cannot be fetched \(.*model=FOLDER\)$"):
        folder_of("2D_demo")


@pytest.mark.parametrize(
    ("missing", "message"),
    [("config.json", "is not a StarDist model: it has no config.json"), ("weights_best.h5", "holds no weights (*.h5)")],
)
def test_a_folder_that_lacks_a_file_is_refused(copied: Path, missing: str, message: str) -> None:
    (copied / missing).unlink()
    with pytest.raises(InvalidOption, match=re.escape(message)) as caught:
        folder_of(str(copied))
    assert folders.RELEASES in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"n_dim": "two"}', "\x00"])
def test_a_configuration_that_is_none_is_an_error_of_ours(copied: Path, text: str) -> None:
    (copied / "config.json").write_text(text)
    with pytest.raises(TilewrightError, match=r"config\.json is not a StarDist configuration"):
        axes_of(copied)


def test_the_digest_changes_with_the_weights_and_the_thresholds_and_with_nothing_else(copied: Path) -> None:
    before = digest_of(copied)
    (copied / "notes.txt").write_text("tuesday")
    assert digest_of(copied) == before
    (copied / "thresholds.json").write_text(json.dumps({"prob": 0.5, "nms": 0.4}))
    other = digest_of(copied)
    (copied / "weights_best.h5").write_bytes(b"others")
    assert len({before, other, digest_of(copied)}) == 3
