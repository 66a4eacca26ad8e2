"""The core's own components, offered through the same hooks as those of plugins."""

from __future__ import annotations

from ..components.hookspecs import hookimpl
from ..components.specs import FormatSpec, Spec


@hookimpl
def tilewright_tilers() -> list[Spec]:
    return [
        Spec(
            name="grid",
            target="tilewright.builtin.tilers:Grid",
            summary="Tiles of one fixed shape with a fixed halo.",
        ),
        Spec(
            name="auto",
            target="tilewright.builtin.tilers:Auto",
            summary="Tiles as large as a memory budget allows, aligned to the storage chunks.",
        ),
    ]


@hookimpl
def tilewright_mergers() -> list[Spec]:
    return [
        Spec(
            name="touch",
            target="tilewright.builtin.mergers:Touch",
            summary="What touches across a seam is one object (exact for connected components).",
        ),
        Spec(
            name="overlap",
            target="tilewright.builtin.mergers:Overlap",
            summary="What two tiles saw as the same object is one; the best view is drawn (for instances).",
        ),
    ]


@hookimpl
def tilewright_writers() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="zarr-array",
            target="tilewright.builtin.zarr_array:ZarrArray",
            summary="One plain zarr array, without metadata of an image.",
        )
    ]


@hookimpl
def tilewright_tables() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="zarr-table",
            target="tilewright.builtin.zarr_table:ZarrTable",
            summary="A zarr group with one array for each column.",
            suffixes=(".table.zarr",),
        )
    ]
