"""The table format `zarr-table`: a zarr group with an array for each column, for use from Python."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from ..abc.measurer import Columns
from ..abc.table import TableSpec
from ..storage.hierarchy import attributes_of, changed_hierarchy, root_of
from ..storage.replace import check_replaceable, place_folder, recover

__all__ = ["ZarrTable"]

CHUNK = 2**16  # rows


@dataclass(frozen=True, kw_only=True)
class ZarrTable:
    """Writes a zarr group of one-dimensional arrays; `columns` names them in order, `tilewright` is the provenance.

    The unit of a column is the attribute `unit` of its array.
    """

    def __call__(self, path: str, spec: TableSpec) -> ZarrTableSink:
        target = Path(path).resolve()
        recover(spec.workdir / "table.zarr", target)
        check_replaceable(target)
        return ZarrTableSink(spec, target)

    def opened(self, path: str) -> Columns:
        """The columns of the group at the path."""
        import zarr

        group = zarr.open_group(path, mode="r")
        return {name: group[name] for name in cast("list[str]", group.attrs["columns"])}  # type: ignore[misc]  # arrays

    def provenance(self, path: str) -> Mapping[str, Any] | None:
        """The attribute of the group at the path."""
        return attributes_of(Path(path)).get("tilewright")


class ZarrTableSink:
    """A group beside its destination."""

    def __init__(self, spec: TableSpec, path: Path) -> None:
        self._spec, self._aside, self._path = spec, spec.workdir / "table.zarr", path
        self._done = 0

    @cached_property
    def _group(self) -> Any:  # a zarr.Group; made when it is filled, since a trial is thrown away
        import zarr

        group, n = zarr.create_group(self._aside, overwrite=True), self._spec.n_rows
        for name, column in self._spec.columns.items():
            chunks = (max(1, min(CHUNK, n)),)
            group.create_array(name, shape=(n,), dtype=column.dtype, chunks=chunks, attributes={"unit": column.unit})
        return group

    def write(self, columns: Columns) -> None:
        stop = self._done + len(columns["label"])
        for name in self._spec.columns if stop > self._done else ():
            self._group[name][self._done : stop] = columns[name]
        self._done = stop

    def finish(self, provenance: Mapping[str, Any]) -> None:
        self._group.attrs.update({"columns": list(self._spec.columns), "tilewright": dict(provenance)})
        root = root_of(self._path.parent)
        with nullcontext() if root is None else changed_hierarchy(root, self._path):
            place_folder(self._aside, self._path)
        recover(self._aside, self._path)

    def read(self) -> Columns:
        return ZarrTable().opened(str(self._path))
