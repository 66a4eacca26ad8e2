"""A table as AnnData lays it out in HDF5 and zarr: https://anndata.readthedocs.io/en/stable/fileformat-prose.html.

`X` holds the columns whose every value a float of 64 bits has (floats, integers of up to 32 bits): the measures that
statistics are made of. `obs` holds the others with their own dtypes: the key, counts, ids of other labels, and truth
values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Columns, TableSpec
from tilewright.errors import InvalidOption

from .columns import stored_columns
from .rows import dtypes_of

__all__ = ["TEXT", "AnnDataRows", "Store", "check", "columns_of", "observed"]

REGION, INDEX = "region", "_index"
TEXT = "text"  # the dtype of texts, for `Store.array`


class Store(Protocol):
    """A file of HDF5 or a zarr hierarchy in which groups and arrays are made."""

    def group(self, path: str, attributes: Mapping[str, Any], /) -> None:
        """Make a group; the path `""` is the root. An attribute is a text or a list of texts."""

    def array(self, path: str, shape: tuple[int, ...], dtype: Any, attributes: Mapping[str, Any], /) -> Any:
        """Make an array of zeros or empty texts, to be filled by regions; dtype: numpy's, or `"text"`."""


class AnnDataRows:
    """The arrays of a table in a store, filled block by block.

    root: the path of the table in the store. region: the name of the labels. shape: of a block's rows.
    """

    def __init__(self, store: Store, spec: TableSpec, *, root: str = "", region: str) -> None:
        self._store, self._spec, self._root, self._row = store, spec, root, 0
        self._measured, self._observed = measured(spec), observed(spec)
        self._spatial = _spatial(spec)
        self._dtype = np.result_type(np.float32, *(dtypes_of(spec)[name] for name in self._measured))
        self._group("", "anndata", "0.1.0")
        for name in ("layers", "obsm", "obsp", "uns", "varm", "varp"):
            self._group(name, "dict", "0.1.0")
        self._describe_measures()
        self._describe_region(region)
        self._arrays = self._make_arrays()

    def append(self, block: Columns) -> None:
        """Fill the next rows."""
        labels = block["label"]
        rows = slice(self._row, self._row + len(labels))
        for name in self._observed:
            self._arrays[f"obs/{name}"][rows] = block[name]
        self._arrays[f"obs/{INDEX}"][rows] = _names(block)
        if self._measured:
            self._arrays["X"][rows] = np.column_stack([block[name].astype(self._dtype) for name in self._measured])
        if self._spatial:
            self._arrays["obsm/spatial"][rows] = np.column_stack([block[name] for name in self._spatial])
        self._row = rows.stop

    def complete(self, provenance: Mapping[str, Any]) -> None:
        """Keep the provenance as JSON in `uns["tilewright"]`, and the dtype and unit of each column in order."""
        columns = {name: {"dtype": each.dtype, "unit": each.unit} for name, each in self._spec.columns.items()}
        self._text("uns/tilewright", json.dumps(dict(provenance), ensure_ascii=False))
        self._text("uns/tilewright_columns", json.dumps(columns, ensure_ascii=False))

    def _describe_measures(self) -> None:
        units = [self._spec.columns[name].unit for name in self._measured]
        self._group("var", "dataframe", "0.2.0", {INDEX: INDEX, "column-order": ["unit"]})
        self._texts(f"var/{INDEX}", self._measured)
        self._texts("var/unit", units)

    def _describe_region(self, region: str) -> None:
        """All rows are of the one region, as SpatialData and squidpy want to know of a table.

        SpatialData refuses a table without rows that says that it has a region.
        """
        order = [REGION, *self._observed]
        self._group("obs", "dataframe", "0.2.0", {INDEX: INDEX, "column-order": order})
        self._group(f"obs/{REGION}", "categorical", "0.2.0", {"ordered": False})
        self._texts(f"obs/{REGION}/categories", [region])
        if not self._spec.n_rows:
            return
        self._group("uns/spatialdata_attrs", "dict", "0.1.0")
        for key, value in (("region", region), ("region_key", REGION), ("instance_key", "label")):
            self._text(f"uns/spatialdata_attrs/{key}", value)

    def _make_arrays(self) -> dict[str, Any]:
        n, dtypes = self._spec.n_rows, dtypes_of(self._spec)
        self._array(f"obs/{REGION}/codes", (n,), np.dtype("int8"))
        arrays = {f"obs/{name}": self._array(f"obs/{name}", (n,), dtypes[name]) for name in self._observed}
        arrays[f"obs/{INDEX}"] = self._array(f"obs/{INDEX}", (n,), TEXT)
        arrays["X"] = self._array("X", (n, len(self._measured)), self._dtype)
        if self._spatial:
            arrays["obsm/spatial"] = self._array("obsm/spatial", (n, len(self._spatial)), np.dtype("float64"))
        return arrays

    def _group(self, path: str, kind: str, version: str, others: Mapping[str, Any] | None = None) -> None:
        encoding = {"encoding-type": kind, "encoding-version": version}
        self._store.group(self._path(path), {**encoding, **(others or {})})

    def _array(self, path: str, shape: tuple[int, ...], dtype: Any, kind: str = "") -> Any:
        kind = kind or ("string-array" if dtype == TEXT else "array")
        return self._store.array(self._path(path), shape, dtype, {"encoding-type": kind, "encoding-version": "0.2.0"})

    def _texts(self, path: str, texts: Sequence[str]) -> None:
        array = self._array(path, (len(texts),), TEXT)
        if texts:
            array[:] = np.array(texts, np.dtypes.StringDType())

    def _text(self, path: str, text: str) -> None:
        self._array(path, (), TEXT, "string")[()] = text

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}".strip("/")


