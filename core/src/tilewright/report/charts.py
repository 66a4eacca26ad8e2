"""Charts as SVG, which a page holds as text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["histogram", "number"]

BARS, WIDTH, HEIGHT, FOOT = 40, 400, 120, 18


def histogram(values: NDArray[np.float64], *, logarithmic: bool = False) -> str:
    """The histogram of finite numbers in 40 bars between the least and the greatest, or their logarithms.

    An empty text if there is nothing to draw.
    """
    if not len(values):
        return ""
    scaled = np.log10(values) if logarithmic else values
    counts, ends = np.histogram(scaled, BARS)
    step, top = WIDTH / BARS, max(1, int(counts.max()))
    bars = "".join(_bar(i * step, step, HEIGHT * int(n) / top) for i, n in enumerate(counts) if n)
    marks = [ends[0], ends[BARS // 2], ends[-1]]
    texts = [number(10**mark if logarithmic else mark) for mark in marks]
    places = zip((0, WIDTH / 2, WIDTH), ("start", "middle", "end"), texts, strict=True)
    labels = "".join(
        f'<text x="{x:g}" y="{HEIGHT + FOOT - 4}" text-anchor="{anchor}">{text}</text>' for x, anchor, text in places
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + FOOT}" role="img"><g class="bars">{bars}</g>'
        f'<path d="M0 {HEIGHT}H{WIDTH}" class="axis"/>{labels}</svg>'
    )


def _bar(x: float, width: float, height: float) -> str:
    return f'<rect x="{x + 0.5:.1f}" y="{HEIGHT - height:.1f}" width="{width - 1:.1f}" height="{height:.1f}"/>'


def number(value: float) -> str:
    """Three digits of a number, with separators in a large one."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
