"""The layout of a label pyramid: levels, chunks, shards, and which levels can be filled along with the finest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from tilewright.abc import SPATIAL, LabelSpec, Level
from tilewright.errors import InvalidImage, InvalidOption

from .sampling import Sampling, sampling

__all__ = ["LevelLayout", "PyramidLayout", "halved", "plan"]

COARSEST = 512  # pixels along the longer of y and x at which a pyramid of our own ends
WANTED_2D = {"y": 256, "x": 256}  # 256 KB of uint32
WANTED_3D = {"z": 64, "y": 128, "x": 128}  # 4 MB of uint32


@dataclass(frozen=True, kw_only=True)
class LevelLayout:
    """One level: where it lies in space, how it is stored, and how its pixels lie on the finest level's."""

    level: Level
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    samplings: tuple[Sampling, ...]

    @property
    def unit(self) -> tuple[int, ...]:
        """What two writers must not share: a shard, or a chunk."""
        return self.shards or self.chunks

    def aligned(self, block: Sequence[int]) -> bool:
        """Whether blocks of the finest level, at multiples of their shape, never share a unit of this one."""
        axes = zip(block, self.unit, self.samplings, strict=True)
        return all(b >= s.fine or (s.factor is not None and b % (u * s.factor) == 0) for b, u, s in axes)


@dataclass(frozen=True, kw_only=True)
class PyramidLayout:
    """All levels, and the block of the finest one that is to be written at a time.

    `streamed` are the coarser levels that are filled along with each block; the rest is built from a finished level.
    """

    levels: tuple[LevelLayout, ...]
    block: tuple[int, ...]

    @property
    def streamed(self) -> tuple[int, ...]:
        return tuple(k for k, level in enumerate(self.levels) if k > 0 and level.aligned(self.block))


def plan(
    levels: Sequence[Level],
    axes: str,
    tile: Sequence[int],
    chunks: int | tuple[int, ...] | None,
    shards: int | tuple[int, ...] | None,
) -> PyramidLayout:
    """Lay out a label pyramid.

    Every level has the finest one's chunks and shards, clipped to its shape. The block is the largest one that divides
    the tile (or covers an axis that the tile covers) and fills whole units of as many levels as possible, so that a
    pyramid is mostly built from labels that are in memory anyway. InvalidOption for chunks and shards that do not fit.
    """
    shape = levels[0].shape
    tile = tuple(tile) or (0,) * len(axes)
    wanted = _expand(chunks, axes, "chunks") or _default_chunks(axes, tile, shape)
    outer = _expand(shards, axes, "shards")
    if outer and any(s % c for s, c in zip(outer, wanted, strict=True)):
        raise InvalidOption(f"shards {outer} are not multiples of the chunks {wanted}; give multiples, or chunks too")
    laid = tuple(_lay(level, levels[0], wanted, outer) for level in levels)
    return PyramidLayout(levels=laid, block=_block(laid, tile))


def _expand(sizes: int | tuple[int, ...] | None, axes: str, what: str) -> tuple[int, ...] | None:
    """Sizes for every axis: one number is for each of z y x, as many numbers as there are of these leave t at 1."""
    if sizes is None:
        return None
    spatial = sum(axis in SPATIAL for axis in axes)
    given = (sizes,) * spatial if isinstance(sizes, int) else sizes
    if len(given) not in (spatial, len(axes)):
        raise InvalidOption(
            f"{what} {given} have {len(given)} numbers, but the labels have axes {axes!r}; give one for each"
        )
    if min(given) < 1:
        raise InvalidOption(f"{what} {given} must be at least 1 along every axis")
    left = iter(given)
    return tuple(next(left) if len(given) == len(axes) or axis in SPATIAL else 1 for axis in axes)


