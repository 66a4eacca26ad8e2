"""Labels on their way into a file that is written from its beginning to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import zarr
from numpy.typing import NDArray

from tilewright.abc.writer import LabelSpec
from tilewright.errors import InvalidOption
from tilewright.image import Region

__all__ = ["Chunked", "FileSink", "Staging", "create", "open_staging"]

Chunked: TypeAlias = zarr.Array[Any]


@dataclass(frozen=True, kw_only=True)
class Staging:
    """A zarr array in the run's own folder that is filled in any order, from any process."""

    folder: Path
    block: tuple[int, ...]

    @cached_property
    def labels(self) -> Chunked:
        return zarr.open_array(self.folder, mode="r+")

    def write(self, region: Region, labels: NDArray[Any]) -> None:
        """Fill a region. ValueError for one that is no multiple of the block: two of them would share a chunk."""
        for part, step, length in zip(region, self.block, self.labels.shape, strict=True):
            if part.start % step or (part.stop % step and part.stop != length):
                raise ValueError(f"region {region} is no multiple of the block {self.block}")
        self.labels[region] = labels

    def __getstate__(self) -> Mapping[str, Any]:
        return {"folder": self.folder, "block": self.block}  # an open array stays where it is

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)


@dataclass(frozen=True, kw_only=True)
class FileSink:
    """Labels under way to a file: filled as an array, in any order, and written at the end."""

    path: Path
    spec: LabelSpec
    staging: Staging

    @property
    def block(self) -> tuple[int, ...]:
        """The shape in which regions must come: at its multiples, in whole multiples but at the image's end."""
        return self.staging.block

    def write(self, region: Region, labels: NDArray[Any]) -> None:
        """Fill a region of the finest level."""
        self.staging.write(region, labels)


def open_staging(spec: LabelSpec, tile: int, what: str) -> Staging:
    """Make the array, or go on with the one that an earlier run of the same stage left.

    InvalidOption if y and x are not the last axes, after t and z: a plane of the format has these two.
    """
    if spec.axes not in ("yx", "zyx", "tyx", "tzyx"):
        raise InvalidOption(f"{what} cannot hold labels with axes {spec.axes!r}, only t z y x; write another format")
    folder = spec.workdir / "labels.zarr"
    block = _chunks(spec.shape, tile)
    if folder.exists():
        for stray in folder.rglob("*.partial"):  # zarr's own, of chunks that were being written at a kill
            stray.unlink()
    else:
        create(folder, spec.shape, tile, spec.dtype)
    return Staging(folder=folder, block=block)


def create(folder: Path, shape: tuple[int, ...], tile: int, dtype: np.dtype[Any]) -> Chunked:
    """An array for labels whose chunks are tiles of planes; it is in its place only once it is whole."""
    unfinished = folder.with_name(folder.name + ".new")
    zarr.create_array(unfinished, shape=shape, dtype=dtype, chunks=_chunks(shape, tile), fill_value=0, overwrite=True)
    unfinished.rename(folder)
    return zarr.open_array(folder, mode="r+")


def _chunks(shape: tuple[int, ...], tile: int) -> tuple[int, ...]:
    return (1,) * (len(shape) - 2) + tuple(max(1, min(tile, n)) for n in shape[-2:])
