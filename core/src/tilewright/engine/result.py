"""What a run gives back."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..abc.traits import SinkTraits
from ..abc.writer import Sink
from ..errors import InvalidOption
from ..storage.arrays import Array, unit_of
from ..storage.location import Location
from .run import Outcome, Run

if TYPE_CHECKING:
    from dask.array import Array as DaskArray

    from .table import Table

__all__ = ["Result"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Result:
    """A finished run: where the labels are, how many objects there are, how many tiles were read, the seconds by step.

    `n_skipped` of the tiles were empty and not segmented. `failed` says which tiles failed and were left as background,
    and why; the checkpoint is kept then, and the same run with `overwrite=True` does just those.

    `n_undrawn` pixels are background although a tile labelled them in its own core: the merger left their objects out.

    `table` is that of what was measured; None if nothing was.

    Of a segmenter with several outputs, `outputs` has the result of each by its name. What each has of its own is asked
    of these: `result.outputs["nuclei"].labels`. With a single output `result.labels` is that.

    `seconds` is empty of a step of a workflow that had been done before.

    Labels of a run without destination lie in a temporary folder, which goes away with the result.
    """

    path: Path | Location
    n_objects: int
    n_tiles: int
    n_skipped: int
    n_undrawn: int
    failed: tuple[str, ...]
    seconds: Mapping[str, float]
    provenance: Mapping[str, Any]
    data: Array | None
    table: Table | None
    outputs: Mapping[str, Result] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        run: Run,
        outcome: Outcome,
        path: Path | Location,
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
            n_tiles=run.segmented,
            n_skipped=run.skipped,
            n_undrawn=run.undrawn,
            failed=tuple(run.failed),
            seconds=dict(run.seconds),
            provenance=provenance,
            data=data,
            table=None if table is None else replace(table, holds=data),
        )

    @classmethod
    def of_outputs(cls, outputs: Mapping[str, Result]) -> Result:
        """The result of a run with these outputs, which has what they have in common."""
        first = next(iter(outputs.values()))
        seconds: dict[str, float] = {}
        for each in outputs.values():
            seconds |= {step: seconds.get(step, 0.0) + spent for step, spent in each.seconds.items()}
        result = object.__new__(cls)
        common = {name: getattr(first, name) for name in ("n_tiles", "n_skipped", "failed")}
        vars(result).update(common, seconds=seconds, outputs=outputs)
        return result

    if not TYPE_CHECKING:  # which knows the fields

        def __getattr__(self, name: str) -> Any:
            """What a result of several outputs does not have itself: that of a single one; InvalidOption of several."""
            outputs = vars(self).get("outputs")
            if not outputs or name not in self.__dataclass_fields__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
            if len(outputs) > 1:
                raise _several(outputs, name)
            (only,) = outputs.values()
            return getattr(only, name)

    @classmethod
    def stored(
        cls, path: Path | Location, provenance: Mapping[str, Any], data: Array | None, table: Table | None
    ) -> Result:
        """The result of a run that finished before, from what its labels hold of it."""
        return cls(
            path=path,
            n_objects=provenance["n_objects"],
            n_tiles=provenance["tiles"]["count"],
            n_skipped=provenance["n_skipped"],
            n_undrawn=provenance["n_undrawn"],
            failed=(),
            seconds={},
            provenance=provenance,
            data=data,
            table=table,
        )

    def __repr__(self) -> str:
        if self.outputs:
            return f"Result(outputs={dict(self.outputs)!r})"
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"Result({self.n_objects:,} objects in {self.n_tiles:,} tiles{failed}, path={str(self.path)!r})"

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        if self.outputs:
            return "".join(f"<h4>{name}</h4>{each._repr_html_()}" for name, each in self.outputs.items())
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
        """The labels as a lazy dask array.

        InvalidOption if the writer's format cannot be read back, and if there are several outputs.
        """
        import dask.array

        if len(self.outputs) > 1:
            raise _several(self.outputs, "labels")
        if self.data is None:
            raise InvalidOption(f"the writer of {self.path} cannot open what it wrote; open it with another tool")
        chunks = unit_of(self.data) or "auto"
        labels: DaskArray = dask.array.from_array(self.data, chunks=chunks)  # type: ignore[no-untyped-call]  # it is not typed
        return labels


def _several(outputs: Mapping[str, Result], name: str) -> InvalidOption:
    return InvalidOption(
        f"the run has the outputs {', '.join(outputs)}, and each has {name} of its own; take that of one: "
        f"result.outputs[{next(iter(outputs))!r}].{name}"
    )


def remove_with(result: Result, folder: Path) -> None:
    """Remove a temporary folder once nobody holds the result or the data that it opened."""
    weakref.finalize(result.data if result.data is not None else result, shutil.rmtree, folder, ignore_errors=True)
