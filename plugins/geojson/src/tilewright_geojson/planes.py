"""The planes of a label image: their blocks, and how their pixels lie on the image's finest level."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import open_image
from tilewright.abc import Array

from .assembly import Block

__all__ = ["BLOCK", "blocks", "scale_of"]

BLOCK = 1024  # pixels along y and x that are traced at a time


def blocks(labels: Array, leading: tuple[int, ...]) -> Iterator[Block]:
    """The blocks of the plane at some place along the axes before y and x."""
    height, width = labels.shape[-2:]
    for y in range(0, height, BLOCK):
        for x in range(0, width, BLOCK):
            region = (*leading, slice(y, y + BLOCK), slice(x, x + BLOCK))
            yield Block(y=y, x=x, read=functools.partial(_read, labels, region))


def _read(labels: Array, region: Any) -> NDArray[Any]:
    return np.asarray(labels[region])


def scale_of(shape: tuple[int, ...], source: str, provenance: Mapping[str, Any]) -> tuple[float, float]:
    """How many pixels of the finest level one of the labels is long, along x and y.

    shape: of the labels. source: the path that the run's reader was given. The reader knows: it is asked for the finest
    level if it was given another.
    """
    record = provenance.get("pipeline", {}).get("reader")
    if not record or not record.get("configuration", {}).get("level"):
        return 1, 1
    finest = open_image(source, reader={**record, "configuration": {**record["configuration"], "level": 0}})
    down, across = (_ratio(finest.size(axis), n) for axis, n in zip("yx", shape[-2:], strict=True))
    return across, down


def _ratio(fine: int, coarse: int) -> float:
    """How many fine pixels a coarse one is long: a whole number where rounding explains the lengths."""
    factor = max(1, round(fine / coarse))
    return factor if coarse in (fine // factor, -(-fine // factor)) else fine / coarse
