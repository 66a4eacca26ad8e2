"""The picture: a plane whole, and a part of it where tiles meet, with its objects in colour and the tile grid."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from plane import Plane, Window
from scipy import ndimage
from skimage.measure import find_contours

__all__ = ["PANEL", "draw"]

Colours = NDArray[np.uint8]
Lines = tuple[Sequence[int], Sequence[int]]  # where tiles begin along y and x, 0 and the image's end among them

PANEL = 840  # screen pixels along the longer side
FINE = 2  # drawn so many times larger, and reduced: smooth lines
ZOOM = 280  # image pixels along the longer side of the part shown
MARGIN, CAPTION = 24, 52
DARK, LIGHT = np.array([8, 11, 22]), np.array([196, 208, 226])  # the ends of the scale of greys
GRID, FRAME, BACK, INK = (255, 255, 255, 130), (255, 255, 255), (5, 7, 14), (226, 232, 240)


def draw(path: Path, plane: Plane, lines: Lines, captions: Sequence[str]) -> None:
    """Write the picture of a plane beside a part of it, around a corner of tiles."""
    grey, ids = plane.overview(FINE * PANEL), plane.label_overview(FINE * PANEL)
    black, white = np.percentile(grey[np.isfinite(grey)], (25, 99.7)) if np.isfinite(grey).any() else (0, 1)
    window = _busiest(plane, lines, ids)
    whole = _canvas(_coloured(_tinted(grey, black, white), ids))
    part = _canvas(_tinted(plane.pixels(window), black, white))
    _outline(part, plane.ids(window))
    _grid(whole, (slice(0, plane.shape[0]), slice(0, plane.shape[1])), lines, dash=0)
    _grid(part, window, lines, dash=14)
    _frame(whole, plane.shape, window)
    _sheet(whole, part, captions).save(path, optimize=True)


def _tinted(grey: NDArray[Any], black: float, white: float) -> Colours:
    """Brightness from dark to light; the power lifts dim objects, which bright ones would hide on a linear scale."""
    unit = np.clip((np.nan_to_num(grey.astype(np.float32)) - black) / max(white - black, 1e-12), 0, 1)
    tinted: Colours = (DARK + (unit**0.6)[..., np.newaxis] * (LIGHT - DARK)).astype(np.uint8)
    return tinted


def _coloured(tinted: Colours, ids: NDArray[Any]) -> Colours:
    """The picture with each object in its colour; labels and pixels may differ in size."""
    small = np.where(ids > 0, ids % 65_521 + 1, 0).astype(np.int32)  # what a picture can hold; colours may repeat
    shown = np.asarray(Picture.fromarray(small).resize(tinted.shape[1::-1], Picture.Resampling.NEAREST))
    inside = shown > 0
    tinted[inside] = tinted[inside] * 0.35 + _colours(shown[inside]) * 0.65
    return tinted


def _canvas(pixels: Colours) -> Picture.Image:
    height, width = pixels.shape[:2]
    scale = FINE * PANEL / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Picture.fromarray(pixels).resize(size, Picture.Resampling.BICUBIC)


def _outline(canvas: Picture.Image, ids: NDArray[Any]) -> None:
    """Draw a smooth line just within each object, which its colour fills translucently."""
    scale = max(canvas.size) / max(ids.shape)
    pen = ImageDraw.Draw(canvas, "RGBA")
    for number, contour in _contours(ids):
        points = [((x + 0.5) * scale, (y + 0.5) * scale) for y, x in contour]
        colour = tuple(map(int, _colours(np.array([number % 65_521 + 1]))[0]))
        pen.polygon(points, (*colour, 50))
        pen.line([*points, points[1]], (*colour, 255), width=4 * FINE, joint="curve")


def _contours(ids: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """The ids and closed lines around them; objects that the edge cuts go on beyond it."""
    beyond = 6
    padded = np.pad(ids, beyond, mode="edge")
    numbers, places = np.unique(padded, return_inverse=True)
    for place, box in enumerate(ndimage.find_objects(places.reshape(padded.shape)), start=1):
        if box is not None:
            mask = np.pad((padded[box] == numbers[place]).astype(float), 3)
            for contour in find_contours(ndimage.gaussian_filter(mask, 0.8), 0.6):
                yield int(numbers[place]), contour + [part.start - 3 - beyond for part in box]


def _colours(ids: NDArray[Any]) -> Colours:
    """A bright colour for each id; hues of successive ids lie a golden angle apart."""
    hue = (ids[:, np.newaxis] * 0.618034 + np.array([0, 1 / 3, 2 / 3])) % 1
    colours: Colours = (80 + 175 * np.clip(np.abs(hue * 6 - 3) - 1, 0, 1)).astype(np.uint8)
    return colours


def _grid(canvas: Picture.Image, window: Window, lines: Lines, dash: int) -> None:
    """Draw where tiles begin within a window, with dashes so many pixels long, or in one line."""
    scale = max(canvas.size) / max(part.stop - part.start for part in window)
    pen = ImageDraw.Draw(canvas, "RGBA")
    for axis in (0, 1):
        length = canvas.size[axis]
        step = FINE * dash or length
        for at in (at for at in lines[axis] if window[axis].start < at < window[axis].stop):
            across = (at - window[axis].start) * scale
            for start in range(0, length, 2 * step):
                ends = [(start, across), (min(start + step, length), across)]
                pen.line([end[::-1] for end in ends] if axis else ends, GRID, width=FINE + (dash > 0))


def _busiest(plane: Plane, lines: Lines, ids: NDArray[Any]) -> Window:
    """The window around the corner of tiles whose borders run through most objects; the middle if there is none."""
    step = plane.step(plane.image, FINE * PANEL)
    ys, xs = (sorted(inner[1:-1]) or [n // 2] for inner, n in zip(lines, plane.shape, strict=True))

    def crossed(corner: tuple[int, int]) -> int:
        (y, x), (rows, columns) = (at // step for at in corner), _around(corner, plane.shape)
        along_x = ids[y, columns.start // step : columns.stop // step]
        along_y = ids[rows.start // step : rows.stop // step, x]
        return int(np.count_nonzero(along_x) + np.count_nonzero(along_y))

    return _around(max(itertools.product(ys, xs), key=crossed), plane.shape)


def _around(corner: tuple[int, int], shape: tuple[int, int]) -> Window:
    starts = [max(0, min(middle - ZOOM // 2, length - ZOOM)) for middle, length in zip(corner, shape, strict=True)]
    y, x = (slice(start, min(length, start + ZOOM)) for start, length in zip(starts, shape, strict=True))
    return y, x


def _frame(canvas: Picture.Image, shape: tuple[int, int], window: Window) -> None:
    scale = max(canvas.size) / max(shape)
    (top, bottom), (left, right) = ((part.start * scale, part.stop * scale) for part in window)
    ImageDraw.Draw(canvas).rectangle([left, top, right, bottom], outline=FRAME, width=3 * FINE)


def _sheet(whole: Picture.Image, part: Picture.Image, captions: Sequence[str]) -> Picture.Image:
    """Both panels side by side, reduced to their size, with a line of text below each."""
    panels = [p.resize((p.width // FINE, p.height // FINE), Picture.Resampling.LANCZOS) for p in (whole, part)]
    lefts = MARGIN, 2 * MARGIN + panels[0].width
    height = max(panel.height for panel in panels)
    sheet = Picture.new("RGB", (lefts[1] + panels[1].width + MARGIN, height + MARGIN + CAPTION), BACK)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(21)
    for panel, left, caption in zip(panels, lefts, captions, strict=True):
        sheet.paste(panel, (left, MARGIN))
        pen.text((left, MARGIN + height + 12), caption, INK, font)
    pen.rectangle([lefts[1], MARGIN, lefts[1] + panels[1].width - 1, MARGIN + panels[1].height - 1], None, FRAME, 3)
    return Picture.fromarray(np.asarray(sheet) & 0xF8)  # steps of 8 are not seen, and halve the file
