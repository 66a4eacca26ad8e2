"""Runs that stop where they are told to, and count what they segment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from stores import LEVEL, TILE

from tilewright import Grid, Pipeline, Result


class Stopped(Exception):
    """What a run is stopped with."""


def stopping_at(stage: str, done: int = 0) -> Callable[[str, int, int], None]:
    """A progress that stops a run as soon as so much of a step is done."""

    def progress(at: str, count: int, total: int) -> None:
        if at == stage and count >= done:
            raise Stopped(stage)

    return progress


CALLS: list[tuple[int, ...]] = []
_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Components:
    """Connected components that note in CALLS the shape of what they are handed."""

    above: int = LEVEL
    weights: object = field(default=None)

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        with _lock:
            CALLS.append(pixels.shape)
        return components(pixels, self.above)


def components(pixels: NDArray[Any], above: int = LEVEL) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(pixels > above)[0]
    return labels


def run(folder: Path, *, parts: dict[str, Any] | None = None, image: Any = None, **options: Any) -> Result:
    """Segment `image.ome.zarr` of a folder into its labels `cells`, replacing those that are there."""
    pipeline = Pipeline(**{"segmenter": Components(), "tiler": Grid(tile=TILE), **(parts or {})})
    said = {"name": "cells", "overwrite": True, "workers": 2, **options}
    return pipeline.run(folder / "image.ome.zarr" if image is None else image, **said)


def expect(labels: NDArray[Any], pixels: NDArray[Any], above: int = LEVEL) -> None:
    """The labels are those of the whole image, number by number."""
    np.testing.assert_array_equal(labels, components(pixels, above))
