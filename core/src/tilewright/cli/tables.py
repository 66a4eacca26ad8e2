"""What commands print of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..engine.table import Table

__all__ = ["table_plain", "table_told"]


def table_plain(table: Table) -> dict[str, Any]:
    """A table's facts in JSON's values."""
    return {
        "path": str(table.path),
        "n_rows": table.n_rows,
        "columns": {name: {"dtype": each.dtype, "unit": each.unit} for name, each in table.columns.items()},
        "too_large": [list(each) for each in table.too_large],
    }


def table_told(table: Table) -> str:
    """A table in a line."""
    return f"table:  {table.path} ({table.n_rows:,} rows of {len(table.columns)} columns)"
