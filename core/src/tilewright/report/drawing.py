"""Pictures of pixels and labels, as arrays: a stretch of the grey values, outlines, and PNG files."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption

__all__ = ["AMBER", "CYAN", "colored", "data_url", "edges", "enlarged", "outlined", "png", "stretched"]

Picture = NDArray[np.uint8]

CYAN, AMBER = (80, 220, 255), (255, 176, 0)  # told apart by the colour-blind, on grey and from each other
DARK, MIDDLE, BRIGHT = (20, 11, 52), (187, 55, 84), (252, 255, 164)  # a scale that is even in lightness


def stretched(pixels: NDArray[Any], low: float, high: float) -> Picture:
    """Pixels as grey values: `low` and what is below is 0, `high` and what is above 255; NaN is 0."""
    unit = (np.asarray(pixels, np.float64) - low) / ((high - low) or 1.0)
    grey: Picture = (np.clip(np.nan_to_num(unit, nan=0.0), 0, 1) * 255).astype(np.uint8)
    return grey


def edges(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """The pixels of objects in a plane (y, x) that have a pixel of something else above, below or beside them."""
    around = np.pad(labels, 1, mode="edge")
    middle = around[1:-1, 1:-1]
    sides = (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
    differs = np.logical_or.reduce([side != middle for side in sides])
    edge: NDArray[np.bool_] = differs & (middle != 0)
    return edge


def outlined(grey: Picture, labels: NDArray[Any], chosen: int | None = None) -> Picture:
    """Grey values (y, x) as a picture (y, x, 3) with the outlines of labels; those of one label stand out."""
    picture = np.repeat(grey[..., None], 3, axis=2)
    edge = edges(labels)
    picture[edge] = CYAN
    if chosen is not None:
        picture[edge & (labels == chosen)] = AMBER
    return picture


def colored(values: NDArray[Any]) -> Picture:
    """Numbers (y, x) as a picture (y, x, 3), dark for 0 and bright for the largest."""
    unit = np.asarray(values, np.float64) / (float(np.max(values, initial=0.0)) or 1.0)
    anchors = np.array([DARK, MIDDLE, BRIGHT], float)
    return np.stack([np.interp(unit, (0, 0.5, 1), anchor) for anchor in anchors.T], axis=-1).astype(np.uint8)


def enlarged(picture: NDArray[Any], times: int) -> NDArray[Any]:
    """Each pixel as a square of so many pixels; a plane or a picture."""
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def png(picture: Picture) -> bytes:
    """A picture as the bytes of a PNG file. InvalidOption if Pillow is not installed."""
    try:
        from PIL import Image as Pillow
    except ImportError as error:
        raise InvalidOption(
            f"pictures cannot be made: {error}; install what they need: pip install 'tilewright[report]'"
        ) from error
    file = io.BytesIO()
    Pillow.fromarray(picture).save(file, "PNG", optimize=True)
    return file.getvalue()


def data_url(picture: Picture) -> str:
    """A picture as the address of itself, so that a page needs no file beside it."""
    return f"data:image/png;base64,{base64.b64encode(png(picture)).decode()}"
