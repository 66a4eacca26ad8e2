"""What a run on several images would take: sums of forecasts, of which one is made for all images that are alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import TilewrightError

if TYPE_CHECKING:
    from ..engine.forecast import Forecast
    from ..image import Image

__all__ = ["Total", "Totals", "totals"]


@dataclass(frozen=True, kw_only=True)
class Total:
    """What a step would take on all images.

    images: how many. bytes: of their pixels. tiles, windows, batches, predictions, objects, seconds: sums of what
    `Forecast` has of each image; memory, checkpoint: the largest of one. sampled: tiles that were timed.
    waiting: given labels that are not there yet, so that no tile of an image that lacks them could be sampled.
    """

    images: int
    bytes: int
    tiles: int
    windows: int
    batches: int
    predictions: int
    objects: int
    seconds: float
    memory: int
    checkpoint: int
    workers: int
    sampled: int
    waiting: tuple[str, ...] = ()

    @classmethod
    def of(cls, kinds: Sequence[Kind], forecasts: Sequence[Forecast]) -> Total:
        """The total of a forecast for each kind. Kinds that were not sampled are taken to be like the others."""
        counted = [(len(kind.names), each) for kind, each in zip(kinds, forecasts, strict=True)]
        tiles = sum(count * each.tiles for count, each in counted)
        timed = sum(count * each.tiles for count, each in counted if each.sampled)
        scale = tiles / max(1, timed)
        return cls(
            images=sum(len(kind.names) for kind in kinds),
            bytes=sum(len(kind.names) * kind.bytes for kind in kinds),
            tiles=tiles,
            windows=sum(count * each.windows for count, each in counted),
            batches=sum(count * each.batches for count, each in counted),
            predictions=round(scale * sum(count * each.predictions for count, each in counted)),
            objects=round(scale * sum(count * each.objects for count, each in counted)),
            seconds=scale * sum(count * each.seconds for count, each in counted),
            memory=max(each.memory for each in forecasts),
            checkpoint=max(each.checkpoint for each in forecasts),
            workers=forecasts[0].workers,
            sampled=sum(each.sampled for each in forecasts),
            waiting=tuple(dict.fromkeys(name for each in forecasts for name in each.waiting)),
        )


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What all steps would take, by name, and the images that cannot be opened, with their errors."""

    steps: Mapping[str, Total]
    errors: Mapping[str, TilewrightError]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Images that are alike in all that decides how they are cut. bytes: of the pixels of one."""

    names: list[str]
    bytes: int


def totals(
    images: Mapping[str, str],
    opened: Callable[[str], Image],
    planned: Callable[[str, int], Mapping[str, Forecast]],
    sample: int,
) -> Totals:
    """The totals of images by name.

    opened: the image at a path. planned: the forecasts of the steps on the image of a name, of so many tiles.
    sample: tiles that are timed in all, at least one of each kind until there are so many.
    """
    kinds, errors = _kinds(images, opened)
    share = -(-sample // max(1, len(kinds)))
    forecasts = [planned(kind.names[0], share if number * share < sample else 0) for number, kind in enumerate(kinds)]
    steps = {name: Total.of(kinds, [each[name] for each in forecasts]) for name in forecasts[0]} if forecasts else {}
    return Totals(steps=steps, errors=errors)


def _kinds(images: Mapping[str, str], opened: Callable[[str], Image]) -> tuple[list[Kind], dict[str, TilewrightError]]:
    kinds: dict[object, Kind] = {}
    errors = {}
    for name, path in images.items():
        try:
            image = opened(path)
        except TilewrightError as error:
            errors[name] = error
            continue
        key = (
            image.axes,
            image.shape,
            image.dtype,
            image.chunks,
            image.channels,
            [each.shape for each in image.levels],
        )
        kind = kinds.setdefault(repr(key), Kind(names=[], bytes=math.prod(image.shape) * image.dtype.itemsize))
        kind.names.append(name)
    return list(kinds.values()), errors
