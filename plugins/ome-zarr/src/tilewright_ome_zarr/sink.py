"""The sink: a label image that is filled aside, level by level, and put into its place whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import zarr
from numpy.typing import NDArray

from tilewright.abc import Array, Region, direct, replace_folder

from .layout import PyramidLayout
from .pyramid import build, nearest_source
from .registration import register
from .sampling import downsample, project
from .store import AnyArray

__all__ = ["OmeZarrSink", "PyramidSink"]


@dataclass(frozen=True, kw_only=True)
class PyramidSink:
    """The levels of a label image under way, wherever their arrays are."""

    layout: PyramidLayout
    method: str
    version: str

    @property
    def block(self) -> tuple[int, ...]:
        """The shape in which regions must come: at its multiples, in whole multiples but at the image's end."""
        return self.layout.block

    def write(self, region: Region, labels: NDArray[Any]) -> None:
        """Fill a region of the finest level and its part of every coarser level that can be filled along.

        Background is not written. ValueError for a region that is not a multiple of the block: two such regions would
        share a chunk and one of them lose labels silently.
        """
        self._check(region)
        if not labels.any():
            return
        self._chunks[0][region] = labels
        for number in self.layout.streamed:
            samplings = self.layout.levels[number].samplings
            coarse = project(samplings, region)
            if all(part.start < part.stop for part in coarse):
                self._chunks[number][coarse] = downsample(labels, region, coarse, samplings, self.method)

    @cached_property
    def _arrays(self) -> tuple[AnyArray, ...]:
        """The arrays of the levels, opened for writing once in each process."""
        raise NotImplementedError

    @cached_property
    def _chunks(self) -> tuple[Any, ...]:
        return tuple(direct(cast("Array", array)) for array in self._arrays)

    def _check(self, region: Region) -> None:
        shape = self.layout.levels[0].level.shape
        for part, step, length in zip(region, self.block, shape, strict=True):
            if part.start % step or (part.stop % step and part.stop != length):
                raise ValueError(
                    f"region {region} is not a multiple of the block {self.block} of labels of shape {shape}"
                )

    def _build_rest(self) -> None:
        levels = self.layout.levels
        complete = [0, *self.layout.streamed]
        for number, laid in enumerate(levels):
            if number in complete:
                continue
            # A mode of modes is not the mode, so only stride sampling may start from a coarser level.
            nearest = self.method == "nearest"
            start, steps = nearest_source(levels, complete, number) if nearest else (0, list(laid.samplings))
            build(self._chunks[start], self._chunks[number], laid.unit, tuple(steps), self.method)
            complete.append(number)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # open arrays stay where they are

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


@dataclass(frozen=True, kw_only=True)
class OmeZarrSink(PyramidSink):
    """A label image in a folder.

    path, aside: where it goes, and where it is until then.
    image: the group of the image that it belongs to, whose labels group lists it; None for a store of its own.
    """

    path: Path
    aside: Path
    image: Path | None

    def finish(self, provenance: Mapping[str, Any]) -> None:
        """Build the levels that are left, put the label image into its place, and list it among the image's labels.

        At every instant readers find what was there before, or the whole new label image.
        """
        self._build_rest()
        group = zarr.open_group(self.aside, mode="r+", use_consolidated=False)
        group.attrs["tilewright"] = dict(provenance)
        if self.image is None:
            replace_folder(self.aside, self.path)
        else:
            register(self.aside, self.path, self.version)

    def read(self) -> Array:
        """The finest level, once it is in its place."""
        return cast("Array", zarr.open_array(self.path / self.layout.levels[0].level.path, mode="r"))

    @cached_property
    def _arrays(self) -> tuple[AnyArray, ...]:
        return tuple(zarr.open_array(self.aside / laid.level.path, mode="r+") for laid in self.layout.levels)
