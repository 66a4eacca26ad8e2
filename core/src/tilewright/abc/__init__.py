"""The contracts: what each kind of component is called with, must return, and may declare; one module for each kind.

A name's module is imported when the name is first used.

A component is a callable: a plain function, or an instance of a frozen, keyword-only dataclass. The fields of the
dataclass are the component's options, and the `help` in a field's metadata is what users read of it. Arrays are
numpy's. A region is a tuple of slices, one for each axis, in pixels of the image.

No class has to inherit from these protocols. A type checker holds a component to one where it is annotated:
`reader: Reader = LabReader()`. What a component may leave out is an attribute or a method that it does not have;
`tilewright.abc.traits` reads and checks all of these once, before the first tile.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `as` tells type checkers that the name is public
    from ..image import AXES as AXES
    from ..image import SPATIAL as SPATIAL
    from ..image import Array as Array
    from ..image import Image as Image
    from ..image import Level as Level
    from ..image import Region as Region
    from ..storage.arrays import direct as direct
    from ..storage.disk import check_metadata as check_metadata
    from ..storage.hierarchy import changed_hierarchy as changed_hierarchy
    from ..storage.hierarchy import check_node as check_node
    from ..storage.hierarchy import is_node as is_node
    from ..storage.hierarchy import root_of as root_of
    from ..storage.location import Location as Location
    from ..storage.machine import cpus as cpus
    from ..storage.object_store import Conflict as Conflict
    from ..storage.object_store import Objects as Objects
    from ..storage.object_store import location_objects as location_objects
    from ..storage.object_store import updated as updated
    from ..storage.remote_errors import explained as explained
    from ..storage.remote_errors import remote as remote
    from ..storage.replace import check_replaceable as check_replaceable
    from ..storage.replace import place_folder as place_folder
    from ..storage.replace import recover as recover
    from ..storage.replace import replace_folder as replace_folder
    from ..tiling.grid import Tile as Tile
    from ..tiling.grid import TileGrid as TileGrid
    from ..tiling.placement import Placement as Placement
    from ..tiling.regions import common as common
    from ..tiling.regions import lengths as lengths
    from ..tiling.regions import relative as relative
    from ..tiling.windows import Windows as Windows
    from .maps import untiled as untiled
    from .measurer import Block as Block
    from .measurer import Column as Column
    from .measurer import Columns as Columns
    from .measurer import Facts as Facts
    from .measurer import Measurer as Measurer
    from .measurer import PartialMeasurer as PartialMeasurer
    from .measurer import Quantity as Quantity
    from .measurer import Rows as Rows
    from .merger import NOTHING as NOTHING
    from .merger import BatchMerger as BatchMerger
    from .merger import Copies as Copies
    from .merger import Decision as Decision
    from .merger import Evidence as Evidence
    from .merger import Merger as Merger
    from .merger import OwningMerger as OwningMerger
    from .merger import Seam as Seam
    from .merger import upheld as upheld
    from .merges import merged as merged
    from .merges import unsplit as unsplit
    from .network import Maps as Maps
    from .network import Network as Network
    from .network import Prediction as Prediction
    from .network import Window as Window
    from .reader import CollectionReader as CollectionReader
    from .reader import LabelsReader as LabelsReader
    from .reader import Reader as Reader
    from .reader import files_by_name as files_by_name
    from .segmenter import GivenSegmenter as GivenSegmenter
    from .segmenter import LocatedSegmenter as LocatedSegmenter
    from .segmenter import MeasuredSegmenter as MeasuredSegmenter
    from .segmenter import MultiOutputSegmenter as MultiOutputSegmenter
    from .segmenter import PreparedSegmenter as PreparedSegmenter
    from .segmenter import Segmenter as Segmenter
    from .table import TableFormat as TableFormat
    from .table import TableSink as TableSink
    from .table import TableSpec as TableSpec
    from .tiler import Needs as Needs
    from .tiler import Tiler as Tiler
    from .traits import MeasurerTraits as MeasurerTraits
    from .traits import MergerTraits as MergerTraits
    from .traits import ReaderTraits as ReaderTraits
    from .traits import SinkTraits as SinkTraits
    from .traits import Traits as Traits
    from .traits import TransformTraits as TransformTraits
    from .traits import WriterTraits as WriterTraits
    from .transform import LocatedTransform as LocatedTransform
    from .transform import PreparedTransform as PreparedTransform
    from .transform import Transform as Transform
    from .writer import BlockSink as BlockSink
    from .writer import LabelSpec as LabelSpec
    from .writer import LabelsWriter as LabelsWriter
    from .writer import PlacedWriter as PlacedWriter
    from .writer import ReadableSink as ReadableSink
    from .writer import RecordedWriter as RecordedWriter
    from .writer import Sink as Sink
    from .writer import StagedSink as StagedSink
    from .writer import Writer as Writer

_HOMES = {
    "..image": ("AXES", "Array", "Image", "Level", "Region", "SPATIAL"),
    "..storage.arrays": ("direct",),
    "..storage.disk": ("check_metadata",),
    "..storage.hierarchy": ("changed_hierarchy", "check_node", "is_node", "root_of"),
    "..storage.location": ("Location",),
    "..storage.machine": ("cpus",),
    "..storage.object_store": ("Conflict", "Objects", "location_objects", "updated"),
    "..storage.remote_errors": ("explained", "remote"),
    "..storage.replace": ("check_replaceable", "place_folder", "recover", "replace_folder"),
    "..tiling.grid": ("Tile", "TileGrid"),
    "..tiling.placement": ("Placement",),
    "..tiling.regions": ("common", "lengths", "relative"),
    "..tiling.windows": ("Windows",),
    ".maps": ("untiled",),
    ".measurer": ("Block", "Column", "Columns", "Facts", "Measurer", "PartialMeasurer", "Quantity", "Rows"),
    ".merger": ("BatchMerger", "Copies", "Decision", "Evidence", "Merger", "NOTHING", "OwningMerger", "Seam", "upheld"),
    ".merges": ("merged", "unsplit"),
    ".network": ("Maps", "Network", "Prediction", "Window"),
    ".reader": ("CollectionReader", "LabelsReader", "Reader", "files_by_name"),
    ".segmenter": (
        "GivenSegmenter",
        "LocatedSegmenter",
        "MeasuredSegmenter",
        "MultiOutputSegmenter",
        "PreparedSegmenter",
        "Segmenter",
    ),
    ".table": ("TableFormat", "TableSink", "TableSpec"),
    ".tiler": ("Needs", "Tiler"),
    ".traits": (
        "MeasurerTraits",
        "MergerTraits",
        "ReaderTraits",
        "SinkTraits",
        "Traits",
        "TransformTraits",
        "WriterTraits",
    ),
    ".transform": ("LocatedTransform", "PreparedTransform", "Transform"),
    ".writer": (
        "BlockSink",
        "LabelSpec",
        "LabelsWriter",
        "PlacedWriter",
        "ReadableSink",
        "RecordedWriter",
        "Sink",
        "StagedSink",
        "Writer",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [*_HOME]  # noqa: PLE0604 - the starred names are strings


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
