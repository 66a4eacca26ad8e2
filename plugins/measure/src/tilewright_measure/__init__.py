"""The hooks of tilewright-measure, and `regionprops_table`: discovery imports this module, and it has to stay light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tilewright import FormatSpec, Spec, hookimpl

if TYPE_CHECKING:  # `as` tells type checkers that the name is public
    from .skimage_table import regionprops_table as regionprops_table


@hookimpl
def tilewright_measurers() -> list[Spec]:
    return [
        Spec(
            name="size",
            target="tilewright_measure.size:Size",
            summary="Area, place, axes, perimeter, holes, hull and moments, as scikit-image has them.",
        ),
        Spec(
            name="intensity",
            target="tilewright_measure.intensity:Intensity",
            summary="Mean, deviation, extremes, sum, quantiles, weighted moments and correlation of channels.",
        ),
        Spec(
            name="neighbours",
            target="tilewright_measure.neighbours:Neighbours",
            summary="How many objects touch, the length of the shared border, the distance to the nearest object.",
        ),
        Spec(
            name="overlaps",
            target="tilewright_measure.overlaps:Overlaps",
            summary="Parent, children, shared pixels and IoU with the objects of another label image.",
        ),
        Spec(
            name="regionprops",
            target="tilewright_measure.regionprops:RegionProps",
            summary="Any property of scikit-image's regionprops by name, of whole objects.",
        ),
        Spec(
            name="cut-score",
            target="tilewright_measure.cut_score:CutScore",
            summary="How straight an object's straightest edge is, as tiles cut it: squidpy's cut score, in planes.",
        ),
        Spec(
            name="cp-measure",
            target="tilewright_measure.cellprofiler:CpMeasure",
            summary="CellProfiler's features by the library cp_measure, of whole objects.",
        ),
    ]


@hookimpl
def tilewright_tables() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="csv",
            target="tilewright_measure.tables.csv:CsvTable",
            summary="Text, a line for each object, with commas or tabs.",
            suffixes=(".csv", ".tsv"),
        ),
        FormatSpec(
            name="parquet",
            target="tilewright_measure.tables.parquet:ParquetTable",
            summary="Parquet, with dtypes, units and provenance.",
            suffixes=(".parquet",),
        ),
        FormatSpec(
            name="h5ad",
            target="tilewright_measure.tables.h5ad:H5adTable",
            summary="AnnData in a file of HDF5, for scanpy and squidpy.",
            suffixes=(".h5ad",),
        ),
        FormatSpec(
            name="ngio",
            target="tilewright_measure.tables.ngio:NgioTable",
            summary="A table within an OME-Zarr image, IMAGE.ome.zarr/tables/NAME, as ngio and Fractal read it.",
            suffixes=(".ome.zarr", ".zarr"),
        ),
    ]


def __getattr__(name: str) -> Any:
    if name == "regionprops_table":
        from .skimage_table import regionprops_table

        return regionprops_table
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
