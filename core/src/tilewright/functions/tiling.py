"""From `tile_shape` and `overlap` to a tiler, with every wrong value refused before anything is done."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..abc.tiler import Needs
from ..abc.traits import MergerTraits
from ..builtin.tilers import Grid
from ..components.quantities import whole_number
from ..errors import InvalidOption
from ..image import Image
from ..tiling.axes import SPATIAL, for_axes
from ..tiling.grid import TileGrid
from .shapes import TARGET_BYTES, auto_tile_shape

__all__ = ["Planes", "TileShape", "numbers_by_axis", "tiler"]

TileShape = Sequence[int] | Callable[[tuple[int, ...], Any], Sequence[int]] | str | int | None


@dataclass(frozen=True, kw_only=True)
class Planes:
    """The tiles of a grid; along axes on which they have length 1 and no halo, nothing joins.

    For mergers that compare what two tiles saw: planes that each are seen by one tile show nothing to compare.
    """

    grid: Grid

    def __call__(self, image: Image, needs: Needs) -> TileGrid:
        grid = self.grid(image, needs)
        cut = zip(grid.axes, grid.largest, grid.halo, strict=True)
        return grid.with_separate("".join(axis for axis, length, halo in cut if length == 1 and not halo))


def tiler(
    image: Image, tile_shape: TileShape, overlap: int | Sequence[int], *, axes: str, merger: object, use_gpu: bool
) -> Grid | Planes:
    """The tiler over an image without `c`.

    axes: those that the user sees, where a number for `c` may be given and means nothing.
    """
    halo = None if isinstance(overlap, int) and not overlap else numbers_by_axis("overlap", overlap, axes, least=0)
    grid = Grid(tile=_tile(image, tile_shape, axes=axes, use_gpu=use_gpu), halo=halo)
    return Planes(grid=grid) if MergerTraits.of(merger).owns else grid


def _tile(image: Image, said: TileShape, *, axes: str, use_gpu: bool) -> int | tuple[int, ...] | None:
    if said is None:
        return None
    if isinstance(said, str):
        if said != "auto":
            raise InvalidOption(f"tile_shape must be None, 'auto', a sequence of lengths or a function, not {said!r}")
        return _aligned(image, use_gpu=use_gpu)
    if callable(said):
        said = said(image.shape, image.dtype)
    return numbers_by_axis("tile_shape", said, axes, least=1)


def _aligned(image: Image, *, use_gpu: bool) -> tuple[int, ...]:
    """Lengths by memory, and where that leaves whole storage chunks, whole storage chunks: each is then read once."""
    spatial = [i for i, axis in enumerate(image.axes) if axis in SPATIAL]
    lengths = auto_tile_shape(
        tuple(image.shape[i] for i in spatial),
        image.dtype,
        target_bytes=TARGET_BYTES,
        use_gpu=use_gpu,
        n_workers=1 if use_gpu else None,
    )
    chunks = [image.chunks[i] for i in spatial]
    tile = (n if n < c else n // c * c for n, c in zip(lengths, chunks, strict=True))
    return for_axes("tile", tuple(tile), image.axes, rest=1)


def numbers_by_axis(what: str, said: Any, axes: str, *, least: int) -> int | tuple[int, ...]:
    """One number for all spatial axes as it is; else one for each spatial axis or for each axis, without that of `c`.

    InvalidOption for anything but whole numbers, for one below `least`, and for too few or too many.

    >>> numbers_by_axis("overlap", (0, 2, 8, 8), "czyx", least=0)
    (2, 8, 8)
    """
    if isinstance(said, numbers.Number):
        return whole_number(what, said, least=least)
    if isinstance(said, str) or not hasattr(said, "__iter__"):
        raise InvalidOption(f"{what} must be a whole number or a sequence of them, not {said!r}")
    values = tuple(whole_number(what, each, least=least, said=said) for each in said)
    spatial = "".join(axis for axis in axes if axis in SPATIAL)
    if len(values) == len(axes) and "c" in axes:
        return tuple(value for value, axis in zip(values, axes, strict=True) if axis != "c")
    if len(values) not in (len(spatial), len(axes.replace("c", ""))):
        raise InvalidOption(
            f"{what} {list(values)} has {len(values)} numbers, but the image's axes {axes!r} need {len(spatial)} "
            f"(for {', '.join(spatial)}); give as many, or one for all"
        )
    return values
