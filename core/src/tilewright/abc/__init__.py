"""The contracts: what each kind of component is called with, must return, and may declare; one module for each kind.

Nobody has to inherit from these protocols. A type checker holds a class to one where it is annotated so:
`reader: Reader = LabReader()`.
"""

from __future__ import annotations

from ..image import AXES, SPATIAL, Array, Image, Level, Region
from ..storage.local import direct
from ..storage.machine import cpus
from ..storage.replace import check_replaceable, recover, replace_folder
from ..tiling.grid import Tile, TileGrid
from ..tiling.placement import Placement
from ..tiling.regions import common, lengths, relative
from .merger import NOTHING, BatchMerger, Copies, Decision, Evidence, Merger, OwningMerger, Seam, upheld
from .reader import LabelsReader, Reader
from .segmenter import LocatedSegmenter, MeasuredSegmenter, PreparedSegmenter, Segmenter
from .tiler import Needs, Tiler
from .traits import MergerTraits, ReaderTraits, SinkTraits, Traits, WriterTraits
from .writer import LabelSpec, Sink, Writer

__all__ = [
    "AXES",
    "NOTHING",
    "SPATIAL",
    "Array",
    "BatchMerger",
    "Copies",
    "Decision",
    "Evidence",
    "Image",
    "LabelSpec",
    "LabelsReader",
    "Level",
    "LocatedSegmenter",
    "MeasuredSegmenter",
    "Merger",
    "MergerTraits",
    "Needs",
    "OwningMerger",
    "Placement",
    "PreparedSegmenter",
    "Reader",
    "ReaderTraits",
    "Region",
    "Seam",
    "Segmenter",
    "Sink",
    "SinkTraits",
    "Tile",
    "TileGrid",
    "Tiler",
    "Traits",
    "Writer",
    "WriterTraits",
    "check_replaceable",
    "common",
    "cpus",
    "direct",
    "lengths",
    "recover",
    "relative",
    "replace_folder",
    "upheld",
]
