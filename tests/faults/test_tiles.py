"""Tiles that fail: the run ends or leaves them out, and the next one does just those."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from runs import CALLS, Components, expect, run
from scipy import ndimage
from stores import TILE, labels_of, make_image

from tilewright import ComponentFailed, Grid, InvalidLabels, NotReadable, Overlap, SegmenterFailed


@dataclass(frozen=True, kw_only=True)
class Failing(Components):
    """Components that fail on a tile whose mean is `at`, until the file `mended` is there."""

    at: float = 0
    mended: str = ""
    error: type[BaseException] = RuntimeError

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        labels = super().__call__(pixels)
        if pixels.mean() == self.at and not Path(self.mended).exists():
            raise self.error("no\ncells")
        return labels


def long_object(folder: Path) -> NDArray[Any]:
    """An image with an object that spans all of its six tiles, and others that lie in two or one of them."""
    pixels = make_image(folder)
    pixels[(pixels > 100) & (np.arange(96) % 3 == 0)] = 0
    pixels[30:34, 4:90] = 200
    pixels[2:9, 2:9] = 250
    zarr.open_array(folder / "image.ome.zarr" / "0", mode="r+")[:] = pixels
    return pixels


def failing(folder: Path, pixels: NDArray[Any], outer: tuple[slice, slice], **options: Any) -> Failing:
    return Failing(at=pixels[outer].mean(), mended=str(folder / "mended"), **options)


MIDDLE = (slice(0, 32), slice(32, 64))


@pytest.mark.parametrize("halo", [0, 3])
def test_a_tile_left_out_is_background_and_the_next_run_does_just_that_one(halo: int, tmp_path: Path) -> None:
    pixels = long_object(tmp_path)
    outer = (slice(0, 32 + halo), slice(32 - halo, 64 + halo))
    parts = {"segmenter": failing(tmp_path, pixels, outer), "tiler": Grid(tile=TILE, halo=halo)}
    result = run(tmp_path, parts=parts, on_error="skip")
    assert list(result.failed) == result.provenance["failed"]
    (said,) = result.failed
    assert f"Failing', tile (0, 1) (y 0:{32 + halo}, x {32 - halo}:{64 + halo}): raised RuntimeError: no" in said
    seen = labels_of(tmp_path)
    assert not seen[MIDDLE].any()
    left = pixels > 100
    left[MIDDLE] = False
    np.testing.assert_array_equal(seen, ndimage.label(left)[0])
    attributes = zarr.open_group(tmp_path / "image.ome.zarr/labels/cells", mode="r").attrs["tilewright"]
    assert attributes["failed"] == [said]

    calls = len(CALLS)
    (tmp_path / "mended").touch()
    result = run(tmp_path, parts=parts, on_error="skip")
    expect(labels_of(tmp_path), pixels)
    assert len(CALLS) == calls + 1
    assert result.failed == ()
    assert not list(tmp_path.glob("*.tilewright"))


def test_a_tile_left_out_by_an_owning_merger_is_done_later_too(tmp_path: Path) -> None:
    pixels = long_object(tmp_path)
    outer = (slice(0, 52), slice(12, 84))
    tiling = {"tiler": Grid(tile=TILE, halo=20), "merger": Overlap()}
    parts = {"segmenter": failing(tmp_path, pixels, outer), **tiling}
    assert len(run(tmp_path, parts=parts, on_error="skip").failed) == 1
    calls = len(CALLS)
    (tmp_path / "mended").touch()
    run(tmp_path, parts=parts)
    assert len(CALLS) == calls + 1
    mended = labels_of(tmp_path)
    run(tmp_path, parts=parts)
    np.testing.assert_array_equal(mended, labels_of(tmp_path), "as a run without failure")
    expect(mended, pixels)


def test_without_leave_the_run_ends_and_keeps_what_is_done(tmp_path: Path) -> None:
    pixels = long_object(tmp_path)
    parts = {"segmenter": failing(tmp_path, pixels, MIDDLE)}
    with pytest.raises(SegmenterFailed, match=r"tile \(0, 1\) \(y 0:32, x 32:64\): raised RuntimeError") as raised:
        run(tmp_path, parts=parts)
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert raised.value.__cause__.__traceback__ is not None
    assert (labels_of(tmp_path) == 1).all()
    calls = len(CALLS)
    assert len(run(tmp_path, parts=parts, on_error="skip").failed) == 1, "the choice may be made later"
    (tmp_path / "mended").touch()
    run(tmp_path, parts=parts)
    expect(labels_of(tmp_path), pixels)
    assert len(CALLS) <= calls + 6


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, OSError])
def test_a_tile_that_fails_once_is_tried_again(error: type[BaseException], tmp_path: Path) -> None:
    pixels = long_object(tmp_path)

    class Second(Failing):
        def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
            try:
                return super().__call__(pixels)
            except self.error:
                Path(self.mended).touch()
                raise

    segmenter = Second(at=pixels[MIDDLE].mean(), mended=str(tmp_path / "mended"), error=error)
    result = run(tmp_path, parts={"segmenter": segmenter}, retries=1)
    assert result.failed == ()
    expect(labels_of(tmp_path), pixels)
    assert len(CALLS) == 6 + 1


def test_retries_come_before_either_end_after_longer_and_longer_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = long_object(tmp_path)
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    parts = {"segmenter": failing(tmp_path, pixels, MIDDLE)}
    assert len(run(tmp_path, parts=parts, retries=3, on_error="skip").failed) == 1
    assert len(CALLS) == 6 + 3
    assert pauses == [0.5, 1.0, 2.0]


def test_labels_that_are_none_and_chunks_that_cannot_be_read_are_left_out_too(tmp_path: Path) -> None:
    pixels = long_object(tmp_path)

    def strange(block: NDArray[Any]) -> NDArray[Any]:
        labels = ndimage.label(block > 100)[0]
        return labels - 5 if block.mean() == pixels[MIDDLE].mean() else labels

    chunk = tmp_path / "image.ome.zarr" / "0" / "c" / "1" / "0"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:9])
    with pytest.raises((InvalidLabels, NotReadable)):
        run(tmp_path, parts={"segmenter": strange})
    result = run(tmp_path, parts={"segmenter": strange}, on_error="skip")
    assert len(result.failed) == 2
    assert "returned the negative label -5" in result.failed[0]
    assert "cannot be read at tile (1, 0)" in result.failed[1]


def test_what_fails_on_every_tile_leaves_what_is_there(tmp_path: Path) -> None:
    pixels = long_object(tmp_path)
    run(tmp_path)

    def unlucky(_: NDArray[Any]) -> NDArray[Any]:
        raise ValueError("no luck")

    with pytest.raises(SegmenterFailed, match="all 6 tiles that are not empty failed, so no labels are written"):
        run(tmp_path, parts={"segmenter": unlucky}, on_error="skip")
    expect(labels_of(tmp_path), pixels)


def test_an_import_that_fails_ends_the_run_at_once_and_is_not_tried_again(tmp_path: Path) -> None:
    long_object(tmp_path)
    calls: list[int] = []

    def unfit(_: NDArray[Any]) -> NDArray[Any]:
        calls.append(1)
        raise ImportError("torchvision 1 does not fit torch 2")

    with pytest.raises(ComponentFailed, match=r"segmenter '.*unfit' cannot import what it needs: .*torchvision 1"):
        run(tmp_path, parts={"segmenter": unfit}, on_error="skip", retries=5, workers=1)
    assert len(calls) < 6, "with retries it would be 36"


@pytest.mark.slow
def test_the_command_line_ends_with_3_and_the_same_command_does_the_rest(tmp_path: Path) -> None:
    pixels = long_object(tmp_path)
    chunk = tmp_path / "image.ome.zarr" / "0" / "c" / "0" / "1"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:9])
    command = [sys.executable, "-m", "tilewright.cli", "run", "image.ome.zarr", "--name", "cells", "--overwrite"]
    command += ["--segmenter", "threshold", "--set", "threshold=100", "--tile", "32", "--quiet", "--json"]

    def play(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *more], cwd=tmp_path, capture_output=True, text=True, check=False)

    ended = play()
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert "cannot be read at tile (0, 1) (y 0:32, x 32:64)" in ended.stderr
    assert ended.stderr.count("\n") == 1
    left = play("--on-error", "skip")
    assert left.returncode == 3
    assert len(json.loads(left.stdout)["failed"]) == 1
    assert "1 tile failed and were left" in left.stderr.replace("was left", "were left")
    chunk.write_bytes(whole)
    assert play("--on-error", "skip").returncode == 0
    expect(labels_of(tmp_path), pixels)
