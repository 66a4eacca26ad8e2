"""What a segmenter is called with, the labels that it returns, and what it may declare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..image import Image
from ..tiling.placement import Placement

__all__ = [
    "GivenSegmenter",
    "LocatedSegmenter",
    "MeasuredSegmenter",
    "MultiOutputSegmenter",
    "PreparedSegmenter",
    "Segmenter",
]


class Segmenter(Protocol):
    """A component that turns a tile's pixels into labels: `segmenter(pixels) -> labels`. A plain function is one.

    It is called from several threads at a time and in several processes, and is pickled to the processes: load weights
    at the first call, not when the segmenter is made. Tiles at the image's border are smaller, down to one pixel.

    A segmenter may declare, as attributes, properties or fields:

    | name | type | meaning |
    |---|---|---|
    | `axes` | `str` | the axes of the pixels that it is handed: `"yx"`, `"zyx"`, `"cyx"`, `"czyx"` … Objects never join along the image's other axes. If the image has no axis `z`, `z` has length 1 |
    | `channel` | `int`, `str` or `None` | the channel that it is handed if the run does not choose one |
    | `channels` | a sequence of `int` or `str`, or `None` | the channels that it is handed if the run does not choose them, for a segmenter with `c` in its axes |
    | `halo` | `int`, a sequence, or a mapping by axis | pixels on each side of a tile's core, if the run does not choose them. Neighbouring tiles compare their labels there |
    | `context` | as `halo` | further pixels on each side that it is handed, and whose labels are dropped: pixels on which labels in the halo depend |
    | `stride` | as `halo` | the outer regions of tiles start and stop at multiples of it, or at the image's border: a network's downsampling factor |
    | `located` | `bool` | `True` if it is called with the place of its pixels too (`LocatedSegmenter`) |
    | `merger` | a name, instance or mapping | the merger of its tiles; `"touch"` if it declares none |
    | `min_size` | `int` | joined objects with fewer pixels are dropped; beside `keeps_ids`, where nothing is joined, it is the segmenter's own affair |
    | `memory` | a method | the bytes that a call takes (`MeasuredSegmenter`) |
    | `prepare` | a method | fixes what must be the same for all tiles (`PreparedSegmenter`) |
    | `windows`, `predict`, `decode` | methods | what makes a segmenter a `Network`, whose windows are each predicted once |
    | `given` | `tuple[str, ...]` | the names of the label images that it needs, which the run gives (`GivenSegmenter`) |
    | `keeps_ids` | `bool` | `True` if its labels are final ids: equal ids in different tiles are one object, whose parts may lie apart. A tile's core is drawn by its own tile; no merger is asked, and nothing is renumbered |
    | `pixels` | `bool` | `False` if it looks at given labels alone: it is handed `None`, and no pixels are read; `True` if it declares none |
    | `outputs` | `tuple[str, ...]` | the names of the label images that it returns, if it returns several of one pass (`MultiOutputSegmenter`) |
    """  # noqa: E501 - rows of a table cannot be broken

    def __call__(self, pixels: NDArray[Any], /) -> NDArray[Any]:
        """The labels of a tile.

        pixels: an array of the axes that the segmenter declares, else of the image's spatial axes in the image's order;
            any real dtype. Do not change it.

        Returns an array of the same spatial shape, without `c`: 0 is background, and each object has a whole number of
        its own within the tile, from 1 to 2⁶⁴ - 1. Booleans, and floats that are whole numbers, are taken too.

        Any exception becomes SegmenterFailed with the tile's place; any other return becomes InvalidLabels.
        """


class LocatedSegmenter(Segmenter, Protocol):
    """A segmenter that declares `located = True`: a label depends on where in the image its pixel lies.

    Examples are a network's patches that lie at fixed places of the image, and a background that varies over it.
    """

    @property
    def located(self) -> bool:
        """True."""

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None, /) -> NDArray[Any]:
        """The labels of a tile, as `Segmenter` returns them.

        place: where in the image the pixels lie. None, outside of a run: they are the whole image.
        """


class GivenSegmenter(Protocol):
    """A segmenter that declares `given`: it is handed label images beside the pixels, such as the nuclei of cells.

    With `prepare` it may be handed them whole and lazy too: `prepare(image, given={name: image})`, if it has a
    parameter of that name.
    """

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the label images."""

    def __call__(self, pixels: Any, /, *, given: Mapping[str, NDArray[np.uint64]]) -> NDArray[Any]:
        """The labels of a tile, as `Segmenter` returns them.

        pixels: an array as for `Segmenter`; None for one that declares `pixels = False`.
        given: uint64 labels by name, over the place of the pixels, in the same spatial axes, halo and context included,
            with the ids that they have in their image. They may be changed.

        One that is `located` is handed the place of the pixels by keyword too: `place=`.
        """


class MultiOutputSegmenter(Protocol):
    """A segmenter that declares `outputs`: it returns several label images of one pass, such as nuclei and cells.

    Each is joined, written and measured by itself, as if a segmenter had returned it alone, with the halo, `merger`,
    `min_size` and `keeps_ids` that are declared for all. Ids of different outputs have nothing to do with each other.
    `decode` of a `Network` may return them too. What `prepare` returns declares the same outputs.
    """

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the label images: letters, digits, `-`, `_` and `.`; they differ by more than case."""

    def __call__(self, pixels: NDArray[Any], /) -> Mapping[str, NDArray[Any]]:
        """The labels of a tile by the names that are declared, no more and no less, each as `Segmenter` returns it.

        Anything else becomes InvalidLabels, with the names that it returned and those that it declares.
        """


class PreparedSegmenter(Segmenter, Protocol):
    """A segmenter with something that must be the same for all tiles: a threshold, limits of a normalisation."""

    def prepare(self, image: Image, /) -> Segmenter:
        """The segmenter to use instead; called once in a run, with the whole lazy image of the chosen channels.

        Fix what all tiles share from `Image.sample()`, `Image.percentiles()` or all of `Image.blocks()`, and return a
        new segmenter.
        """


class MeasuredSegmenter(Segmenter, Protocol):
    """A segmenter that knows the memory that a call takes; the tiler `auto` chooses its tiles by it."""

    def memory(self, shape: tuple[int, ...], dtype: np.dtype[Any], /) -> int:
        """The bytes that a call takes.

        shape: the tile's spatial shape, with its halo and context. dtype: of its pixels.
        """
