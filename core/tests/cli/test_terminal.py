"""What a file says of itself steers no terminal, wherever it is printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tilewright import Grid, Image, InvalidOption, Pipeline
from tilewright.components.printable import printable

from .conftest import Invoke

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[31mfine\u202egpj.exe"


def hostile_image(folder: Path) -> Path:
    """An OME-Zarr whose name and channels would set a terminal's title, clear it, and turn the text around."""
    import zarr

    group = zarr.open_group(folder / "image.ome.zarr", mode="w", zarr_format=3)
    axes = [{"name": name, "type": kind} for name, kind in (("c", "channel"), ("y", "space"), ("x", "space"))]
    scale = [{"type": "scale", "scale": [1.0] * 3}]
    multiscales = [{"name": HOSTILE, "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": multiscales,
        "omero": {"channels": [{"label": HOSTILE}, {"label": "b"}]},
    }
    group.create_array("0", data=np.zeros((2, 8, 8), "u2"), dimension_names=["c", "y", "x"])
    return folder / "image.ome.zarr"


@pytest.mark.slow
def test_what_a_file_says_is_printed_with_escapes(tmp_path: Path) -> None:
    pytest.importorskip("tilewright_ome_zarr")
    image = hostile_image(tmp_path)
    for command in (["info", image], ["run", image, tmp_path / "out.zarr", "--segmenter", "threshold"]):
        done = subprocess.run(
            [sys.executable, "-m", "tilewright.cli", *map(str, command)], capture_output=True, text=True, check=False
        )
        assert not {character for character in done.stdout + done.stderr if not character.isprintable()} - {"\n"}
        assert "\\x1b]0;owned\\x07" in done.stdout + done.stderr


def test_a_listing_on_a_terminal_has_headings_and_no_steering(invoke: Invoke) -> None:
    listed = invoke("plugins")
    assert listed.stdout.startswith("readers\n\n")
    assert "\x1b" not in listed.stdout


def test_a_terminal_that_lacks_a_character_gets_its_code(tmp_path: Path) -> None:
    np.save(tmp_path / "naïve.npy", np.eye(3))
    done = subprocess.run(
        [sys.executable, "-m", "tilewright.cli", "info", str(tmp_path / "µ.npy")],
        env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: ")


def test_a_path_without_a_text_is_kept_with_escapes_in_the_provenance(tmp_path: Path) -> None:
    name = os.fsdecode(b"z\xfcrich")
    image = Image(np.eye(4), "yx", source=str(tmp_path / name), name=name)
    result = Pipeline(segmenter=np.sign, tiler=Grid(tile=2), writer="zarr-array").run(image, tmp_path / "labels")
    json.dumps(result.provenance, ensure_ascii=False).encode()


def test_errors_keep_the_text_as_it_is() -> None:
    with pytest.raises(InvalidOption) as caught:
        Image(np.eye(4), "yx").channel_index("\x1b")
    assert printable(str(caught.value)).isprintable()
