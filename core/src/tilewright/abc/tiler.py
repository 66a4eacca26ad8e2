"""What a tiler is called with, and the grid that it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..image import Image
from ..tiling.grid import TileGrid

__all__ = ["Needs", "Tiler"]


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What the segmenter declares that its tiles have to respect, in pixels.

    separate: axes along which objects never join. A tile has one plane of each; `TileGrid.with_separate` cuts a grid
        so, and a run applies it to every grid.
    halo, stride: by axis; an axis that is left out has 0 and 1.
    context: by axis; an axis that is left out has 0. Pixels around a tile's outer region that the segmenter is handed
        too. The run adds them to the tiles; a tiler needs them for the memory that a tile takes.
    memory: the bytes that a call takes for a tile of a shape and dtype; None if the segmenter does not declare it.
    channels: the number of channels in a tile's pixels. given: the number of label images that come with them.
    """

    separate: str = ""
    halo: Mapping[str, int] = field(default_factory=dict)
    stride: Mapping[str, int] = field(default_factory=dict)
    context: Mapping[str, int] = field(default_factory=dict)
    memory: Callable[[tuple[int, ...], np.dtype[np.generic]], int] | None = None
    channels: int = 1
    given: int = 0


class Tiler(Protocol):
    """A component that cuts an image into tiles: `tiler(image, needs) -> TileGrid`.

    The grid must depend on the image, the needs and the options alone: a run that is resumed has to get the same tiles.

    A tiler may leave tiles out (`TileGrid(left_out=…)`), such as those beyond the round field of a camera. Their cores
    are part of the grid, but no run reads them, and they are background. A user who gives a run a region (`within`)
    leaves out more.
    """

    def __call__(self, image: Image, needs: Needs, /) -> TileGrid:
        """A grid over exactly the image's axes and shape.

        image: the image without its axis `c`; a segmenter is handed all channels of a tile.
        needs: what the segmenter declares, by axis.

        InvalidOption for options that do not fit the image.
        """
