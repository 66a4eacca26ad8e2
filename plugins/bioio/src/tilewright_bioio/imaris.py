"""The reader `imaris`: an image of Imaris (`.ims`, HDF5), lazily by its chunks, with its pyramid.

https://imaris.oxinst.com/support/imaris-file-format
"""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Image, Level, Region
from tilewright.errors import InvalidImage, InvalidOption, NotReadable, TilewrightError

__all__ = ["ImarisReader"]

UNITS = {
    "um": "micrometer",
    "µm": "micrometer",  # micro sign
    "μm": "micrometer",  # Greek mu
    "nm": "nanometer",
    "mm": "millimeter",
    "m": "meter",
    "s": "second",
}
SIZES = ("ImageSizeZ", "ImageSizeY", "ImageSizeX")


@dataclass(frozen=True, kw_only=True)
class ImarisReader:
    """Open an image of Imaris.

    Time and z of length 1 are left out. The padding of Imaris' blocks is cut off. Pixel sizes come from the extent of
    the image, in its unit, and t is in seconds where the time points are evenly spaced. NotReadable for a file that is
    not of Imaris 5.5 or cannot be read; InvalidImage for channels and time points that are missing or differ in shape
    or dtype.
    """

    level: int = field(default=0, metadata={"help": "Resolution level to read, 0 the finest."})

    def __call__(self, path: str) -> Image:
        with _readable(path), h5py.File(path, "r") as file:
            count = _count(file, "DataSet", "ResolutionLevel")
            if not count:
                raise NotReadable(f"{path!r} has no group 'DataSet/ResolutionLevel 0', so it is not of Imaris 5.5")
            axes = Stacks(path, file, 0, "tczyx").longer_axes
            stacks = [Stacks(path, file, number, axes) for number in range(count)]
            if not 0 <= self.level < len(stacks):
                raise InvalidOption(f"level {self.level} does not exist; {path!r} has levels 0 to {len(stacks) - 1}")
            levels = tuple(_level(file, each, number) for number, each in enumerate(stacks))[self.level :]
            data = stacks[self.level]
            info = file.get("DataSetInfo/Image")
            unit = _text(info, "Unit") if info else ""
            units = {"z": unit, "y": unit, "x": unit, "t": "s" if _interval(file, data.whole[0]) else ""}
            return Image(
                data=data,
                axes=data.axes,
                spacing={axis: step for axis, step in zip(data.axes, levels[0].scale, strict=True) if axis != "c"},
                units={axis: UNITS.get(units[axis], units[axis]) for axis in data.axes if units.get(axis)},
                channels=_channels(file, data.whole[1]),
                name=Path(path).stem,
                levels=levels,
                source=path,
                format="ims",
            )


class Stacks:
    """The pixels of a level: a dataset for each time point and channel.

    axes: those that the finest level has; a coarse one may be a single slice. whole: the shape along t c z y x.
    files: what the pixels are read from.
    """

    fresh = True

    def __init__(self, path: str, file: h5py.File, number: int, axes: str) -> None:
        self.files, self.number, self.axes = (path,), number, axes
        home = f"DataSet/ResolutionLevel {number}"
        times = _count(file, home, "TimePoint")
        counts = {_count(file, f"{home}/TimePoint {t}", "Channel") for t in range(times)}
        if len(counts) != 1 or counts == {0}:
            raise InvalidImage(
                f"the time points of {path!r} have {sorted(counts)} channels at level {number}; repair it"
            )
        channels = counts.pop()
        datasets = [self._dataset(file, t, c) for t, c in itertools.product(range(times), range(channels))]
        kinds = {(_size(each), np.dtype(each.dtype).newbyteorder("=")) for each in datasets}
        if len(kinds) > 1:
            listed = " and ".join(sorted(f"{shape} {dtype}" for shape, dtype in kinds))
            raise InvalidImage(f"the channels of {path!r} differ at level {number}: {listed}; export them one by one")
        (size, self.dtype), stored = kinds.pop(), datasets[0]
        if any(n > m for n, m in zip(size, stored.shape, strict=True)):
            raise InvalidImage(
                f"{path!r} says that level {number} has shape {size}, but it has {stored.shape}; repair it"
            )
        self.whole = (times, channels, *size)
        self._kept = ["tczyx".index(axis) for axis in axes]
        self.shape = tuple(self.whole[k] for k in self._kept)
        chunks = (1, 1, *(min(c, n) for c, n in zip(stored.chunks or size, size, strict=True)))
        self.chunks = tuple(chunks[k] for k in self._kept)

    @property
    def longer_axes(self) -> str:
        """The axes, without t and z of length 1."""
        return "".join(axis for axis, n in zip("tczyx", self.whole, strict=True) if axis in "cyx" or n > 1)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, region: Region) -> NDArray[Any]:
        spans = [range(*part.indices(n)) for part, n in zip(region, self.shape, strict=True)]
        places = dict(zip(self._kept, spans, strict=True))
        times, channels, *space = (places.get(axis, range(1)) for axis in range(5))
        stack = tuple(slice(span.start, span.stop) for span in space)
        block = np.empty((len(times), len(channels), *map(len, space)), self.dtype)
        with _readable(self.files[0]):
            for (i, t), (j, c) in itertools.product(enumerate(times), enumerate(channels)):
                block[i, j] = self._dataset(self._file, t, c)[stack]
        return block.reshape([len(span) for span in spans])

    @cached_property
    def _file(self) -> h5py.File:
        return h5py.File(self.files[0], "r")

    def _dataset(self, file: h5py.File, t: int, c: int) -> h5py.Dataset:
        return file[f"DataSet/ResolutionLevel {self.number}/TimePoint {t}/Channel {c}/Data"]


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """NotReadable, in one line, for what h5py raises."""
    try:
        yield
    except TilewrightError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        message = " ".join(str(error).split())[:200]
        raise NotReadable(
            f"{path!r} cannot be read as a file of Imaris ({type(error).__name__}: {message}); export it again"
        ) from error


