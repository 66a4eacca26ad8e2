"""The modules that an image enters on its way through a run: `python tests/benchmarks/entries.py`.

A module is entered where a function of another module calls one of its own, whatever of Python or of a library lies
between. Until the segmenter is called, calls count that are handed the image in one of its forms: its path, what opens
it, or the array behind it. From then until the first block is written, calls count that are handed arrays. Not counted
are imports and the functions that dataclasses generate; a run of the same kind comes before. `--all` counts all calls.

For another commit: `PYTHONPATH=OTHER/core/src:OTHER/plugins/ome-zarr/src python tests/benchmarks/entries.py`.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

OPENERS = {"Array", "ChunkFiles", "Identity", "Image", "Plan", "Source"}
HOLDERS = {"LabelRuns", "Runs", "TileRecord"}


class Way:
    """Counts the entries of modules; `handed` says which arguments are followed."""

    def __init__(self) -> None:
        self.entered: Counter[str] = Counter()
        self.handed: Callable[[Any], bool] = lambda _: False

    def follow(self, handed: Callable[[Any], bool]) -> Counter[str]:
        """Begin another way, and return what was counted on the one before."""
        self.handed, before, self.entered = handed, self.entered, Counter()
        return before

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        code, module = frame.f_code, module_of(frame)
        if event != "call" or not module or code.co_name == "<module>" or code.co_filename == "<string>":
            return
        caller = frame.f_back
        while caller and not module_of(caller):
            caller = caller.f_back
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if (caller is None or module_of(caller) != module) and any(self.handed(frame.f_locals[n]) for n in names):
            self.entered[module] += 1


def module_of(frame: FrameType) -> str:
    name = str(frame.f_globals.get("__name__", ""))
    return name if name.startswith("tilewright.") else ""


def opens(value: Any, path: Path) -> bool:
    return type(value).__name__ in OPENERS or (isinstance(value, str | Path) and str(value) == str(path))


def holds_labels(value: Any) -> bool:
    if isinstance(value, dict):
        return any(isinstance(each, np.ndarray) for each in value.values())
    return isinstance(value, np.ndarray) or type(value).__name__ in HOLDERS


@dataclass(frozen=True)
class Probe:
    """A segmenter, a writer and its sink that note when the first of them is reached."""

    way: Way
    ways: list[Counter[str]] = field(default_factory=list)
    everything: bool = False

    def begin(self, path: Path) -> None:
        self.ways.clear()
        self._next(lambda value: opens(value, path))
        self.ways.clear()

    def segment(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        self._next(holds_labels)
        return (pixels > 0).astype(np.uint8)

    def open(self, path: str, spec: Any) -> Probe:
        return self

    def write(self, region: Any, labels: NDArray[Any]) -> None:
        self._next(lambda _: False)

    def finish(self, provenance: Any) -> None:
        pass

    def _next(self, handed: Callable[[Any], bool]) -> None:
        self.ways.append(self.way.follow((lambda _: True) if self.everything else handed))


def main(everything: bool) -> None:
    from tilewright import Pipeline

    way = Way()
    probe = Probe(way=way, everything=everything)
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.zarr"
        zarr.create_array(image, data=np.ones((64, 64), np.uint8), chunks=(64, 64), dimension_names="yx")
        pipeline = Pipeline(segmenter=probe.segment, writer=probe.open)
        for name in ("before", "counted"):
            probe.begin(image)
            threading.setprofile(way)
            sys.setprofile(way)
            pipeline.run(image, Path(folder) / name, workers=1)
            sys.setprofile(None)
    for title, entered in zip(
        ("from the path to the first tile", "from its labels to the output"), probe.ways, strict=False
    ):
        print(f"{title}: {len(entered)} modules, entered {entered.total()} times")
        print(*(f"{count:6} {module}" for module, count in entered.most_common()), sep="\n")


if __name__ == "__main__":
    main(everything="--all" in sys.argv)
