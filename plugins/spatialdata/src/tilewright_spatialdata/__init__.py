"""SpatialData for tilewright: hooks only, so that discovery imports neither zarr nor numpy."""

from __future__ import annotations

from tilewright import FormatSpec, hookimpl


@hookimpl
def tilewright_tables() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="spatialdata",
            target="tilewright_spatialdata.table:SpatialDataTable",
            summary="A SpatialData store with the labels and the table that annotates them, for scverse.",
            suffixes=(".sdata.zarr", ".spatialdata.zarr"),
        )
    ]
