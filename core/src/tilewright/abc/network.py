"""A segmenter in two halves: a network that sees each window of the image once, and what makes labels of its maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..image import Image
from ..tiling.placement import Placement
from ..tiling.regions import Region, lengths
from ..tiling.windows import Windows

__all__ = ["PLACE", "Arrays", "Maps", "Network", "Prediction", "Window"]

Arrays = Mapping[str, NDArray[Any]]
PLACE = "place"


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a network says under one name, and how it is kept.

    dtype: in which it is kept. What ranks objects or breaks ties needs 32 bits, flows and distances mostly 16.
    channels: a map of a window has the shape (channels, *window); of rows each has so many numbers.
    rows: a table instead of a map: (k, channels) for each window, k the same for all tables of a window. One of them
        is called `place`: where each row lies along the window's axes, in the windows' space. A row is kept by the
        window of which its place is kept.
    background: what a map has where the network was not asked, because there is nothing to see (`--empty`).
    """

    dtype: str = "float32"
    channels: int = 1
    rows: bool = False
    background: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """What a network is handed of one window.

    pixels: of the image, with the window's axes, `c` first if the segmenter's axes have it. They end where the image
        ends, and are the image's own, also where the windows lie in a resampled space.
    region: where they lie in the image, along the window's axes. shape: the image's lengths along these axes.
    span: what the window sees in the windows' space, which may begin before 0 and end after its end.
    """

    pixels: NDArray[Any]
    region: Region
    shape: tuple[int, ...]
    span: Region

    def padded(self, pixels: NDArray[Any], value: float = 0) -> NDArray[Any]:
        """Pixels of the part of the window within the image (the last axes are the window's), padded to its size."""
        inside = pixels.shape[-len(self.span) :]
        before = [max(0, -part.start) for part in self.span]
        after = [n - b - i for n, b, i in zip(lengths(self.span), before, inside, strict=True)]
        none = [(0, 0)] * (pixels.ndim - len(self.span))
        return np.pad(pixels, [*none, *zip(before, after, strict=True)], constant_values=value)


@dataclass(frozen=True, eq=False)
class Maps(Mapping[str, NDArray[Any]]):
    """What a network says of a region, by name: maps (channels, *region), and tables, whose `place` is in the region.

    region: along the segmenter's spatial axes, in the windows' space.
    """

    arrays: Arrays
    region: Region

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)


class Network(Protocol):
    """A segmenter whose network sees each window of the image once, whatever the tiles are.

    A run asks for the windows, has each predicted once, in batches that are filled across tiles, and decodes every tile
    from what was said of its windows. Beside what a `Segmenter` may declare, a network may declare:

    | name | type | meaning |
    |---|---|---|
    | `batch` | `int` | windows that go through the network at once; 1 if it declares none |
    | `gpu` | `bool` or `"auto"` | whether `predict` runs on a GPU: on one, on one if there is one, or not; not if it declares none. In a run on processes there is one for each GPU, which sees no other, to predict; the others see none, and decode |
    | `lean` | `() -> Network` | this network for a run that keeps no predictions: its `predict` may leave out what `decode` has no use for with these options; itself if it declares none |
    | `given` | `tuple[str, ...]` | as for any `Segmenter`: `decode(maps, place, given=…)` is handed the labels over the place; `predict` is not |
    | `decode_options` | `tuple[str, ...]` | the options that decide what `decode` does, and nothing of `predict`: kept predictions serve any of their values |
    """  # noqa: E501 - rows of a table cannot be broken

    @property
    def predictions(self) -> Mapping[str, Prediction]:
        """What `predict` returns for each window, by name."""

    def windows(self, image: Image, budget: int, /) -> Sequence[Windows]:
        """How the windows lie over the whole image: one or several sets.

        image: without pixels to be read; its axes, shape, dtype and spacing count. budget: bytes that a batch may take.

        It must depend on these and on the options alone: a run that is resumed has to get the same windows.
        """

    def predict(self, windows: Sequence[Window], which: int, /) -> Sequence[Arrays]:
        """What the network says of some windows of one set: for each of them arrays by name.

        windows: at most `batch` of them. which: the number of their set.

        It must depend on the pixels of each window alone.
        """

    def decode(self, maps: Sequence[Maps], place: Placement, /) -> NDArray[Any] | Mapping[str, NDArray[Any]]:
        """The labels of a tile, of the shape of `place.region`; by name of a network that declares `outputs`.

        maps: for each set what was said of the tile's region; where windows overlap, averaged by their taper.
        """

    def __call__(
        self, pixels: NDArray[Any], place: Placement | None = None, /
    ) -> NDArray[Any] | Mapping[str, NDArray[Any]]:
        """The labels of a whole image, as `decode` returns them. `tilewright.abc.untiled` makes them of all others."""
