"""The images on which the small models were trained: synthetic nuclei, and a part of StarDist's test image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import synth
import tifffile
from numpy.typing import NDArray

__all__ = ["images"]

DATA = Path(__file__).parents[4] / "docs" / "demo" / "data"
LEFT = 384  # columns of StarDist's image; the rest was kept to be tested on
TIMES = 3  # that each half of it is shown for one synthetic image

Images = list[NDArray[Any]]


def images(counts: Mapping[str, int], side: int) -> tuple[Images, Images]:
    """Pixels and labels: so many squares of each preset, whose nuclei have radii of 9 to 13 pixels."""
    made = [
        synth.make((side, side), preset, 100 + k, radius=9 + 4 * k / count)
        for preset, count in counts.items()
        for k in range(count)
    ]
    real, labels = (tifffile.imread(DATA / name)[:, :LEFT] for name in ("img2d.tif", "mask2d.tif"))
    halves = [(real[rows], labels[rows].astype(np.int32)) for rows in (slice(0, 256), slice(256, 512))]
    pixels, truth = zip(*[pair for pair in made if pair[1].max() >= 5] + halves * TIMES, strict=True)
    return list(pixels), list(truth)
