"""What a run gives back."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidOption
from ..storage.local import unit_of

if TYPE_CHECKING:
    from dask.array import Array as DaskArray

    from ..image import Array

__all__ = ["Result"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """A finished run: where the labels are, how many objects and tiles there were, and the seconds by step.

    `n_skipped` of the tiles were empty and not segmented. `failed` says which tiles failed and were left as background,
    and why; the checkpoint is kept then, and the same run with `overwrite=True` does just those.

    Labels of a run without destination lie in a temporary folder, which goes away with the result.
    """

    path: Path
    n_objects: int
    n_tiles: int
    n_skipped: int
    failed: tuple[str, ...]
    seconds: Mapping[str, float]
    provenance: Mapping[str, Any]
    data: Array | None = field(repr=False)

    @property
    def labels(self) -> DaskArray:
        """The labels as a lazy dask array. InvalidOption if the writer's format cannot be read back."""
        import dask.array

        if self.data is None:
            raise InvalidOption(f"the writer of {self.path} cannot open what it wrote; open it with another tool")
        chunks = unit_of(self.data) or "auto"
        labels: DaskArray = dask.array.from_array(self.data, chunks=chunks)  # type: ignore[no-untyped-call]  # it is not typed
        return labels


def remove_with(result: Result, folder: Path) -> None:
    """Remove a temporary folder once nobody holds the result or the data that it opened."""
    weakref.finalize(result.data if result.data is not None else result, shutil.rmtree, folder, ignore_errors=True)
