"""The picture: a plane whole, and a part of it where tiles meet, with its objects in colour and the tile grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from plane import Plane, Window

__all__ = ["draw"]

Colours = NDArray[np.uint8]
Lines = tuple[Sequence[int], Sequence[int]]  # where tiles begin along y and x, 0 and the image's end among them

PANEL = 1024  # screen pixels along the longer side
ZOOM = 384  # image pixels along the longer side of the part shown
MARGIN, CAPTION = 24, 40
GRID, FRAME, BACK, INK = (120, 160, 200), (255, 255, 255), (18, 18, 22), (230, 230, 230)


def draw(path: Path, plane: Plane, lines: Lines, captions: Sequence[str]) -> None:
    """Write the picture of a plane beside a part of it, at the meeting of tiles with most in it around."""
    grey, ids = plane.overview(PANEL), plane.label_overview(PANEL)
    black, white = np.percentile(grey[np.isfinite(grey)], (1, 99.7)) if np.isfinite(grey).any() else (0, 1)
    window = _busiest(plane, lines, ids)
    whole = _panel(grey, ids, (black, white), (slice(0, plane.shape[0]), slice(0, plane.shape[1])), lines)
    _frame(whole, plane.shape, window)
    part = _panel(plane.pixels(window), plane.ids(window), (black, white), window, lines)
    _sheet(whole, part, captions).save(path)


def _panel(
    grey: NDArray[Any], ids: NDArray[Any], stretch: tuple[float, float], window: Window, lines: Lines
) -> Picture.Image:
    """Pixels and labels of a window, enlarged or reduced to a panel, with outlines of one or two screen pixels."""
    height, width = (part.stop - part.start for part in window)
    scale = PANEL / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    back = Picture.fromarray(_stretched(grey, *stretch)).resize(size, Picture.Resampling.BICUBIC)
    small = np.where(ids > 0, ids % 65_521 + 1, 0).astype(np.int32)  # what a picture can hold; colours may repeat
    shown = np.asarray(Picture.fromarray(small).resize(size, Picture.Resampling.NEAREST))
    canvas = np.repeat(np.asarray(back)[..., np.newaxis], 3, axis=2)
    outline = _outlines(shown)
    if scale >= 2:  # there is room for a second pixel
        outline |= _outlines(np.where(outline, 0, shown))
    canvas[outline] = _colours(shown[outline])
    picture = Picture.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    for y in (y for y in lines[0] if window[0].start < y < window[0].stop):
        pen.line([(0, (y - window[0].start) * scale), (size[0], (y - window[0].start) * scale)], GRID)
    for x in (x for x in lines[1] if window[1].start < x < window[1].stop):
        pen.line([((x - window[1].start) * scale, 0), ((x - window[1].start) * scale, size[1])], GRID)
    return picture


def _stretched(grey: NDArray[Any], black: float, white: float) -> Colours:
    """Brightness as 0..255; the root lifts dim objects, which a linear scale would hide beside bright ones."""
    unit = np.clip((np.nan_to_num(grey.astype(np.float32)) - black) / max(white - black, 1e-12), 0, 1)
    brightness: Colours = (200 * np.sqrt(unit)).astype(np.uint8)
    return brightness


def _outlines(ids: NDArray[Any]) -> NDArray[np.bool_]:
    """The pixels of objects that have a neighbour of another id."""
    edge = np.zeros(ids.shape, bool)
    for axis in (0, 1):
        differs = np.diff(ids, axis=axis) != 0
        edge |= np.pad(differs, [(1, 0) if a == axis else (0, 0) for a in (0, 1)])
        edge |= np.pad(differs, [(0, 1) if a == axis else (0, 0) for a in (0, 1)])
    result: NDArray[np.bool_] = edge & (ids > 0)
    return result


def _colours(ids: NDArray[Any]) -> Colours:
    """A bright colour for each id; hues of successive ids lie a golden angle apart."""
    hue = (ids[:, np.newaxis] * 0.618034 + np.array([0, 1 / 3, 2 / 3])) % 1
    colours: Colours = (70 + 185 * np.clip(np.abs(hue * 6 - 3) - 1, 0, 1)).astype(np.uint8)
    return colours


def _busiest(plane: Plane, lines: Lines, ids: NDArray[Any]) -> Window:
    """The window around the corner of tiles that has most of its pixels in objects; the middle if there is none."""
    step = plane.step(plane.image, PANEL)
    middles = [sorted(inner) or [n // 2] for inner, n in zip((ys[1:-1] for ys in lines), plane.shape, strict=True)]
    windows = [(_around(y, plane.shape[0]), _around(x, plane.shape[1])) for y in middles[0] for x in middles[1]]
    return max(windows, key=lambda w: np.count_nonzero(ids[tuple(slice(p.start // step, p.stop // step) for p in w)]))


def _around(middle: int, length: int) -> slice:
    start = max(0, min(middle - ZOOM // 2, length - ZOOM))
    return slice(start, min(length, start + ZOOM))


def _frame(picture: Picture.Image, shape: tuple[int, int], window: Window) -> None:
    scale = PANEL / max(shape)
    (top, bottom), (left, right) = ((part.start * scale, part.stop * scale) for part in window)
    ImageDraw.Draw(picture).rectangle([left, top, right, bottom], outline=FRAME, width=2)


def _sheet(whole: Picture.Image, part: Picture.Image, captions: Sequence[str]) -> Picture.Image:
    """Both panels side by side, and a line below each."""
    lefts = MARGIN, 2 * MARGIN + whole.width
    height = max(whole.height, part.height)
    sheet = Picture.new("RGB", (lefts[1] + part.width + MARGIN, height + MARGIN + CAPTION + MARGIN // 2), BACK)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(19)
    for panel, left, caption in zip((whole, part), lefts, captions, strict=True):
        sheet.paste(panel, (left, MARGIN))
        pen.text((left, MARGIN + height + 12), caption, INK, font)
    return sheet
