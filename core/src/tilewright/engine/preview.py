"""A part of an image with its labels, as a run gives them there, and pictures of it: to choose options by looking."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..abc.traits import ReaderTraits
from ..components.printable import printable
from ..components.quantities import whole_number
from ..components.resolve import made
from ..errors import InvalidOption, NotWritable
from ..image import Image
from ..image.drawing import Picture, captioned, composite, edges, fitted, outlined, pillow, png, sheet
from ..image.signal import is_small, spread_of, varied_place
from ..io.source import Source
from ..storage.machine import cpus
from ..tiling.regions import Region
from .crop import labels_of
from .execution import Execution
from .fingerprint import fingerprint, of_predictions
from .plan import Plan

__all__ = ["Preview", "Sweep", "combinations", "picture_path", "previews", "with_options"]

SIDE, SMALL_SIDE = 1024, 448  # pixels of a picture, and of each picture of a sweep
LARGEST = 4096  # pixels of a crop along an axis
MOST = 64  # pictures of a sweep
PLANES = 9  # of a stack, among which one is chosen


def picture_path(path: str | Path) -> Path:
    """The absolute path of a picture. InvalidOption if none can be made, or not as a PNG file in that folder."""
    pillow()
    target = Path(path).absolute()
    if target.suffix.lower() != ".png":
        raise InvalidOption(f"a picture is a PNG file, but {str(path)!r} ends in {target.suffix!r}; end it in .png")
    if not target.parent.is_dir():
        raise InvalidOption(f"the folder {str(target.parent)!r} of the picture {str(path)!r} does not exist; make it")
    return target


class Drawn:
    """What is drawn as a picture: a notebook shows it, and it is saved as a PNG file."""

    @property
    def picture(self) -> Picture:
        raise NotImplementedError

    def save(self, path: str | Path) -> Path:
        """Write the picture to a `.png` file, in place of one that is there, whole or not at all."""
        target = picture_path(path)
        partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
        try:
            partial.write_bytes(png(self.picture))
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise NotWritable(f"{str(path)!r} cannot be written: {error.strerror}; give another path") from error
        return target

    def _repr_png_(self) -> bytes:
        return png(self.picture)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Preview(Drawn):
    """A crop of one plane of an image with its labels, as a run gives them at that place.

    image: (y, x) as stored, or (c, y, x) of several channels. labels: (y, x); the numbers are not those of a run, but
    the pixels of each object are.
    place: by axis of the labels, the slice of the image. name: of the image. options: those that a sweep has set.
    """

    image: NDArray[Any]
    labels: NDArray[np.unsignedinteger[Any]]
    place: Mapping[str, slice]
    name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Preview({self.caption})"

    @property
    def caption(self) -> str:
        """The options of a sweep, or else the place, and what was found."""
        return f"{', '.join(self._settings) or self._where}: {self._counts}"

    @cached_property
    def areas(self) -> NDArray[np.int64]:
        """The pixels of each object in the crop, ascending by label."""
        return _areas(self.labels[self.labels > 0])

    @property
    def n_objects(self) -> int:
        """The objects of which the crop has a pixel."""
        return len(self.areas)

    @cached_property
    def median_area(self) -> float:
        """The median pixels of those objects that do not reach the crop's border, or of all if each does; 0 of none."""
        border = np.concatenate([self.labels[0], self.labels[-1], self.labels[:, 0], self.labels[:, -1]])
        whole = self.labels[~np.isin(self.labels, border)]
        areas = _areas(whole[whole > 0]) if whole.any() else self.areas
        return float(np.median(areas)) if len(areas) else 0.0

    @property
    def boundaries(self) -> NDArray[np.bool_]:
        """(y, x) the pixels of objects beside a pixel of something else: the outlines of the picture."""
        return edges(self.labels)

    @property
    def picture(self) -> Picture:
        """The image with outlines and a caption. Each channel is stretched by percentiles of the crop."""
        return self.drawn(SIDE, [f"{self.name}  {self._where}".strip(), self._counts])

    def drawn(self, side: int, lines: Sequence[str]) -> Picture:
        """The picture, of about so many pixels along its longer side, with lines of text below it."""
        channels = self.image if self.image.ndim > 2 else self.image[None]
        labels = fitted(self.labels, side, mean=False)
        return captioned(outlined(composite(list(channels), side), labels), lines)

    @property
    def small(self) -> Picture:
        """The picture as a part of a sweep: smaller, with the options and counts as its caption."""
        return self.drawn(SMALL_SIDE, [*self._settings, self._counts])

    @property
    def _settings(self) -> list[str]:
        return [f"{name} = {value}" for name, value in self.options.items()]

    @property
    def _where(self) -> str:
        spans = self.place.items()
        return ", ".join(f"{a} {p.start}" + (f":{p.stop}" if p.stop - p.start > 1 else "") for a, p in spans)

    @property
    def _counts(self) -> str:
        return f"{self.n_objects:,} object{'s' * (self.n_objects != 1)}, median area {self.median_area:,.0f} px"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Sweep(Drawn):
    """Previews of one place, one for each combination of options: the first option across, the others down."""

    previews: tuple[Preview, ...]
    columns: int

    def __repr__(self) -> str:
        return f"Sweep({len(self.previews)} previews in {self.columns} columns)"

    @property
    def picture(self) -> Picture:
        """All pictures on one sheet, each with its options and counts below it."""
        return sheet([each.small for each in self.previews], self.columns)


