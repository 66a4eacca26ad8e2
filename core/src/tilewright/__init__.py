"""Segment images of any size: cut into tiles, run any segmenter on each, join the labels into one image.

Everything public is in `__all__`. A name's module is imported when the name is first used, so that `import tilewright`
stays light: plugins import it to be discovered.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .components.hookspecs import hookimpl
from .components.specs import FormatSpec, Spec
from .deprecation import warn_renamed

if TYPE_CHECKING:  # `as` tells type checkers that the name is public
    from .abc.merger import Copies as Copies
    from .abc.merger import Decision as Decision
    from .abc.merger import Evidence as Evidence
    from .abc.merger import Seam as Seam
    from .abc.tiler import Needs as Needs
    from .abc.writer import LabelSpec as LabelSpec
    from .abc.writer import Sink as Sink
    from .abc.writer import Writer as Writer
    from .builtin.mergers import Overlap as Overlap
    from .builtin.mergers import Touch as Touch
    from .builtin.tilers import Auto as Auto
    from .builtin.tilers import Grid as Grid
    from .components.events import DoneTile as DoneTile
    from .components.events import RunFinished as RunFinished
    from .components.events import RunPlanned as RunPlanned
    from .components.events import TileDone as TileDone
    from .components.exhaustion import fit_into_memory as fit_into_memory
    from .components.registry import register as register
    from .engine.forecast import Forecast as Forecast
    from .engine.preview import Preview as Preview
    from .engine.preview import Sweep as Sweep
    from .engine.result import Result as Result
    from .engine.table import Table as Table
    from .engine.table import check_same_labels as check_same_labels
    from .errors import AlreadyExists as AlreadyExists
    from .errors import CheckpointMismatch as CheckpointMismatch
    from .errors import ComponentFailed as ComponentFailed
    from .errors import InvalidImage as InvalidImage
    from .errors import InvalidLabels as InvalidLabels
    from .errors import InvalidMeasures as InvalidMeasures
    from .errors import InvalidOption as InvalidOption
    from .errors import InvalidPixels as InvalidPixels
    from .errors import NotReadable as NotReadable
    from .errors import NotWritable as NotWritable
    from .errors import OutputBusy as OutputBusy
    from .errors import PluginError as PluginError
    from .errors import SegmenterFailed as SegmenterFailed
    from .errors import TilewrightError as TilewrightError
    from .errors import TransformFailed as TransformFailed
    from .errors import UnknownComponent as UnknownComponent
    from .errors import WorkerDiffers as WorkerDiffers
    from .errors import WorkerLost as WorkerLost
    from .functions.cluster import make_local_cluster as make_local_cluster
    from .functions.emptiness import estimate_empty_tiles as estimate_empty_tiles
    from .functions.loading import load_ome_zarr as load_ome_zarr
    from .functions.measure import measure as measure
    from .functions.merge import merge_tile_labels as merge_tile_labels
    from .functions.process import tile_process as tile_process
    from .functions.relabel import relabel_sequential_array as relabel_sequential_array
    from .functions.relabel import relabel_sequential_zarr as relabel_sequential_zarr
    from .functions.seams import check_seams as check_seams
    from .functions.shapes import auto_overlap as auto_overlap
    from .functions.shapes import auto_tile_shape as auto_tile_shape
    from .functions.shapes import auto_tile_shape_cellpose as auto_tile_shape_cellpose
    from .image import Image as Image
    from .image import Level as Level
    from .image import Region as Region
    from .io.formats import open_image as open_image
    from .metrics.comparison import Comparison as Comparison
    from .metrics.comparison import Score as Score
    from .metrics.comparison import compare as compare
    from .metrics.seams.check import SeamCheck as SeamCheck
    from .pipeline import Pipeline as Pipeline
    from .run_options import RunOptions as RunOptions
    from .tiling.grid import Tile as Tile
    from .tiling.grid import TileGrid as TileGrid
    from .tiling.placement import Placement as Placement
    from .workflow import Step as Step
    from .workflow import Workflow as Workflow
    from .workflow.collection import Collection as Collection

_HOMES = {
    "errors": (
        "AlreadyExists",
        "CheckpointMismatch",
        "ComponentFailed",
        "InvalidImage",
        "InvalidLabels",
        "InvalidMeasures",
        "InvalidOption",
        "InvalidPixels",
        "NotReadable",
        "NotWritable",
        "OutputBusy",
        "PluginError",
        "SegmenterFailed",
        "TilewrightError",
        "TransformFailed",
        "UnknownComponent",
        "WorkerDiffers",
        "WorkerLost",
    ),
    "engine.forecast": ("Forecast",),
    "components.exhaustion": ("fit_into_memory",),
    "components.events": ("DoneTile", "RunFinished", "RunPlanned", "TileDone"),
    "io.formats": ("open_image",),
    "functions.cluster": ("make_local_cluster",),
    "functions.emptiness": ("estimate_empty_tiles",),
    "functions.loading": ("load_ome_zarr",),
    "functions.measure": ("measure",),
    "functions.merge": ("merge_tile_labels",),
    "functions.process": ("tile_process",),
    "functions.relabel": ("relabel_sequential_array", "relabel_sequential_zarr"),
    "functions.seams": ("check_seams",),
    "functions.shapes": ("auto_overlap", "auto_tile_shape", "auto_tile_shape_cellpose"),
    "image": ("Image", "Level", "Region"),
    "builtin.mergers": ("Overlap", "Touch"),
    "metrics.comparison": ("Comparison", "Score", "compare"),
    "metrics.seams.check": ("SeamCheck",),
    "pipeline": ("Pipeline",),
    "run_options": ("RunOptions",),
    "tiling.placement": ("Placement",),
    "components.registry": ("register",),
    "engine.preview": ("Preview", "Sweep"),
    "engine.result": ("Result",),
    "engine.table": ("Table", "check_same_labels"),
    "abc.merger": ("Copies", "Decision", "Evidence", "Seam"),
    "abc.writer": ("LabelSpec", "Sink", "Writer"),
    "builtin.tilers": ("Auto", "Grid"),
    "abc.tiler": ("Needs",),
    "tiling.grid": ("Tile", "TileGrid"),
    "workflow.collection": ("Collection",),
    "workflow": ("Step", "Workflow"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["FormatSpec", "Spec", "__version__", "hookimpl", *_HOME]  # noqa: PLE0604 - the starred names are strings


def __getattr__(name: str) -> Any:
    if name == "StageMismatch":
        warn_renamed(name, "CheckpointMismatch")
        name = "CheckpointMismatch"
    if name not in _HOME:
        raise AttributeError(f"module 'tilewright' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
