"""Schedulers and workers of dask as processes of their own, which a test may kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["scheduler", "without", "worker"]

HIDING = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
"""


def without(package: str, folder: Path) -> dict[str, str]:
    """The variables of a process in which a package is not installed."""
    place = folder / f"without-{package}"
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(HIDING.format(package=package))
    return {"PYTHONPATH": str(place)}


@contextmanager
def scheduler(
    folder: Path, *, port: int = 0, variables: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A scheduler's process and its address."""
    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    words = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    with _started([*words, "--scheduler-file", str(file)], folder / "scheduler.log", variables or {}) as process:
        while not (file.exists() and file.stat().st_size):
            assert process.poll() is None, (folder / "scheduler.log").read_text()
            time.sleep(0.05)
        yield process, json.loads(file.read_text())["address"]


@contextmanager
def worker(
    folder: Path, address: str, name: str, *, variables: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker's process of one thread."""
    words = ["distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name]
    words += ["--local-directory", str(folder / name)]
    with _started(words, folder / f"{name}.log", variables or {}) as process:
        yield process


@contextmanager
def _started(words: list[str], log: Path, variables: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], env={**os.environ, **variables}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
