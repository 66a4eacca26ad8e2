"""A writer that keeps the contract, and one for each way of breaking it; their format is a NumPy array."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import InvalidOption, LabelSpec, Region


@dataclass(frozen=True, kw_only=True)
class _Sink:
    aside: Path
    path: Path
    block: tuple[int, ...] = (16, 20)

    def write(self, region: Region, labels: NDArray[Any]) -> None:
        np.lib.format.open_memmap(self.aside, "r+")[region] = labels

    def finish(self, provenance: Mapping[str, Any]) -> None:
        self.aside.replace(self.path)

    def read(self) -> Any:
        return np.load(self.path)


class Good:
    sink: type[_Sink] = _Sink

    def __call__(self, path: str, spec: LabelSpec) -> Any:
        if spec.dtype.itemsize > 4:
            raise InvalidOption("no 64 bits")
        return self._open(spec.workdir / "labels.npy", path, spec)

    def _open(self, aside: Path, path: str, spec: LabelSpec, *, anew: bool = False) -> _Sink:
        if anew or not aside.exists():
            np.lib.format.open_memmap(aside, "w+", spec.dtype, spec.shape)
        return self.sink(aside=aside, path=Path(path))


class InTheOpen(Good):
    def __call__(self, path: str, spec: LabelSpec) -> Any:
        return self._open(Path(path), path, spec)


class Anew(Good):
    def __call__(self, path: str, spec: LabelSpec) -> Any:
        return self._open(spec.workdir / "labels.npy", path, spec, anew=True)


class Narrow(Good):
    def __call__(self, path: str, spec: LabelSpec) -> Any:
        return super().__call__(path, replace(spec, dtype=np.dtype("u2")))


class Wide(Good):
    def __call__(self, path: str, spec: LabelSpec) -> Any:
        return super().__call__(path, replace(spec, dtype=np.dtype("u4")))


class Filled(Good):
    def __call__(self, path: str, spec: LabelSpec) -> Any:
        sink = super().__call__(path, spec)
        labels = np.lib.format.open_memmap(sink.aside, "r+")
        labels[labels == 0] = 7
        return sink


@dataclass(frozen=True, kw_only=True)
class _Adding(_Sink):
    def write(self, region: Region, labels: NDArray[Any]) -> None:
        np.lib.format.open_memmap(self.aside, "r+")[region] += labels


class Adding(Good):
    sink = _Adding


@dataclass(frozen=True, kw_only=True)
class _InOrder(_Sink):
    def write(self, region: Region, labels: NDArray[Any]) -> None:
        stored = np.lib.format.open_memmap(self.aside, "r+")
        stored[region] = labels
        stored[region[0].stop :] = 0


class InOrder(Good):
    sink = _InOrder


@dataclass(frozen=True, kw_only=True)
class _Locked(_Sink):
    lock: Any = field(default_factory=threading.Lock)


class Locked(Good):
    sink = _Locked


class Flat(Good):
    def __call__(self, path: str, spec: LabelSpec) -> Any:
        return replace(super().__call__(path, spec), block=(16,))


@dataclass(frozen=True, kw_only=True)
class _Elsewhere(_Sink):
    def finish(self, provenance: Mapping[str, Any]) -> None:
        self.aside.replace(self.path.with_suffix(".npy"))

    def read(self) -> Any:
        return np.load(self.path.with_suffix(".npy"))


class Elsewhere(Good):
    sink = _Elsewhere
