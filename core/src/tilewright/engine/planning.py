"""Cutting an image for a segmenter and a merger: what they need, the tiler's answer, and whether it will do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..builtin.tilers import Needs, spread
from ..components.resolve import declared, name_of
from ..errors import InvalidOption
from ..image import Image
from ..tiling.grid import TileGrid
from .plan import separate_axes

__all__ = ["context_of", "grid_of"]


def grid_of(
    tiler: Callable[..., TileGrid], image: Image, segmenter: object, axes: str, merger: Callable[..., Any]
) -> TileGrid:
    """The grid of a run over the image's axes but `c`, and its fitness for the merger."""
    seen = image.select(0) if "c" in image.axes else image
    needs = Needs(
        separate=separate_axes(image, axes),
        halo=_by_axis("halo", segmenter, seen),
        stride=_by_axis("stride", segmenter, seen),
        context=_by_axis("context", segmenter, seen),
        memory=getattr(segmenter, "memory", None),
        channels=image.size("c"),
    )
    grid = tiler(seen, needs).with_separate(needs.separate)
    if grid.axes != seen.axes or grid.shape != seen.shape:
        raise InvalidOption(
            f"tiler {name_of('tiler', tiler)!r} cut axes {grid.axes!r} of shape {grid.shape}, "
            f"but the image has {seen.axes!r} of shape {seen.shape}"
        )
    bare = [a for a, halo, n in zip(grid.axes, grid.halo, grid.counts, strict=True) if n > 1 and not halo]
    bare = [axis for axis in bare if axis not in grid.separate]
    if bare and hasattr(merger, "decide"):
        raise InvalidOption(
            f"merger {name_of('merger', merger)!r} compares what two tiles saw, but along {', '.join(bare)} the halo "
            "is 0; give a halo of at least 1 there (--halo), best the size of an object"
        )
    return grid


def context_of(segmenter: object, image: Image, grid: TileGrid) -> tuple[int, ...]:
    """By axis of the grid, the pixels beyond a tile that the segmenter is to see; none along a separate axis."""
    seen = image.select(0) if "c" in image.axes else image
    said = _by_axis("context", segmenter, seen)
    return tuple(0 if axis in grid.separate else said.get(axis, 0) for axis in grid.axes)


def _by_axis(what: str, segmenter: object, image: Image) -> dict[str, int]:
    said = declared(segmenter, what)
    if said is None:
        return {}
    if isinstance(said, Mapping):
        return dict(said)
    values = spread(what, said, image.axes)
    return dict(zip(image.axes, values, strict=True))