def _count(file: h5py.File, home: str, name: str) -> int:
    """How many groups `NAME 0`, `NAME 1`, … a group has."""
    return next(n for n in itertools.count() if f"{home}/{name} {n}" not in file)


def _text(group: Any, name: str) -> str:
    """An attribute, which Imaris stores as an array of single characters; empty if there is none."""
    value = np.asarray(group.attrs.get(name, b""))
    return b"".join(value.astype("S").ravel().tolist()).decode("utf-8", "replace").strip("\0 ")


def _size(dataset: h5py.Dataset) -> tuple[int, ...]:
    """The shape of a stack without the padding of its blocks."""
    stated = [_text(dataset.parent, name) for name in SIZES]
    return tuple(int(n) if n else m for n, m in zip(stated, dataset.shape, strict=True))


def _level(file: h5py.File, stacks: Stacks, number: int) -> Level:
    times = _interval(file, stacks.whole[0])
    steps = {"t": times or 1.0, "c": 1.0}
    for position, axis in enumerate("xyz"):
        steps[axis] = _extent(file, stacks.files[0], position) / stacks.whole[4 - position]
    return Level(path=f"ResolutionLevel {number}", shape=stacks.shape, scale=tuple(steps[a] for a in stacks.axes))


def _extent(file: h5py.File, path: str, position: int) -> float:
    """The length of the image along x, y or z; its number of pixels if the file states none."""
    info = file.get("DataSetInfo/Image")
    ends = [_text(info, f"{end}{position}") if info else "" for end in ("ExtMin", "ExtMax")]
    if not all(ends):
        return float(_size(file["DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data"])[2 - position])
    length = float(ends[1]) - float(ends[0])
    if not (math.isfinite(length) and length > 0):
        raise InvalidImage(f"{path!r} extends from {ends[0]} to {ends[1]} along {'xyz'[position]}; repair its metadata")
    return length


def _interval(file: h5py.File, count: int) -> float | None:
    """Seconds between time points, if they are evenly spaced to a hundredth of the interval."""
    info = file.get("DataSetInfo/TimeInfo")
    stated = [_text(info, f"TimePoint{number + 1}") for number in range(count)] if info and count > 1 else []
    if not stated or not all(stated):
        return None
    moments = [datetime.datetime.fromisoformat(each) for each in stated]
    steps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(moments)]
    mean = sum(steps) / len(steps)
    return mean if mean > 0 and all(abs(step - mean) <= mean / 100 for step in steps) else None


def _channels(file: h5py.File, count: int) -> tuple[str, ...]:
    """A name for each channel; none if the file does not name all of them."""
    groups = [file.get(f"DataSetInfo/Channel {number}") for number in range(count)]
    names = tuple(_text(group, "Name") if group else "" for group in groups)
    return names if all(names) else ()
