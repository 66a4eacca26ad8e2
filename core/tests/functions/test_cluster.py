"""Functions of every kind run on threads, on the processes of `make_local_cluster`, and on an in-process client."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import InvalidOption, make_local_cluster, merge_tile_labels, tile_process
from tilewright.storage.machine import gpus

pytestmark = pytest.mark.slow

IMAGE = np.random.default_rng(0).integers(0, 100, (40, 60))


def above(tile: NDArray[Any], level: int) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(tile > level)[0]
    return labels


class Above:
    """An instance that is called; it has opened nothing that cannot travel."""

    def __init__(self, level: int) -> None:
        self.level = level

    def __call__(self, tile: NDArray[Any]) -> NDArray[Any]:
        return above(tile, self.level)

    def method(self, tile: NDArray[Any]) -> NDArray[Any]:
        return above(tile, self.level)


def closure(level: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    def inner(tile: NDArray[Any]) -> NDArray[Any]:
        return above(tile, level)

    return inner


CALLABLES: dict[str, Callable[..., Any]] = {
    "lambda": lambda tile: ndimage.label(tile > 60)[0],
    "closure": closure(60),
    "partial": functools.partial(above, level=60),
    "instance": Above(60),
    "method": Above(60).method,
}


@pytest.fixture(scope="module")
def processes() -> Iterator[Any]:
    client, cluster = make_local_cluster(n_workers=2, dashboard_address=":0")
    yield client
    client.close()
    cluster.close()


@pytest.fixture
def in_process() -> Iterator[Any]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize("kind", CALLABLES)
def test_a_function_of_any_kind_runs_on_threads(kind: str) -> None:
    labels = tile_process(IMAGE, CALLABLES[kind], tile_shape=(16, 16), compute=True)
    np.testing.assert_array_equal(labels, above(IMAGE, 60))


@pytest.mark.parametrize("kind", CALLABLES)
def test_a_function_of_any_kind_runs_on_processes(kind: str, processes: Any, tmp_path: Path) -> None:
    with processes.as_current():
        labels = tile_process(IMAGE, CALLABLES[kind], tile_shape=(16, 16), write_to=tmp_path / "out.zarr")
        np.testing.assert_array_equal(labels.compute(), above(IMAGE, 60))


def test_the_gpu_s_arguments_run_on_processes_without_pickling_a_lock(processes: Any) -> None:  # F18
    image = da.from_array(IMAGE, chunks=(17, 23))
    with processes.as_current():
        labels = tile_process(image, Above(60), use_gpu=True, overlap=2, skip_empty=True)
        np.testing.assert_array_equal(labels.compute(), above(IMAGE, 60))


def test_the_workers_of_the_cluster_do_the_work(processes: Any) -> None:
    def process(tile: NDArray[Any]) -> NDArray[Any]:
        import os

        return np.full(tile.shape, os.getpid())

    import os

    with processes.as_current():
        ids = {int(n) for n in processes.run(os.getpid).values()}
        seen = tile_process(IMAGE, lambda tile: (process(tile) == os.getpid()).astype(int), tile_shape=(16, 16))
        assert seen.max().compute() == 1
    assert os.getpid() not in ids


def test_the_join_alone_runs_on_processes(processes: Any) -> None:
    tiles = da.from_array(IMAGE, chunks=(10, 23)).map_blocks(above, 60, dtype="int64")
    with processes.as_current():
        np.testing.assert_array_equal(merge_tile_labels(tiles, compute=True), above(IMAGE, 60))


def test_a_function_that_cannot_travel_is_refused_with_what_to_do(processes: Any, tmp_path: Path) -> None:
    lock = threading.Lock()

    def locked(tile: NDArray[Any]) -> NDArray[Any]:
        with lock:
            return above(tile, 60)

    with processes.as_current(), pytest.raises(InvalidOption, match=r"cannot pickle '_thread.lock'.*inside the func"):
        tile_process(IMAGE, locked, write_to=tmp_path / "out.zarr")
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_a_worker_names_the_function_and_the_tile(processes: Any) -> None:
    def failing(tile: NDArray[Any]) -> NDArray[Any]:
        raise ValueError("on purpose")

    with processes.as_current(), pytest.raises(RuntimeError, match=r"failing', tile \(\d, \d\) .* ValueError: on purp"):
        tile_process(IMAGE, failing, tile_shape=(20, 20))


def test_an_in_process_client_neither_hangs_nor_loses_anything(in_process: Any) -> None:
    image = da.from_array(IMAGE, chunks=(10, 10)) + 0
    for fn in CALLABLES.values():
        labels = tile_process(image, fn, overlap=3)
        np.testing.assert_array_equal(labels.compute(), above(IMAGE, 60))


def test_a_cluster_for_a_gpu_has_one_worker() -> None:
    client, cluster = make_local_cluster(use_gpu=True, dashboard_address=":0")
    try:
        assert list(client.nthreads().values()) == [1]
        assert all(address.startswith("tcp://") for address in client.scheduler_info()["workers"])
        labels = tile_process(IMAGE, Above(60), tile_shape="auto", use_gpu=True, compute=True)
    finally:
        client.close()
        cluster.close()
    np.testing.assert_array_equal(labels, above(IMAGE, 60))


def test_a_cluster_for_several_gpus_has_a_worker_for_each_that_sees_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-7")
    client, cluster = make_local_cluster(use_gpu=True, dashboard_address=":0")
    try:
        seen = client.run(lambda: __import__("os").environ["CUDA_VISIBLE_DEVICES"])
        labels = tile_process(IMAGE, Above(60), tile_shape=(16, 16), compute=True)
    finally:
        client.close()
        cluster.close()
    assert sorted(seen.values()) == ["5", "GPU-7"]
    np.testing.assert_array_equal(labels, above(IMAGE, 60))


@pytest.mark.parametrize(
    ("said", "found"), [("0,2", ["0", "2"]), ("", []), ("-1", []), ("1,-1,3", ["1"]), (" 3 ", ["3"])]
)
def test_the_gpus_are_those_that_cuda_would_see(said: str, found: list[str]) -> None:
    assert gpus({"CUDA_VISIBLE_DEVICES": said}) == found


@pytest.mark.parametrize(("script", "found"), [("printf '0\\n1\\n'", ["0", "1"]), ("exit 9", [])])
def test_the_gpus_of_a_machine_are_asked_of_its_driver(
    script: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert gpus({}) == found


SCRIPT = """
import numpy as np
from scipy import ndimage
from tilewright import make_local_cluster, tile_process
def fn(tile):
    return ndimage.label(tile)[0]
{cluster}
print("objects:", tile_process(np.eye(8), fn, tile_shape=(4, 4), compute=True).max())
"""

GUARDED = """
def main():
    client, cluster = make_local_cluster(n_workers=1, dashboard_address=":0")
    print("objects:", tile_process(np.eye(8), fn, tile_shape=(4, 4), compute=True).max())
    client.close(), cluster.close()
if __name__ == "__main__":
    main()
"""


def _run(folder: Path, cluster: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(SCRIPT.format(cluster=cluster))
    return subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)


def test_a_script_without_a_main_guard_runs_on_threads(tmp_path: Path) -> None:  # F19
    done = _run(tmp_path, "")
    assert (done.stdout, done.stderr) == ("objects: 8\n", "")


@pytest.mark.parametrize("call", ["make_local_cluster(n_workers=2)", "def go():\n    make_local_cluster()\ngo()"])
def test_a_cluster_in_a_script_without_a_main_guard_is_one_clear_error(tmp_path: Path, call: str) -> None:  # F19
    done = _run(tmp_path, call)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("Traceback") == 1
    assert 'outside of `if __name__ == "__main__":`' in done.stderr


def test_a_cluster_in_a_script_with_a_main_guard_runs(tmp_path: Path) -> None:
    done = _run(tmp_path, GUARDED)
    assert done.stdout.startswith("objects: 8\n"), done.stderr
