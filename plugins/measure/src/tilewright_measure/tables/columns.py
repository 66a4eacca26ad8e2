"""Columns of a finished table that read the rows that are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Columns, TableSpec

from .rows import dtypes_of

__all__ = ["columns_of", "stored_columns"]


def stored_columns(spec: TableSpec, load: Callable[[str, int, int], NDArray[Any]]) -> Columns:
    """The columns of a table of which `load(name, start, stop)` reads rows."""
    return columns_of(dtypes_of(spec), spec.n_rows, load)


def columns_of(
    dtypes: Mapping[str, np.dtype[Any]], rows: int, load: Callable[[str, int, int], NDArray[Any]]
) -> Columns:
    """Likewise, of so many rows."""
    columns = {name: _Column(rows=rows, dtype=dtype, load=partial(load, name)) for name, dtype in dtypes.items()}
    return cast("Columns", columns)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Column:
    """A column in a file, `(rows,)`: a slice reads its rows, `numpy.asarray` all of them."""

    rows: int
    dtype: np.dtype[Any]
    load: Callable[[int, int], NDArray[Any]]

    @property
    def shape(self) -> tuple[int]:
        return (self.rows,)

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, slice):
            return np.asarray(self)[key]
        wanted = range(self.rows)[key]
        if not wanted:
            return np.empty(0, self.dtype)
        first, last = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
        return self.load(first, last + 1).astype(self.dtype, copy=False)[:: wanted.step]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)
