"""Errors that disks and network file systems return, from file systems that do: FUSE, and btrfs with a quota."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import expect
from stores import TILE, labels_of, make_image

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
RUN = [sys.executable, "-m", "tilewright.cli", "run", "image.ome.zarr", "--name", "cells", "--overwrite", "--quiet"]
RUN += ["--segmenter", "threshold", "--set", "threshold=100", "--tile", str(TILE), "--workers", "1"]


def run(folder: Path) -> tuple[int, str]:
    done = subprocess.run(RUN, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A folder in a file system of `failing.py`."""
    try:
        import mfusepy  # noqa: F401
    except (ImportError, OSError) as error:
        pytest.skip(f"FUSE needs mfusepy and libfuse: {error}")
    if not (os.access("/dev/fuse", os.W_OK) and shutil.which("fusermount3")):
        pytest.skip("this system has no FUSE")
    folder, mount = tmp_path / "folder", tmp_path / "mount"
    folder.mkdir()
    mount.mkdir()
    process = subprocess.Popen([sys.executable, str(HERE / "failing.py"), str(folder), str(mount)])
    while not mount.is_mount():
        assert process.poll() is None
        time.sleep(0.02)
    yield mount
    subprocess.run(["fusermount3", "-u", "-z", str(mount)], check=True)
    process.wait()


@pytest.mark.parametrize(
    ("fault", "reason", "step"),
    [
        ("write EIO 3", "Input/output error", "the disk, or the network to it, fails"),
        ("write EDQUOT 2", "Disk quota exceeded", "your own quota there is used up"),
        ("write ENOLCK 1", "No locks available", "grants no locks"),
        ("create ESTALE 5", "Stale file handle", "the network file system was mounted anew"),
        ("create EIO 11", "Input/output error", "the disk, or the network to it, fails"),
        ("rename ESTALE 1", "Stale file handle", "the network file system was mounted anew"),
        ("rename EIO 17", "Input/output error", "the disk, or the network to it, fails"),
        ("rename ENOLCK 11", "No locks available", "grants no locks"),
        ("mkdir EDQUOT 3", "Disk quota exceeded", "your own quota there is used up"),
    ],
)
def test_what_a_file_system_cannot_do_is_one_line_and_the_same_command_ends_with_the_result(
    fault: str, reason: str, step: str, mounted: Path
) -> None:
    pixels, control = make_image(mounted), mounted.with_name("fault")
    control.write_text(fault)
    code, text = run(mounted)
    control.unlink()
    assert (code, text.count("\n")) == (2, 1)
    assert text.startswith(f"error: {reason}: '")
    assert step in text
    assert (labels_of(mounted) == 1).all()
    assert run(mounted) == (0, "")
    expect(labels_of(mounted), pixels)


@pytest.mark.parametrize("fault", ["read EIO 9", "open ESTALE 9", "readdir EIO 3"])
def test_a_source_that_cannot_be_read_ends_the_run_in_one_line(fault: str, mounted: Path) -> None:
    make_image(mounted)
    mounted.with_name("fault").write_text(fault)
    code, text = run(mounted)
    mounted.with_name("fault").unlink()
    assert (code, text.count("\n")) == (2, 1), text
    assert {"EIO": "Input/output error", "ESTALE": "Stale file handle"}[fault.split()[1]] in text
    assert run(mounted) == (0, "")


def test_a_file_system_that_keeps_files_which_are_open_keeps_nothing_of_a_run(mounted: Path) -> None:
    pixels = make_image(mounted)
    for _ in range(2):
        assert run(mounted) == (0, "")
        assert not list(mounted.glob("*.tilewright"))
    expect(labels_of(mounted), pixels)


QUOTA = """
import shutil, subprocess, sys
from pathlib import Path
folder, *command = sys.argv[1:]
disk, place = Path(folder, "disk"), Path(folder, "mount")
with disk.open("wb") as file:
    file.truncate(300 * 2**20)
def system(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
system("mkfs.btrfs", "--quiet", str(disk))
place.mkdir()
system("mount", "-o", "loop", str(disk), str(place))
system("btrfs", "quota", "enable", str(place))
home = place / "home"
system("btrfs", "subvolume", "create", str(home))
shutil.copytree(Path(folder, "image.ome.zarr"), home / "image.ome.zarr")
subprocess.run(["sync"], check=True)
for change in (("qgroup", "limit", "1M", str(home)), ("quota", "disable", str(place))):
    system("btrfs", *change)
    done = subprocess.run(command, cwd=home, capture_output=True, text=True)
    print(repr((done.returncode, done.stderr)))
shutil.copytree(home / "image.ome.zarr", Path(folder, "done.ome.zarr"))
"""


def test_a_quota_that_is_used_up_is_told_from_a_full_disk(tmp_path: Path) -> None:
    can = shutil.which("mkfs.btrfs") and not subprocess.run(["unshare", "-m", "true"], check=False).returncode
    if not can or os.geteuid() or "btrfs" not in Path("/proc/filesystems").read_text():
        pytest.skip("a quota needs root and btrfs")
    pixels = make_image(tmp_path, (1024, 1024))
    command = ["unshare", "-m", sys.executable, "-c", QUOTA, str(tmp_path), *RUN]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (code, text), again = [eval(line) for line in done.stdout.splitlines()]  # what the script printed with repr
    assert code == 2
    assert text.startswith("error: Disk quota exceeded: '")
    assert "your own quota there is used up" in text
    assert again == (0, "")
    (tmp_path / "image.ome.zarr").rename(tmp_path / "before")
    (tmp_path / "done.ome.zarr").rename(tmp_path / "image.ome.zarr")
    expect(labels_of(tmp_path), pixels)
