"""Segmenters whose right answer is known, and components that break on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import LabelSpec, Seam, Sink, Touch
from tilewright.builtin.zarr_array import ZarrArray


@dataclass(frozen=True, kw_only=True)
class Components:
    """Connected components; counts its calls in a file, and fails at one of them until a file `mended` is there."""

    connectivity: int = 1
    calls: Path | None = None
    fail_at: int | None = None

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        if self.calls is not None:
            with self.calls.open("a") as file:
                file.write(".")
            if self.count() == self.fail_at and not (self.calls.parent / "mended").exists():
                raise RuntimeError("on purpose")
        structure = ndimage.generate_binary_structure(pixels.ndim, self.connectivity)
        labels: NDArray[Any] = ndimage.label(pixels, structure)[0]
        return labels

    def count(self) -> int:
        return self.calls.stat().st_size if self.calls is not None and self.calls.exists() else 0


@dataclass(frozen=True, kw_only=True)
class Smoothed:
    """Connected components of smoothed pixels near percolation: what lacks its context is joined wrongly."""

    connectivity: int = 1
    halo: int = 4  # the kernel's radius, four sigma

    @property
    def merger(self) -> Touch:
        return Touch(connectivity=self.connectivity)

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        smooth = ndimage.gaussian_filter(pixels, 1.0)
        structure = ndimage.generate_binary_structure(pixels.ndim, self.connectivity)
        labels: NDArray[Any] = ndimage.label(smooth > 0.5, structure)[0]
        return labels


@dataclass(frozen=True, kw_only=True)
class BreakingMerger:
    """Touch, but the seam of the last tile breaks it until it is mended."""

    mended: str

    def __call__(self, seam: Seam) -> NDArray[np.int64]:
        if seam.upper.index == (3, 3) and not Path(self.mended).exists():
            raise RuntimeError("on purpose")
        return Touch()(seam)


@dataclass(frozen=True, kw_only=True)
class BreakingWriter:
    """A writer whose sink breaks at its last block until it is mended."""

    mended: str

    def __call__(self, path: str, spec: LabelSpec) -> Sink:
        sink = ZarrArray()(path, spec)
        sink.block = (10, 10)  # one chunk in several regions, which one worker may write
        whole = sink.write

        def write(region: tuple[slice, ...], labels: NDArray[Any]) -> None:
            if region[0].start == 30 and region[1].start == 30 and not Path(self.mended).exists():
                raise RuntimeError("on purpose")
            whole(region, labels)

        sink.write = write  # type: ignore[method-assign]  # this one sink is to break
        return sink


def instances(pixels: NDArray[Any]) -> NDArray[Any]:
    """A perfect instance segmenter: the pixels are the truth, and every piece of it that a crop shows gets an id."""
    labels = np.zeros(pixels.shape, np.int64)
    for value in np.unique(pixels[pixels > 0]):
        pieces, _ = ndimage.label(pixels == value)
        labels = np.where(pieces, pieces + labels.max(), labels)
    return labels


def voronoi(shape: Sequence[int], cells: int, seed: int) -> NDArray[np.int64]:
    """Cells that fill the image and touch each other, each of one piece."""
    seeds = np.random.default_rng(seed).random((cells, len(shape))) * shape
    pixels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    nearest = ((pixels[..., None, :] - seeds) ** 2).sum(-1).argmin(-1)
    return raster_order(instances(nearest + 1).astype(np.int64))


def raster_order(labels: NDArray[Any]) -> NDArray[np.int64]:
    """The same objects numbered by their first pixel in raster order."""
    ids, first = np.unique(labels, return_index=True)
    order = np.argsort(first[ids > 0])
    numbers = np.zeros(len(ids), np.int64)
    numbers[np.flatnonzero(ids > 0)[order]] = np.arange(1, len(order) + 1)
    return numbers[np.searchsorted(ids, labels)]
