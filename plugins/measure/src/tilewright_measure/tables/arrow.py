"""Tables as Arrow has them: the schema with its units, and blocks of rows."""

from __future__ import annotations

import pyarrow as pa

from tilewright.abc import Columns, TableSpec

from .rows import dtypes_of

__all__ = ["batch", "schema_of"]


def schema_of(spec: TableSpec) -> pa.Schema:
    """The fields of a table, in order; a field's metadata has its `unit` where there is one."""
    return pa.schema(
        [
            pa.field(
                name,
                pa.string() if dtype.kind == "O" else pa.from_numpy_dtype(dtype),
                metadata=_metadata(spec.columns[name].unit),
            )
            for name, dtype in dtypes_of(spec).items()
        ]
    )


def batch(block: Columns, schema: pa.Schema) -> pa.RecordBatch:
    """Rows of a table."""
    return pa.record_batch([pa.array(block[name]) for name in schema.names], schema)


def _metadata(unit: str) -> dict[str, str] | None:
    return {"unit": unit} if unit else None
