"""What is kept of a network's windows, and what they say together of a region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidLabels
from ..image import Image
from ..tiling.axes import spatial
from ..tiling.placement import Placement
from ..tiling.regions import Region, common, lengths, relative
from ..tiling.windows import WindowGrid, Windows
from .network import PLACE, Arrays, Maps, Prediction, Window
from .traits import Traits

__all__ = ["cropped", "joined", "untiled", "window_of", "windows_in"]

Decoded = TypeVar("Decoded", covariant=True)


def window_of(grid: WindowGrid, number: int, pixels: NDArray[Any]) -> Window:
    """What a network is handed of a window. pixels: of its region, in the windows' axes after `c`."""
    region = grid.region(number)
    at = [grid.axes.index(axis) for axis in grid.windows.axes]
    return Window(
        pixels=pixels,
        region=tuple(region[i] for i in at),
        shape=tuple(grid.shape[i] for i in at),
        span=grid.span(number),
    )


def windows_in(grid: WindowGrid, numbers: Iterable[int], pixels: NDArray[Any], axes: str) -> list[Window]:
    """Windows of a whole image in memory: `pixels` with these axes, those that the segmenter is handed."""
    order = [axes.index(axis) for axis in ("c" if "c" in axes else "") + grid.windows.axes]
    others = [i for i in range(len(axes)) if i not in order]

    def read(region: Region) -> NDArray[Any]:
        parts = dict(zip(grid.axes, region, strict=True))
        block = pixels[tuple(parts.get(axis, slice(None)) for axis in axes)]
        return block.transpose(*others, *order).reshape([block.shape[i] for i in order])

    return [window_of(grid, number, read(grid.region(number))) for number in numbers]


def cropped(grid: WindowGrid, number: int, said: Arrays, predictions: Mapping[str, Prediction]) -> dict[str, Any]:
    """What is kept of a window: without its margin and what lies beyond the image, in the dtypes that are declared.

    InvalidLabels for what does not fit the declaration, and for a value that its dtype cannot hold.
    """
    if set(said) != set(predictions):
        raise InvalidLabels(f"predicted {sorted(said)}, but declares {sorted(predictions)}")
    span, kept = grid.span(number), _own(grid, grid.kept(number))
    inside = _within(said[PLACE], kept) if PLACE in said else None
    arrays = {}
    for name, each in predictions.items():
        array = np.asarray(said[name])
        wanted = (len(said[PLACE]), each.channels) if each.rows else (each.channels, *lengths(span))
        if array.shape != wanted:
            raise InvalidLabels(f"predicted {name} of shape {array.shape} for a window, but declares {wanted}")
        part = array[inside] if each.rows else array[(slice(None), *relative(kept, span))]
        arrays[name] = _kept_as(each.dtype, part, name)
    return arrays


def joined(
    grid: WindowGrid,
    parts: Iterable[tuple[int, Arrays]],
    region: Region,
    axes: str,
    predictions: Mapping[str, Prediction],
) -> Maps:
    """What was said of a region of the image, from what is kept of its windows, in ascending order of their numbers.

    axes: the spatial ones of the segmenter, which the maps have; along the image's other axes the region has length 1.
    """
    space = grid.space(region)
    own = _own(grid, space)
    maps = {
        name: np.zeros((each.channels, *lengths(space)), np.float32)
        for name, each in predictions.items()
        if not each.rows
    }
    tables = {name: [np.zeros((0, each.channels), each.dtype)] for name, each in predictions.items() if each.rows}
    weights = np.zeros(lengths(space) if maps else 0, np.float32)
    for number, arrays in parts:
        _add(maps, weights, space, grid, number, arrays)
        inside = _within(arrays[PLACE], own) if tables else None
        for name, table in tables.items():
            table.append(arrays[name][inside] - ([part.start for part in own] if name == PLACE else 0))
    for name, map_ in maps.items():
        np.divide(map_, weights, out=map_, where=weights > 0)
        map_[:, weights == 0] = predictions[name].background
    order = [grid.axes.index(axis) for axis in axes]
    shape = tuple(lengths(space)[i] for i in order)
    others = [i for i in range(len(space)) if i not in order]
    dense = {
        name: map_.transpose(0, *(1 + i for i in [*others, *order])).reshape(len(map_), *shape)
        for name, map_ in maps.items()
    }
    found = {name: np.concatenate(table) for name, table in tables.items()}
    return Maps(dense | found, tuple(space[i] for i in order))


