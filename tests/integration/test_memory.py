"""Memory does not grow with the image: nothing in a run is as large as the image, or as long as the largest id."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

pytestmark = pytest.mark.slow

SMALL, LARGE = 4096, 16384  # pixels along y and x
SCRIPT = Path(__file__).with_name("measured.py")


def sparse(path: Path, length: int) -> Path:
    """A square image without most of its chunks, and a square that crosses seams in every fourth tile."""
    image = zarr.create_array(path, shape=(length, length), dtype="uint8", chunks=(1024, 1024))
    for start in range(1000, length - 40, 2048):
        image[start : start + 40, start : start + 40] = 1
    return path


def peak_of(image: Path, merger: str, folder: Path, objects: int) -> int:
    folder.mkdir()
    command = [sys.executable, str(SCRIPT), str(image), str(folder), merger]
    peak, found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert int(found) == objects
    return int(peak)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell a process's peak memory")
@pytest.mark.parametrize("merger", ["touch", "overlap"])
def test_a_run_on_an_image_of_sixteen_times_the_area_takes_no_more_memory(merger: str, tmp_path: Path) -> None:
    few = peak_of(sparse(tmp_path / "small.zarr", SMALL), merger, tmp_path / "few", SMALL // 2048)
    many = peak_of(sparse(tmp_path / "large.zarr", LARGE), merger, tmp_path / "many", LARGE // 2048)
    mask = LARGE**2 * np.dtype(bool).itemsize
    assert many - few < mask / 4, f"{many - few:,} bytes more; a mask of the image would be {mask:,}"
