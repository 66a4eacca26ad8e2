"""What a run gives back."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..abc.traits import SinkTraits
from ..abc.writer import Sink
from ..errors import InvalidOption
from ..storage.arrays import Array, unit_of
from .run import Outcome, Run

if TYPE_CHECKING:
    from dask.array import Array as DaskArray

    from .table import Table

__all__ = ["Result"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Result:
    """A finished run: where the labels are, how many objects and tiles there were, and the seconds by step.

    `n_skipped` of the tiles were empty and not segmented. `failed` says which tiles failed and were left as background,
    and why; the checkpoint is kept then, and the same run with `overwrite=True` does just those.

    `n_undrawn` pixels are background although a tile labelled them in its own core: the merger left their objects out.

    `table` is that of what was measured; None if nothing was.

    Labels of a run without destination lie in a temporary folder, which goes away with the result.
    """

    path: Path
    n_objects: int
    n_tiles: int
    n_skipped: int
    n_undrawn: int
    failed: tuple[str, ...]
    seconds: Mapping[str, float]
    provenance: Mapping[str, Any]
    data: Array | None
    table: Table | None = None

    @classmethod
    def of(
        cls,
        run: Run,
        outcome: Outcome,
        path: Path,
        sink: Sink,
        provenance: Mapping[str, Any],
        table: Table | None = None,
    ) -> Result:
        """The result of a run that is finished."""
        read = SinkTraits.of(sink).read
        data = None if read is None else read()
        return cls(
            path=path,
            n_objects=outcome.n_objects,
            n_tiles=len(run.plan.grid),
            n_skipped=run.skipped,
            n_undrawn=run.undrawn,
            failed=tuple(run.failed),
            seconds=dict(run.seconds),
            provenance=provenance,
            data=data,
            table=None if table is None else replace(table, holds=data),
        )

    def __repr__(self) -> str:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"Result({self.n_objects:,} objects in {self.n_tiles:,} tiles{failed}, path={str(self.path)!r})"

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        facts = {
            "objects": f"{self.n_objects:,}",
            "tiles": f"{self.n_tiles:,}" + (f", {self.n_skipped:,} of them empty" if self.n_skipped else ""),
            "failed tiles": "; ".join(self.failed),
            "labels": str(self.path),
            "table": "" if self.table is None else str(self.table.path),
            "seconds": ", ".join(f"{step} {spent:.1f}" for step, spent in self.seconds.items()),
        }
        import html  # only notebooks ask for it

        rows = (f"<tr><th>{name}</th><td>{html.escape(value)}</td></tr>" for name, value in facts.items() if value)
        return f"<table>{''.join(rows)}</table>"

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