class _Decoding(Protocol[Decoded]):
    """A `Network`, by what its `decode` returns."""

    def windows(self, image: Image, budget: int, /) -> Sequence[Windows]: ...
    def predict(self, windows: Sequence[Window], which: int, /) -> Sequence[Arrays]: ...
    def decode(self, maps: Sequence[Maps], place: Placement, /) -> Decoded: ...


def untiled(
    network: _Decoding[Decoded],
    pixels: NDArray[Any],
    axes: str,
    given: Mapping[str, NDArray[np.uint64]] | None = None,
) -> Decoded:
    """The labels of a whole image in memory: each window predicted once, rounded as a run keeps it, and decoded.

    It returns what `decode` does: an array, or arrays by name.

    pixels: with these axes, those that the segmenter is handed. given: label images, for a network that declares them.
    """
    image, space = Image(pixels, axes=axes), spatial(axes)
    traits, whole = Traits.of(network, image), tuple(slice(0, image.size(axis)) for axis in space)
    maps = []
    for which, windows in enumerate(network.windows(image, 2**62)):
        grid, parts = WindowGrid(windows=windows, axes=space, shape=lengths(whole)), []
        for first in range(0, len(grid), traits.batch):
            numbers = range(first, min(first + traits.batch, len(grid)))
            said = network.predict(windows_in(grid, numbers, pixels, axes), which)
            parts += [(n, cropped(grid, n, each, traits.predictions)) for n, each in zip(numbers, said, strict=True)]
        maps.append(joined(grid, parts, whole, space, traits.predictions))
    return network.decode(maps, Placement.whole(space, lengths(whole)), **({"given": given} if given else {}))


def _own(grid: WindowGrid, region: Region) -> Region:
    """The part of a region along the windows' axes, in their order."""
    return tuple(region[grid.axes.index(axis)] for axis in grid.windows.axes)


def _within(places: NDArray[Any], region: Region) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = np.logical_and.reduce(
        [(along >= part.start) & (along < part.stop) for along, part in zip(places.T, region, strict=True)]
    )
    return inside


def _kept_as(dtype: str, array: NDArray[Any], name: str) -> NDArray[Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        kept = np.ascontiguousarray(array).astype(dtype)
    lost = np.isfinite(array) & ~np.isfinite(kept) if kept.dtype.kind == "f" else kept != array
    if lost.any():
        raise InvalidLabels(f"predicted {name} = {array[lost][0]}, which {dtype} cannot hold; declare a larger dtype")
    return kept


def _add(
    maps: dict[str, NDArray[Any]],
    weights: NDArray[np.float32],
    space: Region,
    grid: WindowGrid,
    number: int,
    arrays: Arrays,
) -> None:
    """Add a window's maps to those of a region, or put them there if windows have no taper."""
    kept = grid.kept(number)
    both = common(kept, space)
    if not maps or both is None:
        return
    here, own = relative(both, space), relative(_own(grid, both), _own(grid, kept))
    weight = _weight(grid, number, both)
    for name, map_ in maps.items():
        part = _in_image(grid, arrays[name][(slice(None), *own)])
        if weight is None:
            map_[(slice(None), *here)] = part
        else:
            map_[(slice(None), *here)] += part * weight
    if weight is None:
        weights[here] = 1
    else:
        weights[here] += weight


def _weight(grid: WindowGrid, number: int, part: Region) -> NDArray[np.float64] | None:
    """The weights of a window over a part of it, in the image's axes; None if it has no taper."""
    if not grid.windows.taper:
        return None
    inside = relative(_own(grid, part), grid.span(number))
    along = [np.array(taper)[each] for taper, each in zip(grid.windows.taper, inside, strict=True)]
    weight: NDArray[np.float64] = _in_image(grid, reduce(np.multiply.outer, along)[np.newaxis])[0]
    return weight


def _in_image(grid: WindowGrid, array: NDArray[Any]) -> NDArray[Any]:
    """An array (channels, *axes of a window) in the image's axes, of length 1 along those that it does not have."""
    own = grid.windows.axes
    ordered = array.transpose(0, *(1 + own.index(axis) for axis in grid.axes if axis in own))
    return ordered[(slice(None), *(slice(None) if axis in own else np.newaxis for axis in grid.axes))]
