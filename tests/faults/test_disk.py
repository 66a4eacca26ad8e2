"""Disks that are full, that may not be written to, and sources that go away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from runs import CALLS, Components, components, expect, run
from stores import TILE, labels_of, make_image

from tilewright import InvalidOption, NotReadable

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
RUN = [sys.executable, "-m", "tilewright.cli", "run", "image.ome.zarr", "--name", "cells", "--overwrite", "--quiet"]
RUN += ["--segmenter", "threshold", "--set", "threshold=100", "--tile", str(TILE), "--workers", "1"]


@pytest.mark.parametrize("writer", ["ome-zarr", "zarr-array"])
def test_a_disk_that_is_full_at_some_write_costs_nothing_but_the_run(writer: str) -> None:
    command = [sys.executable, str(HERE / "full.py"), "--every", "19", "--writer", writer]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


MOUNTED = """
import os, shutil, subprocess, sys
from pathlib import Path
template, small, *command = sys.argv[1:]
def mount(*options):
    subprocess.run(["mount", *options, small], check=True)
def play():
    done = subprocess.run(command, cwd=small, capture_output=True, text=True)
    print(repr((done.returncode, done.stderr)))
mount("-t", "tmpfs", "-o", "size=20m", "tmpfs")
shutil.copytree(template, small, dirs_exist_ok=True)
{spoil}
play()
shutil.copytree(small + "/image.ome.zarr/labels", template + "/after")
{mend}
play()
shutil.copytree(small + "/image.ome.zarr/labels/cells", template + "/done")
"""
FILL = """
with open(small + "/filler", "wb") as file:
    free = os.statvfs(small).f_bavail * os.statvfs(small).f_frsize
    file.write(bytes(free - 20_000))
