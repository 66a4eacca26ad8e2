"""The contract of a tiler, and what it is told that a segmenter needs."""

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
    """What a segmenter declares that a tiler has to respect, in pixels.

    separate: axes along which objects never join; a tile has one plane of them (`TileGrid.with_separate` sees to it
        if a tiler does not).
    halo, stride: by axis, 0 and 1 where an axis is left out.
    context: by axis, 0 where one is left out: pixels around a tile's outer region that the segmenter is handed too. A
        run adds them; to a tiler they matter for what a tile takes.
    memory: bytes that a call takes for a tile of a shape and dtype, or None if the segmenter does not say.
    channels: how many of them a tile's pixels have.
    """

    separate: str = ""
    halo: Mapping[str, int] = field(default_factory=dict)
    stride: Mapping[str, int] = field(default_factory=dict)
    context: Mapping[str, int] = field(default_factory=dict)
    memory: Callable[[tuple[int, ...], np.dtype[np.generic]], int] | None = None
    channels: int = 1


class Tiler(Protocol):
    """A component that cuts an image into tiles: `tiler(image, needs) -> TileGrid`.

    The grid depends on the image, the needs and the options alone: a run that is resumed has to find its tiles again.
    """

    def __call__(self, image: Image, needs: Needs, /) -> TileGrid:
        """A grid over exactly the axes and the shape of the image, which has no axis `c`.

        InvalidOption for options that do not fit the image.
        """
