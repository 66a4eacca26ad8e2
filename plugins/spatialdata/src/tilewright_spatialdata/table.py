"""The format `spatialdata`: a store with the labels and the table that annotates them."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from tilewright.abc import Columns, TableSpec, check_replaceable, recover, replace_folder
from tilewright.errors import InvalidOption
from tilewright_measure.tables.anndata import TEXT, AnnDataRows, check, columns_of, observed
from tilewright_measure.tables.rows import BlockSink

from .labels import copy_labels

__all__ = ["SpatialDataSink", "SpatialDataTable"]

TABLE = "tables/table"
ASIDE = "table.sdata.zarr"


@dataclass(frozen=True, kw_only=True)
class SpatialDataTable:
    """Write a SpatialData store of zarr v3 with a labels element and the table of its objects.

    The labels are copied, under the name that they have. The table is laid out as that of the format `h5ad`, and
    annotates the labels by `region` and `label`. The coordinate system `global` is in pixels, and `physical` in the
    labels' units where they have some. InvalidOption for labels with times, for names that SpatialData does not allow,
    and for columns that obs cannot hold.
    """

    def __call__(self, path: str, spec: TableSpec) -> SpatialDataSink:
        if spec.facts.times or spec.facts.axes not in ("yx", "zyx"):
            axes = ("t" if spec.facts.times else "") + spec.facts.axes
            raise InvalidOption(f"SpatialData cannot hold labels with axes {axes!r}, only z y x; write another format")
        check(spec)
        _check_names(spec)
        target = Path(path).resolve()
        recover(spec.workdir / ASIDE, target)
        check_replaceable(target)
        return SpatialDataSink(target, spec)


class SpatialDataSink(BlockSink):
    """A store that is filled aside."""

    def __init__(self, path: Path, spec: TableSpec) -> None:
        super().__init__(spec)
        self.path = path

    def append(self, block: Columns) -> None:
        """Fill the next rows."""
        self._rows.append(block)

    def complete(self, provenance: Mapping[str, Any]) -> None:
        """Copy the labels, and put the store into its place."""
        self._rows.complete(provenance)
        copy_labels(self._group, self.spec)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zarr says of every store of v3 that others may not understand it
            zarr.consolidate_metadata(str(self._aside))
        replace_folder(self._aside, self.path)

    def read(self) -> Columns:
        """The columns of the finished table."""
        return columns_of(self.spec, self._load)

    def _load(self, path: str, region: Any) -> NDArray[Any]:
        return np.asarray(zarr.open_array(self.path / TABLE / path, mode="r")[region])

    @property
    def _aside(self) -> Path:
        return self.spec.workdir / ASIDE

    @cached_property
    def _group(self) -> zarr.Group:
        shutil.rmtree(self._aside, ignore_errors=True)  # of a try that was killed
        return zarr.open_group(
            self._aside, mode="w", zarr_format=3, attributes={"spatialdata_attrs": {"version": "0.2"}}
        )

    @cached_property
    def _rows(self) -> AnnDataRows:
        store, region = _Zarr(self._group, self.length), self.spec.name
        rows = AnnDataRows(store, self.spec, root=TABLE, region=region)
        keys: dict[str, Any] = {"region": region, "region_key": "region", "instance_key": "label"}
        if not self.spec.n_rows:
            keys = dict.fromkeys(keys)  # as SpatialData describes a table that annotates nothing
        store.group(TABLE, {"spatialdata-encoding-type": "ngff:regions_table", "version": "0.2", **keys})
        return rows


@dataclass(frozen=True)
class _Zarr:
    """Groups and arrays of a store; rows: of a chunk, which is written once."""

    root: zarr.Group
    rows: int

    def group(self, path: str, attributes: Mapping[str, Any]) -> None:
        self.root.require_group(path).attrs.update(dict(attributes))

    def array(self, path: str, shape: tuple[int, ...], dtype: Any, attributes: Mapping[str, Any]) -> Any:
        chunks = tuple(max(1, min(n, self.rows)) for n in shape)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zarr says of texts that its specification has none yet
            return self.root.create_array(
                path, shape=shape, dtype=str if dtype == TEXT else dtype, chunks=chunks, attributes=dict(attributes)
            )


def _check_names(spec: TableSpec) -> None:
    for name in (spec.name, *observed(spec)):
        if not re.fullmatch(r"(?!__|[.]{1,2}$)[\w.-]+", name):
            raise InvalidOption(
                f"{name!r} cannot be a name in SpatialData, which has letters, digits, '_', '.' and '-'; rename it or "
                "write another format"
            )
