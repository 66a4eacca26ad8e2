"""The contract of a segmenter."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..image import Image
from ..tiling.placement import Placement

__all__ = ["LocatedSegmenter", "MeasuredSegmenter", "PreparedSegmenter", "Segmenter"]


class Segmenter(Protocol):
    """A component that turns a tile's pixels into labels: `segmenter(pixels) -> labels`. A plain function is one.

    It is called from several threads at a time and in several processes, and is pickled to them: weights are loaded at
    the first call, not when it is made. Tiles at the image's border are smaller, down to one pixel.

    It may declare, as attributes, properties or fields (`Traits.of` reads and checks them):

    | name | type | meaning |
    |---|---|---|
    | `axes` | `str` | what it is handed: `"yx"`, `"zyx"`, `"cyx"`, `"czyx"` … Along the image's other axes nothing joins; an axis `z` that the image lacks has length 1 |
    | `channel` | `int`, `str` or `None` | the channel to hand over where the run names none |
    | `channels` | a sequence of them, or `None` | likewise the channels, for a segmenter that takes `c` |
    | `halo` | `int`, a sequence, or a mapping by axis | pixels on each side of a tile's core that neighbours compare, where the run gives none |
    | `context` | likewise | further pixels on each side that it is handed, and whose labels are dropped: what a pixel's label depends on, where two tiles need not compare it |
    | `stride` | likewise | outer regions start and stop at multiples of it, or at the image's border: a network's downsampling factor |
    | `located` | `bool` | whether it is told where its pixels lie (`LocatedSegmenter`) |
    | `merger` | a name, instance or mapping | what joins its tiles; `"touch"` if it declares none |
    | `min_size` | `int` | objects with fewer pixels, once joined, are dropped |
    | `memory` | a method | bytes that a call takes (`MeasuredSegmenter`) |
    | `prepare` | a method | fixes what must be the same for all tiles (`PreparedSegmenter`) |
    | `outputs`, `given`, `keeps_ids`, `batch` | `tuple[str, ...]`, `tuple[str, ...]`, `bool`, `int` | names that later versions serve; this one refuses a segmenter that declares one of them |
    """  # noqa: E501 - rows of a table cannot be broken

    def __call__(self, pixels: NDArray[Any], /) -> NDArray[Any]:
        """The labels of a tile.

        pixels: an array of the axes that the segmenter declares, else of the image's spatial axes in the image's order;
            any real dtype; not to be changed.

        Returns an array of the same spatial shape, without `c`: 0 is background, every object a whole number from 1 to
        2⁶⁴ - 1 of its own within the tile. Booleans and whole floats are taken. Whatever it raises becomes
        SegmenterFailed with the tile's place; a wrong return becomes InvalidLabels.
        """


class LocatedSegmenter(Protocol):
    """A segmenter that declares `located = True`: its work depends on where in the image a tile lies."""

    @property
    def located(self) -> bool:
        """True."""

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None, /) -> NDArray[Any]:
        """As `Segmenter`; `place` says where in the image the pixels lie, and None that they are the whole image."""


class PreparedSegmenter(Protocol):
    """A segmenter with something that must be the same for all tiles: a threshold, limits of a normalisation."""

    def prepare(self, image: Image, /) -> Segmenter | LocatedSegmenter:
        """The segmenter to use, asked for once in a run, with the whole lazy image of the chosen channels.

        Fix what all tiles share from `Image.sample()` or `Image.percentiles()`, and return a new segmenter.
        """


class MeasuredSegmenter(Protocol):
    """A segmenter that knows what a call takes, for tilers that go by memory."""

    def memory(self, shape: tuple[int, ...], dtype: np.dtype[Any], /) -> int:
        """The bytes that a call takes for a tile of that spatial shape, with halo and context, and dtype."""
