"""`tilewright view` as a process."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

from tilewright import Grid, Pipeline
from tilewright.cli import main

COMMAND = [sys.executable, "-m", "tilewright.cli", "view"]


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path]:
    """An image, and labels of a run on it."""
    image, labels = tmp_path / "image.zarr", tmp_path / "cells.zarr"
    pixels = np.zeros((40, 60), np.uint8)
    pixels[10:30, 10:50] = 9
    zarr.create_array(image, data=pixels, dimension_names="yx")
    Pipeline(segmenter=lambda pixels: pixels > 0, tiler=Grid(tile=32), writer="zarr-array").run(image, labels)
    return image, labels


def test_it_serves_until_it_is_interrupted(images: tuple[Path, Path]) -> None:
    with subprocess.Popen(
        [*COMMAND, *images, "--no-browser", "--at", "5,7"], stdout=subprocess.PIPE, text=True
    ) as view:
        assert view.stdout is not None
        url, advice = view.stdout.readline().strip(), view.stdout.readline()
        assert advice == "Ctrl-C ends it.\n"
        with urllib.request.urlopen(url) as page:
            assert b"neuroglancer" in page.read()
        view.send_signal(signal.SIGINT)
        assert view.wait(60) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{image}", "--at", "5,70"], "--at has x 70, but the image has 60 pixels along x; give one from 0 to 59"),
        (
            ["{image}", "--at", "1,5,7"],
            "--at has 3 numbers, but the image has the axes 'yx'; give one for each of y, x",
        ),
        (["{image}", "--at", "5;7"], "'5;7' is not a place, such as 120,80 for y,x"),
        (["{image}", "--channel", "DAPI"], "channel 'DAPI' was asked for, but the image's axes 'yx' have no c"),
        (["{image}", "nowhere.zarr"], "'nowhere.zarr' does not exist; check the path"),
    ],
)
def test_what_is_wrong_is_one_line(images: tuple[Path, Path], arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["view", *(each.format(image=images[0]) for each in arguments)])
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_viewer_that_is_not_installed_is_named(images: tuple[Path, Path]) -> None:
    script = "import sys; sys.modules['tilewright_view'] = None; from tilewright.cli import main; main()"
    run = subprocess.run([sys.executable, "-c", script, "view", images[0]], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.strip().endswith("install it: pip install tilewright-view")
