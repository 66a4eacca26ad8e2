"""The writer `ome-tiff`: labels and their pyramid as one tiled OME-TIFF."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tilewright.abc import Array, LabelSpec, StagedSink
from tilewright.errors import InvalidImage, InvalidOption, NotReadable

from .axes import LABEL_AXES
from .export import Export, annotation
from .opening import open_tiff
from .pyramid import build, create, largest, plane_shapes
from .reader import TiffReader, without_suffix

__all__ = ["OmeTiffLabels", "OmeTiffSink"]


@dataclass(frozen=True, kw_only=True)
class OmeTiffLabels:
    """Write labels as a tiled OME-TIFF whose coarse levels are SubIFDs, BigTIFF where it has to be.

    The levels have the shapes of the image's; without a pyramid to copy, y and x are halved down to 512 pixels. Each
    coarse pixel has the label of one pixel of its block. Sizes are in micrometres, and what ran is kept as a map
    annotation of the namespace `tilewright`. InvalidOption for options that make no TIFF, before anything is run, and
    for labels that OME-TIFF cannot hold.
    """

    tile: int = field(default=512, metadata={"help": "Tile length along y and x, a multiple of 16."})
    pyramid: bool = field(default=True, metadata={"help": "Write coarser levels too."})
    compression: Literal["deflate", "zstd", "none"] = field(
        default="deflate",
        metadata={"help": "Every reader knows deflate; zstd is smaller and faster, but less widely read."},
    )
    dtype: Literal["auto", "uint16", "uint32"] = field(
        default="auto", metadata={"help": "Type of the ids; auto is uint16 where they fit, else uint32."}
    )

    def __post_init__(self) -> None:
        if self.tile < 16 or self.tile % 16:
            raise InvalidOption(f"tile {self.tile} is not a multiple of 16, as TIFF needs it; give 256, 512 or 1024")
        if self.compression == "zstd" and importlib.util.find_spec("imagecodecs") is None:
            raise InvalidOption('compression "zstd" needs imagecodecs; pip install "tilewright-tiff[codecs]"')

    def __call__(self, path: str, spec: LabelSpec) -> OmeTiffSink:
        target = Path(path).absolute()
        if target.is_dir():
            raise InvalidOption(f"{path!r} is a folder, but OME-TIFF is one file; give the path of a file")
        if spec.axes not in LABEL_AXES:
            raise InvalidOption(
                f"OME-TIFF cannot hold labels with axes {spec.axes!r}, only t z y x; write another format"
            )
        if spec.dtype.itemsize > 4:
            raise InvalidOption(f"OME-TIFF has no {spec.dtype}, which these labels need; write OME-Zarr")
        labels = create(spec.workdir / "labels.zarr", spec.shape, self.tile, spec.dtype)
        return OmeTiffSink(path=target, spec=spec, labels=labels, options=self)

    def destination(self, image: str, name: str) -> str:
        """Where labels of that name go that belong to the image at that path: beside it."""
        return f"{without_suffix(image)}.{name}.ome.tif"

    def provenance(self, path: str) -> Mapping[str, Any] | None:
        """What the map annotation of the file holds; None for a file without it."""
        try:
            opened = open_tiff(path)
        except (InvalidImage, NotReadable):
            return None
        with opened.tif:
            return None if opened.xml is None else annotation(opened.xml)


@dataclass(frozen=True, kw_only=True)
class OmeTiffSink(StagedSink):
    """Labels on their way to an OME-TIFF: an array that is streamed into it at the end."""

    options: OmeTiffLabels

    def finish(self, provenance: Mapping[str, Any]) -> None:
        """Build the coarse levels, write the file aside, and put it into its place at once.

        A kill or an error before that leaves the earlier file as it was, and the same call begins again.
        """
        workdir = self.spec.workdir
        shapes = plane_shapes(self.spec, pyramid=self.options.pyramid)
        export = Export(
            levels=build(self.labels, shapes, self.options.tile, workdir / "levels"),
            dtype=self._dtype(),
            tile=self.options.tile,
            compression=self.options.compression,
            spec=self.spec,
        )
        aside = workdir / "labels.ome.tif"
        export.write(aside, provenance)
        aside.replace(self.path)

    def read(self) -> Array:
        """The finest level, once it is in its place."""
        return TiffReader()(str(self.path)).data

    def _dtype(self) -> np.dtype[Any]:
        chosen = self.options.dtype
        highest = 0 if chosen == "uint32" else largest(self.labels)
        if chosen == "auto":
            return np.dtype(np.uint16 if highest < 2**16 else np.uint32)
        if highest > np.iinfo(chosen).max:
            raise InvalidOption(f"dtype {chosen!r} was asked for, but the ids go up to {highest:,}; leave dtype out")
        return np.dtype(chosen)
