"""The contracts: what each kind of component is called with, must return, and may declare; one module for each kind.

A component is a callable: a plain function, or an instance of a frozen, keyword-only dataclass. The fields of the
dataclass are the component's options, and the `help` in a field's metadata is what users read of it. Arrays are
numpy's. A region is a tuple of slices, one for each axis, in pixels of the image.

No class has to inherit from these protocols. A type checker holds a component to one where it is annotated:
`reader: Reader = LabReader()`. What a component may leave out is an attribute or a method that it does not have;
`tilewright.abc.traits` reads and checks all of these once, before the first tile.
"""

from __future__ import annotations

from ..image import AXES, SPATIAL, Array, Image, Level, Region
from ..storage.arrays import direct
from ..storage.disk import check_metadata
from ..storage.hierarchy import changed_hierarchy, check_node, is_node, root_of
from ..storage.machine import cpus
from ..storage.replace import check_replaceable, place_folder, recover, replace_folder
from ..tiling.grid import Tile, TileGrid
from ..tiling.placement import Placement
from ..tiling.regions import common, lengths, relative
from ..tiling.windows import Windows
from .maps import untiled
from .merger import NOTHING, BatchMerger, Copies, Decision, Evidence, Merger, OwningMerger, Seam, upheld
from .network import Maps, Network, Prediction, Window
from .reader import LabelsReader, Reader
from .segmenter import LocatedSegmenter, MeasuredSegmenter, PreparedSegmenter, Segmenter
from .tiler import Needs, Tiler
from .traits import MergerTraits, ReaderTraits, SinkTraits, Traits, WriterTraits
from .writer import BlockSink, LabelSpec, LabelsWriter, PlacedWriter, ReadableSink, Sink, StagedSink, Writer

__all__ = [
    "AXES",
    "NOTHING",
    "SPATIAL",
    "Array",
    "BatchMerger",
    "BlockSink",
    "Copies",
    "Decision",
    "Evidence",
    "Image",
    "LabelSpec",
    "LabelsReader",
    "LabelsWriter",
    "Level",
    "LocatedSegmenter",
    "Maps",
    "MeasuredSegmenter",
    "Merger",
    "MergerTraits",
    "Needs",
    "Network",
    "OwningMerger",
    "PlacedWriter",
    "Placement",
    "Prediction",
    "PreparedSegmenter",
    "ReadableSink",
    "Reader",
    "ReaderTraits",
    "Region",
    "Seam",
    "Segmenter",
    "Sink",
    "SinkTraits",
    "StagedSink",
    "Tile",
    "TileGrid",
    "Tiler",
    "Traits",
    "Window",
    "Windows",
    "Writer",
    "WriterTraits",
    "changed_hierarchy",
    "check_metadata",
    "check_node",
    "check_replaceable",
    "common",
    "cpus",
    "direct",
    "is_node",
    "lengths",
    "place_folder",
    "recover",
    "relative",
    "replace_folder",
    "root_of",
    "untiled",
    "upheld",
]