def _areas(labels: NDArray[Any]) -> NDArray[np.int64]:
    areas: NDArray[np.int64] = np.unique(labels, return_counts=True)[1].astype(np.int64)
    return areas


def combinations(sweep: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """The options of each picture, row by row. InvalidOption for an option without a value, and too many pictures."""
    if not sweep:
        raise InvalidOption("sweep has no option; give one with the values to try")
    for name, values in sweep.items():
        if isinstance(values, str) or not len(values):
            raise InvalidOption(f"sweep has {name}={values!r}; give the values to try, such as {name}=[1, 2]")
    count = math.prod(map(len, sweep.values()))
    if count > MOST:
        sizes = " × ".join(f"{len(values)} of {name}" for name, values in sweep.items())
        raise InvalidOption(f"the sweep has {count:,} pictures ({sizes}), but at most {MOST}; give fewer values")
    first, *others = sweep
    return [
        {first: across, **dict(zip(others, down, strict=True))}
        for down in itertools.product(*(sweep[name] for name in others))
        for across in sweep[first]
    ]


def with_options(segmenter: Any, options: Mapping[str, Any]) -> Any:
    """The segmenter with some options set. InvalidOption for one that it does not have or cannot use."""
    if not dataclasses.is_dataclass(segmenter):
        return made("segmenter", segmenter, options)
    kept = {each.name: getattr(segmenter, each.name) for each in dataclasses.fields(segmenter) if each.init}
    return made("segmenter", type(segmenter), kept | dict(options))


def previews(
    executions: Sequence[tuple[Execution, Mapping[str, Any]]], source: Any, at: Sequence[int] | None, size: int
) -> Iterator[Preview]:
    """A preview by each execution, all of one place. What networks predict alike is predicted once."""
    whole_number("size", size, least=1)
    if size > LARGEST:
        raise InvalidOption(f"size must be at most {LARGEST}, not {size}; a run shows more")
    opened, region = executions[0][0].open(source), None
    with TemporaryDirectory(prefix="tilewright-") as folder:
        for execution, options in executions:
            plan = execution.planned(opened)
            if plan.windows and len(executions) > 1:
                plan = _sharing(plan, Path(folder))
            shown = opened.choosing(plan.source.channels)
            region = region or _region(shown, plan, at, size)
            yield _preview(plan, shown.opened, region, execution.options.workers, options)


def _sharing(plan: Plan, folder: Path) -> Plan:
    """The plan with a folder of predictions that all plans share whose networks say the same."""
    record = json.dumps(of_predictions(fingerprint(plan, ""), plan.decode_options), sort_keys=True)
    place = folder / hashlib.blake2b(record.encode(), digest_size=16).hexdigest()
    return dataclasses.replace(plan, predictions_path=place, keep_predictions=True)


def _preview(plan: Plan, image: Image, region: Region, workers: int | None, options: Mapping[str, Any]) -> Preview:
    labels = labels_of(plan, region, workers or cpus())
    place = dict(zip(plan.grid.axes, region, strict=True))
    pixels = image.read(tuple(place.get(axis, slice(0, image.size("c"))) for axis in image.axes))
    return Preview(
        image=_plane(pixels, image.axes),
        labels=_plane(labels, plan.grid.axes),
        place=place,
        name=printable(image.name),
        options=options,
    )


def _plane(pixels: NDArray[Any], axes: str) -> NDArray[Any]:
    """Pixels of one plane as (y, x), or (c, y, x) if there are several channels."""
    rows = _plane_axes(axes)
    order = [axes.index(axis) for axis in ("t", "z", "c", "y", "x") if axis in axes and axis not in rows]
    moved = pixels.transpose(*order, *(axes.index(axis) for axis in rows))
    shape = moved.shape[-2:] if len(rows) == 2 else (1, moved.shape[-1])
    channels = pixels.shape[axes.index("c")] if "c" in axes else 1
    return moved.reshape((channels, *shape) if channels > 1 else shape)


def _plane_axes(axes: str) -> str:
    """The axes that are rows and columns of a picture; one alone of an image that has no other."""
    return "".join(axis for axis in "zyx" if axis in axes)[-2:]


def _region(source: Source, plan: Plan, at: Sequence[int] | None, size: int) -> Region:
    """The crop of one plane around a place, shifted where it would reach beyond the image."""
    axes, shape = plan.grid.axes, plan.grid.shape
    if not all(shape):
        raise InvalidOption(f"the image has no pixels (shape {shape}), so nothing of it can be shown; give another one")
    along = dict(zip(axes, shape, strict=True))
    sizes = {axis: min(size if axis in _plane_axes(axes) else 1, n) for axis, n in along.items()}
    place = _asked(axes, shape, at) if at is not None else _found(source, sizes)
    lows = {axis: min(max(0, place.get(axis, 0) - sizes[axis] // 2), n - sizes[axis]) for axis, n in along.items()}
    if "z" in axes and "z" not in place:
        lows["z"] = _depth(source.opened, {axis: slice(low, low + sizes[axis]) for axis, low in lows.items()})
    return tuple(slice(lows[axis], lows[axis] + sizes[axis]) for axis in axes)


def _asked(axes: str, shape: Sequence[int], at: Sequence[int]) -> dict[str, int]:
    """The place that a user gives, by axis. InvalidOption if it lies outside of the image."""
    every = "".join(axis for axis in "tzyx" if axis in axes)
    if not len(_plane_axes(axes)) <= len(at) <= len(every):
        raise InvalidOption(
            f"at has {len(at)} entries ({', '.join(map(str, at))}), but the image has the axes {every!r}; give "
            f"{', '.join(_plane_axes(axes))}, or the others before them too"
        )
    named = every[-len(at) :]
    place = dict(zip(named, at, strict=True))
    for axis, index in place.items():
        length = shape[axes.index(axis)]
        if not 0 <= whole_number("at", index, least=-(2**63)) < length:
            raise InvalidOption(
                f"at has {axis} {index}, but the image has {length:,} pixels along {axis}; give one from 0 "
                f"to {length - 1}"
            )
    return place


def _found(source: Source, sizes: Mapping[str, int]) -> dict[str, int]:
    """A place where the pixels vary, on the finest level that can be searched whole, or among samples of the image."""
    whole, search = source.opened, source
    for level in range(1, len(whole.levels)):
        if is_small(_first_channel(search)) or source.reader is None:
            break
        finest = getattr(source.reader, "level", None) or 0
        search = Source(
            path=source.path,
            reader=ReaderTraits.with_options(source.reader, level=finest + level),
            channels=source.channels,
        )
    image = _first_channel(search)
    ratio = {axis: whole.size(axis) / image.size(axis) for axis in sizes}
    place = varied_place(image, {axis: max(1, round(n / ratio[axis])) for axis, n in sizes.items()})
    return {axis: int((index + 0.5) * ratio[axis]) for axis, index in place.items() if axis in sizes}


def _first_channel(source: Source) -> Image:
    image = source.opened
    return image.select(0) if "c" in image.axes else image


def _depth(image: Image, region: Mapping[str, slice]) -> int:
    """Of nine planes of a stack, evenly spread, the one whose pixels vary most in a region of y and x."""
    depths = {(2 * n + 1) * image.size("z") // (2 * PLANES) for n in range(PLANES)}

    def spread(depth: int) -> float:
        here = {"c": slice(0, 1), **region, "z": slice(depth, depth + 1)}
        return spread_of(image.read(tuple(here[axis] for axis in image.axes)))

    return max(sorted(depths), key=spread)
