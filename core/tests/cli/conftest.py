"""A laboratory's plugin as a folder on the path: a reader of its own format, and segmenters, one of which can wait."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tilewright.cli import main
from tilewright.components.registry import _installed

HOOKS = """
from tilewright import FormatSpec, Spec, hookimpl

@hookimpl
def tilewright_readers():
    return [FormatSpec(name="lab", target="clilab.parts:Reader", summary="Images of the lab.", suffixes=(".lab",))]

@hookimpl
def tilewright_segmenters():
    return [
        Spec(name="lab-components", target="clilab.parts:Components", summary="Connected pixels."),
        Spec(name="lab-broken", target="clilab.parts:Broken", summary="Fails as it is told to."),
        Spec(name="lab-computed", target="clilab.parts:computed", summary="Made when the module is run."),
        Spec(name="lab-absent", target="clilab.absent:Model", summary="Its library is not installed."),
        Spec(name="lab-levels", target="clilab.parts:Levels", summary="Connected pixels above two levels."),
    ]

@hookimpl
def tilewright_transforms():
    return [Spec(name="lab-shift", target="clilab.parts:Shift", summary="Adds a number.")]

@hookimpl
def tilewright_measurers():
    return [Spec(name="lab-pixels", target="clilab.parts:Pixels", summary="Counts pixels.")]

@hookimpl
def tilewright_tables():
    return [FormatSpec(name="lab-table", target="clilab.parts:Table", summary="A table.", suffixes=(".labtable",))]
"""

PARTS = '''
from __future__ import annotations

import errno
import os
import time
import warnings
from dataclasses import dataclass, field, make_dataclass

import numpy as np
from scipy import ndimage
from tilewright import Image

@dataclass(frozen=True, kw_only=True)
class Reader:
    """A numpy file whose name ends in its axes: cells.zyx.lab."""

    axes: str | None = field(default=None, metadata={"help": "axes, where the name does not say them"})

    def __call__(self, path):
        self._noted(path, "opened")
        with open(path, "rb") as file:
            data = np.lib.format.read_array(file)
        axes = self.axes or path.split(".")[-2]
        channels = tuple(f"dye{i}" for i in range(data.shape[axes.index("c")])) if "c" in axes else ()
        return Image(data=data, axes=axes, spacing={"x": 0.5}, units={"x": "micrometer"}, channels=channels,
                     source=path, format="lab")

    def labels(self, path):
        return ["cells", "nuclei"]

    def images(self, path):
        self._noted(path, "asked")
        return {}

    def _noted(self, path, what):
        if os.path.exists(f"{path}.calls"):
            with open(f"{path}.calls", "a") as file:
                file.write(what + "\\n")

@dataclass(frozen=True, kw_only=True)
class Shift:
    by: float = field(default=1.0, metadata={"help": "what is added"})
    factors: tuple[float, ...] = (1.0,)
    name: str = ""

    def __call__(self, pixels):
        return pixels * sum(self.factors) + self.by

@dataclass(frozen=True, kw_only=True)
class Components:
    threshold: float = field(default=0.0, metadata={"help": "pixels above it are objects"})
    calls: str | None = None
    hold: str | None = None
    hold_at: int = 1
    says: str | None = None

    def __call__(self, pixels):
        if self.says:
            print(self.says)
        if self.calls:
            with open(self.calls, "a") as file:
                file.write(".")
        # From that call on none ends as long as the file is there.
        while self.hold and os.path.exists(self.hold) and os.path.getsize(self.calls) >= self.hold_at:
            time.sleep(0.01)
        return ndimage.label(pixels > self.threshold)[0]

@dataclass(frozen=True, kw_only=True)
class Levels:
    outputs = ("all", "none")

    def __call__(self, pixels):
        labels = ndimage.label(pixels > 0)[0]
        return {"all": labels, "none": labels * 0}

@dataclass(frozen=True, kw_only=True)
class Broken:
    how: str = "full"

    def prepare(self, image):
        if self.how == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/labels.zarr")
        if self.how == "denied":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/data/labels.zarr")
        if self.how == "memory":
            raise MemoryError("Unable to allocate 3 TiB")
        if self.how == "bug":
            raise ZeroDivisionError("division\\nby zero")
        if self.how == "interrupted":
            raise KeyboardInterrupt
        warnings.warn("the weights\\nare old", UserWarning)
        return self

    def __call__(self, pixels):
        raise RuntimeError("the model is\\nnot loaded")

computed = make_dataclass("Computed", [("size", int, 3)], frozen=True, kw_only=True)
'''

# Ctrl-C may be ignored where the tests run (a shell's background job); a program that is typed has Python's handler.
TYPED = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from tilewright.cli import main; main(prog_name='tilewright')"
)

Invoke = Callable[..., Result]


def install(folder: Path, name: str, module: str) -> None:
    """A distribution as pip leaves it: its metadata and its entry point."""
    info = folder / f"{name.replace('-', '_')}-1.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(f"[tilewright]\n{module} = {module}\n")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the laboratory's plugin."""
    folder = tmp_path_factory.mktemp("site")
    install(folder, "cli-lab", "clilab")
    (folder / "clilab").mkdir()
    (folder / "clilab" / "__init__.py").write_text(HOOKS)
    (folder / "clilab" / "parts.py").write_text(PARTS)
    return folder


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder with a plugin whose library is missing."""
    folder = tmp_path / "broken"
    install(folder, "cli-broken", "clibroken")
    (folder / "clibroken.py").write_text("import a_library_that_nobody_has\n")
    return folder


@pytest.fixture
def invoke(lab: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Invoke]:
    """The command line in this process, with the laboratory's plugin installed."""
    monkeypatch.syspath_prepend(str(lab))
    monkeypatch.setenv("COLUMNS", "200")
    _installed.cache_clear()
    yield lambda *args: CliRunner().invoke(main, [str(arg) for arg in args], prog_name="tilewright")
    monkeypatch.undo()
    importlib.invalidate_caches()
    _installed.cache_clear()


@pytest.fixture
def start(lab: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command line as a process of its own; keywords are additions to its environment."""
    started: list[subprocess.Popen[str]] = []

    def begin(*args: object, paths: tuple[Path, ...] = (), **environment: str) -> subprocess.Popen[str]:
        path = os.pathsep.join(map(str, (lab, *paths)))
        process = subprocess.Popen(
            [sys.executable, "-c", TYPED, *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200"} | environment,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A 2-D image of 64 × 48 with three objects, one of which lies in four tiles of 32."""
    pixels = np.zeros((64, 48), np.uint8)
    pixels[2:5, 2:5] = 1
    pixels[28:40, 20:44] = 2
    pixels[60:, 0] = 3
    return save(tmp_path / "cells.yx.lab", pixels)


def save(path: Path, pixels: np.ndarray) -> Path:
    with path.open("wb") as file:
        np.lib.format.write_array(file, pixels)
    return path


def result_of(invoked: Result) -> dict[str, object]:
    """What `--json` printed."""
    assert invoked.exit_code == 0, invoked.stderr
    printed: dict[str, object] = json.loads(invoked.stdout)
    return printed