"""


def in_a_mount(folder: Path, spoil: str, mend: str) -> list[tuple[int, str]]:
    """What a run says on a small file system of its own that is spoilt and mended, in a namespace of its own."""
    if sys.platform != "linux" or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("mounting a file system needs Linux and user namespaces")
    small = folder.parent / "small"
    small.mkdir()
    script = MOUNTED.format(spoil=spoil, mend=mend)
    command = ["unshare", "-rm", sys.executable, "-c", script, str(folder), str(small), *RUN]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [eval(line) for line in done.stdout.splitlines()]  # what the script above printed with repr


def test_a_small_file_system_that_fills_up(tmp_path: Path) -> None:
    folder = tmp_path / "template"
    folder.mkdir()
    pixels = make_image(folder, (256, 256))
    (full, said), (mended, _) = in_a_mount(folder, FILL, 'os.remove(small + "/filler")')
    assert full == 2
    assert said.startswith("error: No space left on device: '")
    assert "GB free in" in said
    assert said.count("\n") == 1
    assert "--checkpoint-dir" in said
    assert (zarr.open_array(folder / "after" / "cells" / "0", mode="r")[:] == 1).all()
    assert mended == 0
    expect(zarr.open_array(folder / "done" / "0", mode="r")[:], pixels)


def test_a_file_system_that_turns_read_only(tmp_path: Path) -> None:
    folder = tmp_path / "template"
    folder.mkdir()
    pixels = make_image(folder)
    (refused, said), (mended, _) = in_a_mount(folder, 'mount("-o", "remount,ro")', 'mount("-o", "remount,rw")')
    assert refused == 2
    assert said.startswith("error: Read-only file system: '")
    assert said.count("\n") == 1
    assert "make it writable, or choose another place" in said
    assert mended == 0
    expect(zarr.open_array(folder / "done" / "0", mode="r")[:], pixels)


def test_a_file_that_may_grow_no_longer_is_one_line_on_the_command_line(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no limit on the size of a file")
    pixels = make_image(tmp_path, (256, 256))
    limit: dict[str, Any] = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))}
    done = subprocess.run(RUN, cwd=tmp_path, capture_output=True, text=True, check=False, **limit)
    assert done.returncode == 2
    assert done.stderr.startswith("error: File too large: '")
    assert done.stderr.count("\n") == 1
    assert (labels_of(tmp_path) == 1).all()
    subprocess.run(RUN, cwd=tmp_path, capture_output=True, check=True)
    expect(labels_of(tmp_path), pixels)


def test_a_destination_that_cannot_be_made(tmp_path: Path) -> None:
    make_image(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InvalidOption, match=r"file is not a folder, so the output .* cannot be in it; give another path"
    ):
        run(tmp_path, destination=tmp_path / "file" / "out.zarr")
    assert CALLS == []


def test_a_destination_without_permission(tmp_path: Path) -> None:
    make_image(tmp_path)
    (tmp_path / "locked").mkdir(mode=0o555)
    as_others = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []  # no mode stops root
    command = [*as_others, *(word for word in RUN if word not in ("--name", "cells")), "locked/out.zarr"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: Permission denied: ")
    assert str(tmp_path / "locked") in done.stderr
    assert done.stderr.count("\n") == 1
    assert not any((tmp_path / "locked").iterdir())


class Vanishing(Components):
    """Components whose image goes away at the third call."""

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        labels = super().__call__(pixels)
        if len(CALLS) == 3 and isinstance(self.weights, Path):
            self.weights.rename(self.weights.with_name("away"))
        return labels


@pytest.mark.parametrize("what", ["image.ome.zarr", "image.ome.zarr/0", "image.ome.zarr/0/zarr.json"])
def test_a_source_that_goes_away_is_an_error_and_not_background(what: str, tmp_path: Path) -> None:
    pixels, place = make_image(tmp_path), tmp_path / what
    parts, out = {"segmenter": Vanishing(weights=place)}, tmp_path / "out.zarr"
    with pytest.raises(NotReadable, match=r"image.ome.zarr has been removed; put it back, and re-run"):
        run(tmp_path, parts=parts, workers=1, destination=out)
    assert not out.exists()
    place.with_name("away").rename(place)
    result = run(tmp_path, parts=parts, workers=1, destination=out)
    expect(result.labels.compute(), pixels)
    assert len(CALLS) == 6


def test_a_source_whose_chunks_go_before_it_does_is_not_background_either(tmp_path: Path) -> None:
    pixels = make_image(tmp_path)
    kept = shutil.copytree(tmp_path / "image.ome.zarr", tmp_path / "kept")

    class Removing(Components):
        def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
            if len(CALLS) == 2:
                shutil.rmtree(tmp_path / "image.ome.zarr" / "0" / "c")
            if len(CALLS) == 5:
                shutil.rmtree(tmp_path / "image.ome.zarr", ignore_errors=True)
            return super().__call__(pixels)

    parts = {"segmenter": Removing()}
    with pytest.raises(NotReadable, match="has been removed"):
        run(tmp_path, parts=parts, workers=1, destination=tmp_path / "out.zarr")
    kept.rename(tmp_path / "image.ome.zarr")
    result = run(tmp_path, parts=parts, workers=1, destination=tmp_path / "out.zarr")
    expect(result.labels.compute(), pixels)


def test_a_chunk_that_cannot_be_read_names_tile_and_region_and_the_rest_is_kept(tmp_path: Path) -> None:
    pixels = make_image(tmp_path)
    chunk = tmp_path / "image.ome.zarr" / "0" / "c" / "1" / "2"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NotReadable, match=r"image.ome.zarr cannot be read at tile \(1, 2\) \(y 32:64, x 64:96\): "):
        run(tmp_path, workers=1)
    assert len(CALLS) == 5
    chunk.write_bytes(whole)
    run(tmp_path)
    expect(labels_of(tmp_path), pixels)
    assert len(CALLS) == 6


def test_a_cut_stage_in_a_place_of_its_own_is_as_good(tmp_path: Path) -> None:
    """The checkpoint may be on a disk of its own, which is full before the output's is."""
    pixels = make_image(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidOption, match="file is not a folder, so the checkpoint"):
        run(tmp_path, checkpoint_dir=tmp_path / "file")
    assert (labels_of(tmp_path) == 1).all()
    run(tmp_path, checkpoint_dir=tmp_path)
    np.testing.assert_array_equal(labels_of(tmp_path), components(pixels))
