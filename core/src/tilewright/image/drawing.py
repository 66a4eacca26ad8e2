"""Pictures of pixels and labels, as arrays (y, x, 3) of bytes: stretched, outlined, captioned; and PNG files."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import InvalidOption
from .sampling import percentiles_of

__all__ = [
    "AMBER",
    "CYAN",
    "HIGH",
    "LOW",
    "Picture",
    "captioned",
    "colored",
    "composite",
    "data_url",
    "edges",
    "enlarged",
    "fitted",
    "outlined",
    "pillow",
    "png",
    "sheet",
    "stretched",
]

Picture = NDArray[np.uint8]

LOW, HIGH = 0.5, 99.8  # the percentiles that are black and white
CYAN, AMBER = (80, 220, 255), (255, 176, 0)  # told apart by the colour-blind, on grey and from each other
DARK, MIDDLE, BRIGHT = (20, 11, 52), (187, 55, 84), (252, 255, 164)  # a scale that is even in lightness
COLORS = ((255, 0, 200), (110, 200, 0), (60, 60, 255), (255, 140, 0))  # of channels, darker than outlines
PAPER, INK = (255, 255, 255), (20, 20, 20)
FONT, MARGIN, GAP = 16, 6, 10  # pixels
LONGEST = 100  # characters of a line of text


def stretched(pixels: NDArray[Any], low: float, high: float) -> Picture:
    """Pixels as grey values: `low` and what is below is 0, `high` and what is above 255; NaN is 0."""
    unit = (np.asarray(pixels, np.float64) - low) / ((high - low) or 1.0)
    grey: Picture = (np.clip(np.nan_to_num(unit, nan=0.0), 0, 1) * 255).astype(np.uint8)
    return grey


def composite(channels: Sequence[NDArray[Any]], side: int) -> Picture:
    """Channels (y, x) as one picture, `fitted` to a side, each from its 0.5th to its 99.8th percentile.

    One alone is grey. Of several each has a colour, and the colours are added up.
    """
    greys = [
        fitted(stretched(each, *percentiles_of([each], LOW, HIGH)), side, mean=True).astype(np.uint8)
        for each in channels
    ]
    if len(greys) == 1:
        return np.repeat(greys[0][..., None], 3, axis=2)
    colors = [np.array(COLORS[index % len(COLORS)]) / 255 for index in range(len(greys))]
    total = sum(grey[..., None] * color for grey, color in zip(greys, colors, strict=True))
    return np.clip(total, 0, 255).astype(np.uint8)


def fitted(plane: NDArray[Any], side: int, *, mean: bool) -> NDArray[Any]:
    """A plane (y, x), enlarged or made smaller by a whole factor, whose longer side has at most about `side` pixels.

    mean: whether a smaller one has the means of its pixels, as grey values need, or one of them, as labels need.
    """
    longest = max(plane.shape)
    if longest <= side:
        return enlarged(plane, max(1, side // max(1, longest)))
    step = -(-longest // side)
    taken = tuple(slice(min(step // 2, length - 1), None, step) for length in plane.shape)
    smaller: NDArray[Any] = (ndimage.uniform_filter(np.asarray(plane, float), step) if mean else plane)[taken]
    return smaller


def edges(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """The pixels of objects in a plane (y, x) that have a pixel of something else above, below or beside them."""
    around = np.pad(labels, 1, mode="edge")
    middle = around[1:-1, 1:-1]
    sides = (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
    edge: NDArray[np.bool_] = np.logical_or.reduce([side != middle for side in sides]) & (middle != 0)
    return edge


def outlined(grey: Picture, labels: NDArray[Any], chosen: int | None = None) -> Picture:
    """Grey values (y, x), or a picture (y, x, 3), as a picture with the outlines of labels; one of them stands out.

    The pixels outside, beside an outline, are darker, so that it is seen on bright ones.
    """
    picture = grey.copy() if grey.ndim > 2 else np.repeat(grey[..., None], 3, axis=2)
    edge = edges(labels)
    picture[ndimage.binary_dilation(edge) & (labels == 0)] //= 3
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


def captioned(picture: Picture, lines: Sequence[str]) -> Picture:
    """A picture with lines of text below it, of at most 100 characters each; it becomes wider where a line is."""
    images = pillow()
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default(FONT)  # Pillow's own, so that pictures are the same on every machine
    lines = [line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…" for line in lines]
    widths = [round(font.getlength(line)) for line in lines]
    step = FONT + 5
    height, width = picture.shape[0] + step * len(lines) + 2 * MARGIN, max(picture.shape[1], *widths) + 2 * MARGIN
    canvas = np.full((height, width, 3), PAPER, np.uint8)
    canvas[: picture.shape[0], : picture.shape[1]] = picture
    image = images.fromarray(canvas)
    drawing = ImageDraw.Draw(image)
    for index, line in enumerate(lines):
        drawing.text((MARGIN, picture.shape[0] + MARGIN + index * step), line, fill=INK, font=font)
    return np.asarray(image)


def sheet(pictures: Sequence[Picture], columns: int) -> Picture:
    """Pictures in rows of so many, on white."""
    height, width = (max(each.shape[axis] for each in pictures) for axis in (0, 1))
    rows = -(-len(pictures) // columns)
    page = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), PAPER, np.uint8)
    for index, each in enumerate(pictures):
        y, x = (
            GAP + place * (length + GAP) for place, length in zip(divmod(index, columns), (height, width), strict=True)
        )
        page[y : y + each.shape[0], x : x + each.shape[1]] = each
    return page


def png(picture: Picture, *, smallest: bool = False) -> bytes:
    """A picture as the bytes of a PNG file; the smallest one takes some times as long."""
    file = io.BytesIO()
    pillow().fromarray(picture).save(file, "PNG", optimize=smallest)
    return file.getvalue()


def data_url(picture: Picture) -> str:
    """A picture as the address of itself, so that a page needs no file beside it."""
    return f"data:image/png;base64,{base64.b64encode(png(picture, smallest=True)).decode()}"


def pillow() -> Any:
    """Pillow's module of images. InvalidOption if it is not installed."""
    try:
        from PIL import Image
    except ImportError as error:
        raise InvalidOption(
            f"pictures cannot be made: {error}; install what they need: pip install 'tilewright[report]'"
        ) from error
    return Image
