"""The format `h5ad`: AnnData in one file of HDF5, for scanpy, squidpy and the rest of scverse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Columns, TableSpec

from .anndata import TEXT, AnnDataRows, check, columns_of
from .rows import BlockSink, file_at

__all__ = ["H5adSink", "H5adTable"]


@dataclass(frozen=True, kw_only=True)
class H5adTable:
    """Write a table as AnnData.

    `X` has the measures, `obs` the key, the region, and whole numbers of 64 bits and truth values in their own dtypes;
    `obsm["spatial"]` has the centroids as x, y, z; `var["unit"]` the units, `uns["tilewright"]` the provenance as JSON.
    InvalidOption for a path that is a folder, and for columns that obs cannot hold.
    """

    def __call__(self, path: str, spec: TableSpec) -> H5adSink:
        check(spec)
        return H5adSink(file_at(path), spec)


class H5adSink(BlockSink):
    """A file of HDF5 that is filled aside."""

    def __init__(self, path: Path, spec: TableSpec) -> None:
        super().__init__(spec)
        self.path = path

    def append(self, block: Columns) -> None:
        self._rows.append(block)

    def complete(self, provenance: Mapping[str, Any]) -> None:
        self._rows.complete(provenance)
        self._file.close()
        self._aside.replace(self.path)

    def read(self) -> Columns:
        """The columns of the finished table."""
        return columns_of(self.spec, self._load)

    def _load(self, path: str, region: Any) -> NDArray[Any]:
        with h5py.File(self.path, "r") as file:
            return np.asarray(file[path][region])

    @property
    def _aside(self) -> Path:
        return self.spec.workdir / "table.h5ad"

    @cached_property
    def _file(self) -> h5py.File:
        return h5py.File(self._aside, "w")

    @cached_property
    def _rows(self) -> AnnDataRows:
        return AnnDataRows(_Hdf5(self._file), self.spec, region=self.spec.name)


@dataclass(frozen=True)
class _Hdf5:
    """Groups and datasets of a file."""

    file: h5py.File

    def group(self, path: str, attributes: Mapping[str, Any]) -> None:
        self._describe(self.file.require_group(path or "/"), attributes)

    def array(self, path: str, shape: tuple[int, ...], dtype: Any, attributes: Mapping[str, Any]) -> Any:
        made = self.file.create_dataset(path, shape, h5py.string_dtype() if dtype == TEXT else dtype)
        self._describe(made, attributes)
        return made

    def _describe(self, node: Any, attributes: Mapping[str, Any]) -> None:
        for key, value in attributes.items():
            node.attrs[key] = np.array(value, h5py.string_dtype()) if isinstance(value, list) else value
