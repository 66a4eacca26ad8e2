"""A seam: where two tiles meet, and what both say about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tiling.grid import Tile
from ..tiling.regions import Region

__all__ = ["Seam"]

Labels = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Seam:
    """Two tiles that meet, with their labels where they do. `lower` comes first in raster order.

    offset: `upper.index - lower.index`; entries other than 0 are the axes across which the tiles meet (one for a
        face, two for an edge, three for a corner).
    labels: the two tiles' labels over the same pixels or the same facing planes, arrays of one shape, 0 is background
        and other numbers are the tile's own. They are the facing planes of the two cores (length 1 along each axis of
        the offset); for a merger that has `decide` they cover `region`, which both tiles' outer regions share.
    region: in pixels of the image; None for faces.
    """

    lower: Tile
    upper: Tile
    offset: tuple[int, ...]
    labels: tuple[Labels, Labels]
    region: Region | None = None
