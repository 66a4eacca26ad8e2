"""Runs on machines that refuse what is usual: no shared memory, few files, no stderr, processes that may start none."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from runs import components
from stores import make_image

from tilewright import Grid, Pipeline, tile_process

pytestmark = pytest.mark.slow

RUN = [sys.executable, "-m", "tilewright.cli", "run", "image.ome.zarr", "out.ome.tif", "--segmenter", "threshold"]
RUN += ["--set", "threshold=100", "--set", "min_size=0", "--tile", "16", "--workers", "2"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("mount -t tmpfs -o size=4k tmpfs /dev/shm; head -c 4096 /dev/zero > /dev/shm/full", "No space left on device"),
        ("mount -t tmpfs -o ro tmpfs /dev/shm", "Read-only file system"),
        ("mount -t tmpfs tmpfs /dev; mknod -m 666 /dev/null c 1 3 || touch /dev/null", "No such file or directory"),
    ],
    ids=["full", "read-only", "missing"],
)
def test_shared_memory_that_lacks_is_no_full_disk(spoil: str, reason: str, tmp_path: Path) -> None:
    if sys.platform != "linux" or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("mounting a file system needs Linux and user namespaces")
    make_image(tmp_path)
    command = ["unshare", "-rm", "bash", "-c", f'{spoil}; exec "$@"', "bash", *RUN, "--quiet", "--processes"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: worker processes cannot be started ({reason}): they need some room in the system's")
    assert "leave processes out" in last
    assert not (tmp_path / "out.ome.tif.tilewright").exists()


@pytest.mark.parametrize("more", [[], ["--processes"]], ids=["threads", "processes"])
def test_few_open_files_are_enough_or_are_named(more: list[str], tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no limit on open files")
    pixels = make_image(tmp_path)
    limit: dict[str, Any] = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))}
    done = subprocess.run([*RUN, "--quiet", *more], cwd=tmp_path, capture_output=True, text=True, check=False, **limit)
    if more:
        assert done.returncode == 2
        assert done.stderr.startswith(
            "error: worker processes cannot be started (Too many open files): this process has"
        )
        assert done.stderr.count("\n") == 1
    else:
        assert done.returncode == 0, done.stderr
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.ome.tif"), components(pixels))


@pytest.mark.parametrize(("closed", "more"), [([2], []), ([0, 1, 2], []), ([1, 2], ["--processes"])], ids=str)
def test_closed_streams_change_nothing(closed: list[int], more: list[str], tmp_path: Path) -> None:
    pixels = make_image(tmp_path)

    def close() -> None:
        for number in closed:
            os.close(number)

    done = subprocess.run([*RUN, *more], cwd=tmp_path, preexec_fn=close, check=False)
    assert done.returncode == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.ome.tif"), components(pixels))
    missing = [word.replace("image", "missing") for word in RUN]
    assert subprocess.run(missing, cwd=tmp_path, preexec_fn=close, check=False).returncode == 2


WITHOUT_STREAMS = """
import sys
sys.stdout = sys.stderr = None
import numpy as np
from tilewright import tile_process
labels = tile_process(np.eye(8), lambda tile: tile, tile_shape=(4, 4), progress=True, verbose=True, compute=True)
sys.exit(0 if (labels > 0).sum() == 8 else 1)
"""


def test_a_process_without_stderr_may_ask_for_progress() -> None:
    assert subprocess.run([sys.executable, "-c", WITHOUT_STREAMS], check=False).returncode == 0


def counted(seed: int, processes: bool = False) -> int | str:
    image = np.random.default_rng(seed).random((64, 64)) < 0.3
    labels = tile_process(image, components_of, tile_shape=(16, 16), compute=True)
    try:
        found = Pipeline(segmenter=components_of, tiler=Grid(tile=16)).run(image, processes=processes).n_objects
    except ValueError as error:
        return str(error)
    assert found == labels.max() == components(image, 0).max()
    return found


def components_of(pixels: Any) -> Any:
    return components(pixels, 0)


def test_runs_in_workers_of_a_pool_end_with_the_labels() -> None:
    expected = [counted(seed) for seed in range(3)]  # so that a forked process inherits what runs leave behind
    with multiprocessing.Pool(2) as pool:
        assert pool.map(counted, range(3)) == expected
        (refused,) = pool.starmap(counted, [(0, True)])
    assert "processes=True cannot be had in a daemonic process" in str(refused)


def test_runs_in_workers_of_an_executor_end_with_the_labels_and_may_start_processes() -> None:
    expected = [counted(seed) for seed in range(3)]
    with ProcessPoolExecutor(2) as executor:
        assert list(executor.map(counted, range(3))) == expected
        assert executor.submit(counted, 0, True).result() == expected[0]