def _default_chunks(axes: str, tile: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    sizes = dict(zip(axes, shape, strict=True))
    wanted = WANTED_3D if sizes.get("z", 1) > 1 else WANTED_2D
    return tuple(_fitting(wanted.get(axis, 1), t, n) for axis, t, n in zip(axes, tile, shape, strict=True))


def _fitting(wanted: int, tile: int, length: int) -> int:
    """The chunk length next to the wanted one that divides the tile; the wanted one if none is near."""
    if tile >= length or tile < 1:
        return max(1, min(wanted, length))
    if tile <= wanted:
        return tile
    near = [size for size in range(-(-wanted // 2), min(2 * wanted, tile) + 1) if tile % size == 0]
    return min(near, key=lambda size: (abs(math.log(size / wanted)), size), default=min(wanted, length))


def _lay(level: Level, finest: Level, wanted: Sequence[int], outer: Sequence[int] | None) -> LevelLayout:
    if any(n < 1 or n > fine for n, fine in zip(level.shape, finest.shape, strict=True)):
        raise InvalidImage(
            f"level {level.path!r} has shape {level.shape}, which is empty or larger than {finest.shape} of level "
            f"{finest.path!r}; order the levels from fine to coarse"
        )
    ratios = [b / a if a else 1.0 for a, b in zip(finest.scale, level.scale, strict=True)]
    chunks = tuple(min(c, n) for c, n in zip(wanted, level.shape, strict=True))
    shards = None
    if outer:
        inner = zip(outer, wanted, chunks, level.shape, strict=True)
        shards = tuple(min(s // w * c, -(-n // c) * c) for s, w, c, n in inner)
    return LevelLayout(
        level=level,
        chunks=chunks,
        shards=shards,
        samplings=tuple(sampling(*sizes) for sizes in zip(finest.shape, level.shape, ratios, strict=True)),
    )


def _block(levels: Sequence[LevelLayout], tile: Sequence[int]) -> tuple[int, ...]:
    for candidate in reversed(levels):
        block = _block_of(candidate, tile)
        if block is not None and levels[0].aligned(block):
            return block
    finest = levels[0]
    return tuple(min(u, n) for u, n in zip(finest.unit, finest.level.shape, strict=True))


def _block_of(level: LevelLayout, tile: Sequence[int]) -> tuple[int, ...] | None:
    """The block that fills one unit of a level, if it divides the tile."""
    block = []
    for unit, t, s in zip(level.unit, tile, level.samplings, strict=True):
        if t >= s.fine:
            block.append(s.fine)
        elif s.factor is not None and t > 0 and t % (unit * s.factor) == 0:
            block.append(unit * s.factor)
        else:
            return None
    return tuple(block)


def halved(finest: Level, axes: str, number: int | None = None, levels: Sequence[Level] = ()) -> tuple[Level, ...]:
    """Levels that go on from those given, else from the finest, by halving y and x, rounded up.

    z is halved once it is as large as they are. The levels end when neither y nor x is longer than 512 pixels, or at
    `number` levels in all.
    """
    found = list(levels) or [finest]
    while len(found) < number if number is not None else _longest(found[-1], axes) > COARSEST:
        found.append(_half(found[-1], axes, [level.path for level in found]))
    return tuple(found)


def _longest(level: Level, axes: str) -> int:
    return max((n for axis, n in zip(axes, level.shape, strict=True) if axis in "yx"), default=1)


def _half(level: Level, axes: str, taken: list[str]) -> Level:
    longest = _longest(level, axes)
    steps = [
        2 if axis in "yx" or (axis == "z" and n >= longest) else 1 for axis, n in zip(axes, level.shape, strict=True)
    ]
    return Level(
        path=next(str(number) for number in count(len(taken)) if str(number) not in taken),
        shape=tuple(-(-n // step) for n, step in zip(level.shape, steps, strict=True)),
        scale=tuple(size * step for size, step in zip(level.scale, steps, strict=True)),
        translation=level.translation,
    )


def spaced(spec: LabelSpec) -> Level:
    """The finest level of labels whose image has no pyramid."""
    return Level(path="0", shape=spec.shape, scale=tuple(float(spec.spacing.get(axis, 1)) for axis in spec.axes))
