"""Plugins as folders on the path, and arrays that know what was read of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.components.specs import FORMATS

HEAD = "from tilewright import FormatSpec, Spec, hookimpl\n\n"


def install(folder: Path, distribution: str, code: str, *, version: str = "1.0", point: str = "") -> None:
    """Put a distribution into a folder as pip would: one module of hooks, metadata, an entry point named `point`."""
    module = distribution.replace("-", "_")
    (folder / f"{module}.py").write_text(HEAD + dedent(code))
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[tilewright]\n{point or module} = {module}\n")


def offers(kind: str, *names: str, target: str = "builtins:len", extra: str = "") -> str:
    """The source of a hook that offers components of those names."""
    spec = "FormatSpec" if kind in FORMATS else "Spec"
    listed = ", ".join(f"{spec}(name={name!r}, target={target!r}{extra})" for name in names)
    return f"@hookimpl\ndef tilewright_{kind}s():\n    return [{listed}]\n"


class Recording:
    """An array that lists the regions that were read. It hands out views of its memory, as HDF5 or a map may."""

    def __init__(self, array: NDArray[Any], chunks: tuple[int, ...] | None = None) -> None:
        self.array, self.chunks = array, chunks
        self.shape, self.dtype = array.shape, array.dtype
        self.regions: list[Any] = []
        self._lock = threading.Lock()

    def __getitem__(self, region: Any) -> Any:
        with self._lock:
            self.regions.append(region)
        return self.array[region]

    def reads(self) -> NDArray[np.int64]:
        """How often each pixel was read."""
        counts = np.zeros(self.shape, np.int64)
        for region in self.regions:
            counts[region] += 1
        return counts

    def largest_read(self) -> int:
        return max((self.array[region].size for region in self.regions), default=0)


def squares(shape: tuple[int, ...], step: int, size: int) -> NDArray[np.bool_]:
    """A mask of squares of that size on a grid of that step."""
    inside: Iterator[NDArray[Any]] = ((np.arange(n) % step) < size for n in shape)
    mask = np.ones(shape, bool)
    for axis, along in enumerate(inside):
        mask &= along.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return mask