def measured(spec: TableSpec) -> list[str]:
    """The columns of `X`."""
    dtypes = dtypes_of(spec)
    return [name for name, dtype in dtypes.items() if name != "t" and (dtype.kind == "f" or _is_short(dtype))]


def _is_short(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iu" and dtype.itemsize <= 4


def observed(spec: TableSpec) -> list[str]:
    """The columns of `obs`, beside the region."""
    return [name for name in spec.columns if name not in measured(spec)]


def columns_of(spec: TableSpec, load: Callable[[str, Any], NDArray[Any]]) -> Columns:
    """The columns of a finished table; `load` reads a region of the array at a path."""
    place: dict[str, tuple[str, tuple[int, ...]]] = {name: (f"obs/{name}", ()) for name in observed(spec)}
    place |= {name: ("X", (number,)) for number, name in enumerate(measured(spec))}

    def read(name: str, start: int, stop: int) -> NDArray[Any]:
        path, column = place[name]
        return load(path, (slice(start, stop), *column))

    return stored_columns(spec, read)


def _spatial(spec: TableSpec) -> list[str]:
    """The columns of an object's place, along x, y and z, as AnnData has it; none if the table has no centroids."""
    names = [f"centroid-{axis}" for axis in range(len(spec.facts.axes))][::-1]
    return names if set(names) <= set(measured(spec)) else []


def _names(block: Columns) -> NDArray[Any]:
    """A text of its own for each row: the label, and with times such as `4-t1`."""
    texts = block["label"].astype(np.dtypes.StringDType())
    return texts + "-t" + block["t"].astype(np.dtypes.StringDType()) if "t" in block else texts


def check(spec: TableSpec) -> None:
    """InvalidOption for columns that AnnData cannot hold."""
    for name in observed(spec):
        if name in (REGION, INDEX, "", ".") or "/" in name:
            raise InvalidOption(
                f"column {name!r} cannot be a column of AnnData's obs, which has {REGION!r} and {INDEX!r} of its own "
                "and no '/' in names; rename the column or write another format"
            )
