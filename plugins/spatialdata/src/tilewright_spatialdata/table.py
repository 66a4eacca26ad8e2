"""The format `spatialdata`: a table that annotates labels, in their own SpatialData store or in a new one."""

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

from tilewright.abc import (
    Columns,
    TableSpec,
    changed_hierarchy,
    check_replaceable,
    is_node,
    place_folder,
    recover,
    replace_folder,
    root_of,
)
from tilewright.errors import InvalidOption
from tilewright_measure.tables.anndata import TEXT, AnnDataRows, check, columns_of, observed
from tilewright_measure.tables.rows import BlockSink

from .labels import copy_labels

__all__ = ["SpatialDataSink", "SpatialDataTable"]

TABLE = "tables/table"
STORE = "spatialdata_attrs"
FOLDERS = ("images", "labels", "points", "shapes", "tables")
ASIDE = "table.sdata.zarr"


@dataclass(frozen=True, kw_only=True)
class SpatialDataTable:
    """Write a SpatialData store of zarr v3 with a labels element and the table of its objects.

    The labels are copied, under the name that they have. To `STORE/tables/NAME` of an existing SpatialData store the
    table alone is written, and annotates labels that lie in the same store. The table is laid out as that of the format
    `h5ad`, and annotates the labels by `region` and `label`. The coordinate system `global` is in pixels, and
    `physical` in the labels' units where they have some. InvalidOption for labels with times, for names that
    SpatialData does not allow, for columns that obs cannot hold, and for a path in a store of zarr v2 or without these
    labels.
    """

    def __call__(self, path: str, spec: TableSpec) -> SpatialDataSink:
        if spec.facts.times or spec.facts.axes not in ("yx", "zyx"):
            axes = ("t" if spec.facts.times else "") + spec.facts.axes
            raise InvalidOption(f"SpatialData cannot hold labels with axes {axes!r}, only z y x; write another format")
        check(spec)
        _check_names(spec)
        target = Path(path).resolve()
        if inside := _is_inside(target):
            _check_place(target, spec)
        recover(spec.workdir / ASIDE, target)
        check_replaceable(target)
        return ElementSink(target, spec) if inside else SpatialDataSink(target, spec)

    def beside(self, path: str) -> Path:
        """The folder that the run's checkpoint is put next to: the whole store."""
        target = Path(path).resolve()
        return target.parent.parent if _is_inside(target) else Path(path)


class SpatialDataSink(BlockSink):
    """A store that is filled aside. table: the path of the table in what is filled."""

    table = TABLE

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
        return np.asarray(zarr.open_array(self.path / self.table / path, mode="r")[region])

    @property
    def _aside(self) -> Path:
        return self.spec.workdir / ASIDE

    @cached_property
    def _group(self) -> zarr.Group:
        shutil.rmtree(self._aside, ignore_errors=True)  # of a try that was killed
        return zarr.open_group(self._aside, mode="w", zarr_format=3, attributes=self._attributes)

    @property
    def _attributes(self) -> dict[str, Any]:
        return {STORE: {"version": "0.2"}}

    @cached_property
    def _rows(self) -> AnnDataRows:
        store, region = _Zarr(self._group, self.length), self.spec.name
        rows = AnnDataRows(store, self.spec, root=self.table, region=region)
        keys: dict[str, Any] = {"region": region, "region_key": "region", "instance_key": "label"}
        if not self.spec.n_rows:
            keys = dict.fromkeys(keys)  # as SpatialData describes a table that annotates nothing
        store.group(self.table, {"spatialdata-encoding-type": "ngff:regions_table", "version": "0.2", **keys})
        return rows


class ElementSink(SpatialDataSink):
    """A table that is filled aside and put among the tables of the store that its labels lie in."""

    table = ""

    def complete(self, provenance: Mapping[str, Any]) -> None:
        """Put the table into its place."""
        self._rows.complete(provenance)
        with changed_hierarchy(root_of(self.path.parent.parent) or self.path.parent.parent, self.path):
            zarr.open_group(self.path.parent, mode="a", zarr_format=3, use_consolidated=False)
            place_folder(self._aside, self.path)
        recover(self._aside, self.path)

    @property
    def _attributes(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class _Zarr:
    """Groups and arrays of a store; rows: of a chunk, which is written once."""

    root: zarr.Group
    rows: int

    def group(self, path: str, attributes: Mapping[str, Any]) -> None:
        (self.root.require_group(path) if path else self.root).attrs.update(dict(attributes))

    def array(self, path: str, shape: tuple[int, ...], dtype: Any, attributes: Mapping[str, Any]) -> Any:
        chunks = tuple(max(1, min(n, self.rows)) for n in shape)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zarr says of texts that its specification has none yet
            return self.root.create_array(
                path, shape=shape, dtype=str if dtype == TEXT else dtype, chunks=chunks, attributes=dict(attributes)
            )


def _is_inside(target: Path) -> bool:
    """Whether a path is `STORE/tables/NAME` of a SpatialData store."""
    store = target.parent.parent
    return target.parent.name == "tables" and is_node(store) and STORE in _opened(store).attrs


def _opened(store: Path) -> zarr.Group | zarr.Array[Any]:
    return zarr.open(store, mode="r")


def _check_place(target: Path, spec: TableSpec) -> None:
    """InvalidOption for a table that SpatialData could not read there, or whose labels are not in the store."""
    store, labels = target.parent.parent, Path(spec.labels_path).resolve()
    if _opened(store).metadata.zarr_format != 3:
        raise InvalidOption(
            f"{str(store)!r} is of zarr v2, but tables are written to stores of zarr v3; write it again with "
            "spatialdata, or give the table a store of its own"
        )
    if labels.parent != store / "labels":
        raise InvalidOption(
            f"the table {str(target)!r} is of the labels {spec.labels_path!r}, which are not in "
            f"{str(store / 'labels')!r}; write the labels there, or give the table a store of its own"
        )
    _check_name(target.name)
    places = [other for folder in FOLDERS if (store / folder).is_dir() for other in (store / folder).iterdir()]
    for other in [*places, labels]:
        if other != target and other.name.lower() == target.name.lower():
            raise InvalidOption(
                f"{target.name!r} cannot be the name of a table in {str(store)!r}, which has {other.parent.name}/"
                f"{other.name} and must have each name once, whatever its case; choose another name"
            )


def _check_names(spec: TableSpec) -> None:
    for name in (spec.name, *observed(spec)):
        _check_name(name)


def _check_name(name: str) -> None:
    if not re.fullmatch(r"(?!__|[.]{1,2}$)[\w.-]+", name):
        raise InvalidOption(
            f"{name!r} cannot be a name in SpatialData, which has letters, digits, '_', '.' and '-'; rename it or "
            "write another format"
        )
