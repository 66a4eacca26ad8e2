"""Where the network looks: the patches that Cellpose's own evaluation of the whole image would hand to it.

What the network says of a pixel depends on where in its patch the pixel lies: the whole patch is averaged into a style
(Cellpose 3), or seen by a transformer with positions (Cellpose 4). Cellpose spreads its patches evenly over the array
that it is given, after a border of zeros; over a tile they would lie elsewhere than over the image. So they are laid
over the whole image here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tilewright.abc import Windows

from .weights import newer

__all__ = ["line", "side", "windows"]

OVERLAP = 0.1  # of a patch's side, as in Cellpose's evaluation by default


def side() -> int:
    """The side of a patch: what the networks of the installed generation are trained with."""
    return 256 if newer() else 224


def line(length: int) -> tuple[tuple[int, ...], int]:
    """The patches along an axis of so many pixels, as `cellpose.core.run_net` lays them: their starts, and their side.

    The first one starts in the zeros before the image, so below 0.
    """
    from cellpose import transforms

    least = {"min_size": (side(), side())} if newer() else {}
    before, after = transforms.get_pad_yx(length, length, **least)[:2]
    whole = before + length + after
    count = 1 if whole <= side() else math.ceil((1 + 2 * OVERLAP) * whole / side())
    starts = np.linspace(0, whole - min(side(), whole), count).astype(int) - before
    return tuple(starts.tolist()), min(side(), whole)


def windows(axes: str, plane: str, shape: Sequence[int]) -> Windows:
    """The patches over all planes of an image that lie along two of its axes.

    axes, shape: the spatial axes of the image, and its lengths along them as the network sees it. In a volume a patch
    is one pixel thick along the third axis.
    """
    lines = [line(n) if axis in plane else (tuple(range(n)), 1) for axis, n in zip(axes, shape, strict=True)]
    starts, size = zip(*lines, strict=True)
    taper = tuple(_taper(n) if axis in plane else (1.0,) for axis, n in zip(axes, size, strict=True))
    return Windows(axes=axes, shape=tuple(shape), starts=starts, size=size, taper=taper)


def _taper(length: int) -> tuple[float, ...]:
    """The weights along one axis by which Cellpose averages patches; its weight of a pixel is the product of two."""
    from cellpose import transforms

    return tuple(np.sqrt(np.diagonal(transforms._taper_mask(length, length))).tolist())
