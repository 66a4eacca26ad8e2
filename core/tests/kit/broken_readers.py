"""A reader that keeps the contract, and one for each way of breaking it; their format is a mark and a NumPy array."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tilewright import FormatSpec, Image, NotReadable, hookimpl
from tilewright.testing import Sample

MARK = b"LAB1"
PIXELS = np.arange(30 * 41, dtype="u2").reshape(30, 41)
SPACING = {"y": 2.0, "x": 0.5}


def is_lab(path: str, first: bytes) -> bool:
    return first.startswith(MARK)


@dataclass(frozen=True, kw_only=True)
class Good:
    def __call__(self, path: str) -> Image:
        with Path(path).open("rb") as file:
            if file.read(4) != MARK:
                raise NotReadable(f"{path} is no file of the lab")
            data = np.lib.format.read_array(file)
        return Image(data=data, axes="yx", spacing=SPACING, source=path, format="lab")

    def images(self, path: str) -> dict[str, str]:
        return {file.stem: str(file) for file in sorted(Path(path).glob("*.lab"))}


class OtherAxes(Good):
    def __call__(self, path: str) -> Image:
        return replace(super().__call__(path), axes="zx", spacing={})


class OtherPixels(Good):
    def __call__(self, path: str) -> Image:
        image = super().__call__(path)
        return replace(image, data=image.read((slice(None),) * 2) + np.uint16(1))


class WithoutSpacing(Good):
    def __call__(self, path: str) -> Image:
        return replace(super().__call__(path), spacing={})


class _Array:
    def __init__(self, data: NDArray[Any], get: Callable[[NDArray[Any], Any], Any]) -> None:
        self.data, self.get, self.shape, self.dtype = data, get, data.shape, data.dtype

    def __getitem__(self, region: Any) -> Any:
        return self.get(self.data, region)


def _with(image: Image, get: Callable[[NDArray[Any], Any], Any]) -> Image:
    return replace(image, data=_Array(image.read((slice(None),) * 2), get))


class OffByOne(Good):
    def __call__(self, path: str) -> Image:
        def get(data: NDArray[Any], region: Any) -> Any:
            start = region[0].start or 0
            return data[slice(max(0, start - (start > 3)), region[0].stop), region[1]]

        return _with(super().__call__(path), get)


class Padding(Good):
    def __call__(self, path: str) -> Image:
        def get(data: NDArray[Any], region: Any) -> Any:
            block = data[region]
            missing = [max(0, (r.stop or n) - n) for r, n in zip(region, data.shape, strict=True)]
            return np.pad(block, [(0, more) for more in missing])

        return _with(super().__call__(path), get)


class OneHandle(Good):
    def __call__(self, path: str) -> Image:
        asked: list[Any] = []
        turn, first_two = itertools.count(), threading.Barrier(2)

        def get(data: NDArray[Any], region: Any) -> Any:
            asked.append(region)
            if threading.current_thread() is not threading.main_thread() and next(turn) < 2:
                first_two.wait()
            return data[asked[-1]]

        return _with(super().__call__(path), get)


class AtHome(Good):
    """One whose copy in another process is another reader."""

    def __reduce__(self) -> Any:
        return OtherPixels, ()


class Unsourced(Good):
    def __call__(self, path: str) -> Image:
        return replace(super().__call__(path), source="")


class Denying(Good):
    pass


class Greedy(Good):
    pass


class Hungry(Good):
    pass


class Startled(Good):
    def __call__(self, path: str) -> Image:
        try:
            return super().__call__(path)
        except OSError as error:
            raise KeyError("header") from error


class Inventive(Good):
    def __call__(self, path: str) -> Image:
        try:
            return super().__call__(path)
        except OSError:
            return Image(data=np.zeros((1, 1)), axes="yx")


class OneName(Good):
    def images(self, path: str) -> dict[str, str]:
        return dict(zip(("A", "a"), super().images(path).values(), strict=False))


class Twice(Good):
    def images(self, path: str) -> dict[str, str]:
        return {name: each for each in super().images(path).values() for name in ("one", "other")}


class Unlisting(Good):
    def images(self, path: str) -> dict[str, str]:
        return {}


class Elsewhere(Good):
    def images(self, path: str) -> dict[str, str]:
        return {name: Path(each).name for name, each in super().images(path).items()}


class Untold(Good):
    def __call__(self, path: str) -> Image:
        return super().__call__(next(iter(self.images(path).values()), path))


class Siblings(Good):
    def images(self, path: str) -> dict[str, str]:
        return super().images(path) or super().images(str(Path(path).parent))


SNIFFS = {
    "Denying": lambda path, first: False,
    "Greedy": lambda path, first: True,
    "Hungry": lambda path, first: MARK.startswith(first[:4]),
}


@hookimpl
def tilewright_readers() -> list[FormatSpec]:
    classes = [value for value in globals().values() if isinstance(value, type) and issubclass(value, Good)]
    return [
        FormatSpec(
            name=f"kit-{each.__name__.strip('_').lower()}",
            target=f"{__name__}:{each.__name__}",
            suffixes=(".lab",),
            sniff=SNIFFS.get(each.__name__, is_lab),
        )
        for each in dict.fromkeys(classes)
    ]


def sample(reader: Good, folder: Path) -> Sample:
    path = folder / "cells.lab"
    (folder / "several").mkdir()
    for each in (path, folder / "several/one.lab", folder / "several/two.lab"):
        with each.open("wb") as file:
            _write(file)
    return Sample(reader=reader, path=path, axes="yx", pixels=PIXELS, spacing=SPACING, collection=folder / "several")


def _write(file: BinaryIO) -> None:
    file.write(MARK)
    np.lib.format.write_array(file, PIXELS)
