"""`measure`: the table of a label image's objects, for labels of any size."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..abc.traits import MeasurerTraits
from ..components.resolve import components
from ..engine.given import given_labels, label_source
from ..engine.measurement import LabelsMeasured
from ..engine.measures import Wanted, image_of
from ..engine.table import Table
from ..errors import InvalidOption
from ..io.source import Source, open_source
from ..run_options import Progress, RunOptions
from ..storage.hierarchy import is_node
from ..storage.location import Location

__all__ = ["measure"]


def measure(
    labels: Any,
    image: Any = None,
    table: str | Path | None = None,
    *,
    measure: Any,
    channels: Sequence[int | str] | None = None,
    given: Mapping[str, Any] | None = None,
    level: int | None = None,
    axes: str | None = None,
    table_format: str | Mapping[str, Any] | Callable[..., Any] | None = None,
    measure_memory: int = 2**28,
    measure_pixels: int = 2**22,
    overwrite: bool = False,
    make_parents: bool = False,
    resume: bool = True,
    workers: int | None = None,
    processes: bool = False,
    checkpoint_dir: str | Path | None = None,
    keep_checkpoint: bool = False,
    storage: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Table:
    """Measure the objects of a label image, block by block, and return the table that the whole image would give.

    labels: a path that a reader reads, an `Image`, or an array of whole numbers; 0 is background, and equal ids are one
        object, at one time `t` each. axes: of an array that does not name them.
    image: likewise, of the same shape, for measurers that look at pixels. Left out, it is the image in whose OME-Zarr
        the labels lie. level: the resolution of its pyramid; the one that has the shape of the labels if None.
    table: where the table goes; its suffix says the format. A temporary folder, which goes away with the table, if
        None.
    measure: a measurer or several: names, instances, functions, or `{"name": ..., "configuration": {...}}`.
    channels: those to measure. given: label images that measurers need, by name.

    `RunOptions` documents all other arguments. Any `TilewrightError`; a table is never at its path in part.
    """
    options = RunOptions.among(locals() | {"channels": None, "level": None, "axes": None})
    measurers = components("measurer", measure)
    if not measurers:
        raise InvalidOption("no measurer is given; give one or several (measure, --measure)")
    source = label_source(open_source(labels, axes=axes, storage=options.storage), "the label image")
    others = given_labels(given, source.opened, options.storage)
    wanted = Wanted(measurers=measurers, channels=channels, given=others, memory=options.measure_memory)
    return LabelsMeasured(
        labels=source,
        image=_image(labels, image, source, measurers, level, options.storage),
        wanted=wanted,
        options=options,
    ).run()


def _image(
    labels: Any, image: Any, source: Source, measurers: Sequence[Any], level: int | None, storage: Any
) -> Source | None:
    """The image that is measured; that in whose store the labels lie if none is given and a measurer needs one."""
    if image is None:
        if not any(MeasurerTraits.of(each).pixels for each in measurers):
            return None
        image = _above(labels)
        if image is None:
            return None
    opening = partial(open_source, image, storage=storage)
    opened = opening(level=level)
    reopened = partial(_reopened, opening) if level is None and isinstance(image, str | os.PathLike) else None
    return image_of(opened, source.opened, reopened)


def _above(labels: Any) -> Path | Location | None:
    """The image in whose group `labels` a label image lies."""
    if not isinstance(labels, str | os.PathLike):
        return None
    location = Location.of(labels)
    if location.local is None:
        above = location.parent
        return above.parent if above is not None and above.endswith("/labels") else None
    group = Path(labels).absolute().parent
    return group.parent if group.name == "labels" and is_node(group.parent) else None


def _reopened(opening: Callable[..., Source], level: int) -> Source:
    return opening(level=level)
