"""The writer `zarr-array`: labels as one plain zarr array, for use from Python."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from numpy.typing import NDArray

from ..abc.writer import LabelSpec
from ..image import Array, Region
from ..storage.arrays import direct
from ..storage.hierarchy import attributes_of, changed_hierarchy, root_of
from ..storage.replace import check_replaceable, place_folder, recover

__all__ = ["ZarrArray"]


@dataclass(frozen=True, kw_only=True)
class ZarrArray:
    """Writes a zarr array. A chunk is a tile or several small ones; the attribute `tilewright` is the provenance."""

    zarr_format: Literal[2, 3] = field(default=3, metadata={"help": "2 for tools that do not read zarr v3"})

    def __call__(self, path: str, spec: LabelSpec) -> ZarrArraySink:
        import zarr

        aside, target = spec.workdir / "labels.zarr", Path(path).resolve()
        recover(aside, target)
        check_replaceable(target)
        if not aside.exists():
            # After a kill or on a full disk the folder may have no metadata, and would not be an array in later runs.
            unfinished = spec.workdir / "labels.zarr.new"
            shutil.rmtree(unfinished, ignore_errors=True)
            zarr.create_array(
                unfinished,
                shape=spec.shape,
                dtype=spec.dtype,
                chunks=_chunks(spec.tile or spec.shape, spec.shape),
                dimension_names=list(spec.axes) if self.zarr_format == 3 else None,  # zarr v2 has no place for them
                zarr_format=self.zarr_format,
                fill_value=0,
            )
            unfinished.rename(aside)
        for stray in aside.rglob("*.partial"):  # zarr's own, of what was being written at a kill
            stray.unlink()
        return ZarrArraySink(aside, target)

    def provenance(self, path: str) -> Mapping[str, Any] | None:
        """The attribute of the array at the path."""
        return attributes_of(Path(path)).get("tilewright")


def _chunks(tile: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """Chunks of whole tiles with some hundred thousand pixels, because smaller files cost more."""
    chunks = [max(1, min(t, n)) for t, n in zip(tile, shape, strict=True)]
    while math.prod(chunks) < 2**18 and any(c < n for c, n in zip(chunks, shape, strict=True)):
        axis = min((i for i, n in enumerate(shape) if chunks[i] < n), key=lambda i: chunks[i])
        chunks[axis] *= 2
    return tuple(chunks)


class ZarrArraySink:
    """A zarr array beside its destination."""

    def __init__(self, aside: Path, path: Path) -> None:
        import zarr

        self._aside, self._path = aside, path
        self._array = zarr.open_array(aside, mode="r+")
        self._chunks: Any = direct(cast("Array", self._array))
        self.block = self._array.chunks

    def write(self, region: Region, labels: NDArray[Any]) -> None:
        self._chunks[region] = labels

    def finish(self, provenance: Mapping[str, Any]) -> None:
        root = root_of(self._path.parent)
        with nullcontext() if root is None else changed_hierarchy(root, self._path):
            self._place(provenance)
        recover(self._aside, self._path)

    def _place(self, provenance: Mapping[str, Any]) -> None:
        """Put the array into its place, while the hierarchy above it is held."""
        self._array.attrs["tilewright"] = dict(provenance)
        place_folder(self._aside, self._path)

    def read(self) -> Array:
        import zarr

        return cast("Array", zarr.open_array(self._path, mode="r"))
