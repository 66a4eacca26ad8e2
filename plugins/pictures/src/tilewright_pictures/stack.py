"""The reader `stack`: a folder or a pattern of images, as one stack or as many images."""

from __future__ import annotations

import glob
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import open_image
from tilewright.abc import AXES, Image, Region, files_by_name
from tilewright.errors import InvalidImage, InvalidOption, NotReadable

from . import STACKED

__all__ = ["StackReader"]

LISTED = 10  # images named in a message
NUMBERED = re.compile(r"(?<![A-Za-z])([tcz])(\d+)(?![A-Za-z])", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class StackReader:
    """Open the images of a folder or a pattern as one stack, or one of them.

    Each image is opened by the reader that fits it. Names such as `t01_c2_z003` place images along t, c and z, if there
    is an image for each combination. Otherwise `axes` names the image's axes and one more, along which the images lie
    in the order of their names, numbers by value: `zyx` for slices. Spacing and units are those of the first image.
    InvalidOption, with a list, if neither says how several images belong together. NotReadable if there are none;
    InvalidImage, when it is read, for an image of another shape or type than the first.
    """

    axes: str | None = field(default=None, metadata={"help": "Axes of the stack: zyx for slices, tyx for times."})
    image: str | None = field(default=None, metadata={"help": "The one image to read, by its file's name."})

    def __call__(self, path: str) -> Image:
        files = _files(path)
        names = [Path(file).name for file in files]
        if self.image is not None:
            if self.image not in names:
                raise InvalidOption(f"image {self.image!r} does not exist; {path!r} has {_listed(names)}")
            return open_image(files[names.index(self.image)])
        if len(files) == 1:
            return open_image(files[0])
        first = open_image(files[0])
        outer, order = self._order(first, files, path)
        data = Stacked([files[i] for i in order], first, tuple(len(values) for values in outer.values()))
        axes, data.transposed = _sorted("".join(outer) + first.axes)
        return replace(
            first,
            data=data,
            axes=axes,
            channels=() if "c" in outer else first.channels,
            name=Path(path).name if Path(path).is_dir() else Path(path).parent.name,
            levels=(),
            images=tuple(f"image={name}" for name in names),
            source=path if Path(path).is_dir() else str(Path(path).parent),
            format=f"stack of {first.format}",
        )

    def images(self, path: str) -> dict[str, str]:
        """The images by name, unless they are one stack: by `axes`, or by a number along t, c or z in all names."""
        files = [] if self.image is not None or self.axes else _files(path)
        numbered = [{letter.lower() for letter, _ in NUMBERED.findall(Path(file).stem)} for file in files]
        return files_by_name(files) if len(files) > 1 and not set.intersection(*numbered) else {}

    def _order(self, first: Image, files: Sequence[str], path: str) -> tuple[dict[str, list[int]], list[int]]:
        """The values along each outer axis, and the files in the order of their combinations."""
        placed = [{letter.lower(): int(number) for letter, number in NUMBERED.findall(Path(f).stem)} for f in files]
        axes = self.axes or ""
        wanted = set(axes) - set(first.axes)
        letters = [axis for axis in AXES if all(axis in place for place in placed) and axis not in first.axes]
        letters = [axis for axis in letters if not axes or axis in wanted]
        outer = {axis: sorted({place[axis] for place in placed}) for axis in letters}
        outer = {axis: values for axis, values in outer.items() if len(values) > 1}
        combinations = {tuple(place[axis] for axis in outer): i for i, place in enumerate(placed)}
        expected = list(itertools.product(*outer.values()))
        if outer and len(combinations) == len(files) and (not axes or wanted <= set(letters)):
            if len(expected) == len(files):
                return outer, [combinations[each] for each in expected]
            missing = next(each for each in expected if each not in combinations)
            place = "_".join(f"{axis}{value}" for axis, value in zip(outer, missing, strict=True))
            raise InvalidImage(f"{path!r} has {len(files):,} images by name, but none for {place}; complete the set")
        if len(wanted) == 1 and set(axes) == wanted | set(first.axes):
            return {wanted.pop(): list(range(len(files)))}, list(range(len(files)))
        problem = (
            f"axes={axes!r} are not {first.axes!r} and one more" if axes else "nothing says how they belong together"
        )
        raise InvalidOption(
            f"{path!r} has {len(files):,} images, the first of axes {first.axes!r} and shape {first.shape}, and "
            f"{problem}; "
            f"pass axes such as {_suggested(first.axes)} for one stack (--axes), do all as images of their own with "
            f"`tilewright run --only '*'` or tilewright.Collection, or choose one with the option image: "
            f"{_listed([Path(file).name for file in files])}"
        )


class Stacked:
    """Images of one shape along outer axes, each opened when one of its pixels is read.

    transposed: the order of the dimensions as they are shown, as positions among outer axes and the images' own.
    """

    def __init__(self, files: Sequence[str], first: Image, outer: tuple[int, ...]) -> None:
        self.files = tuple(files)
        self._outer, self._inner, self._axes, self.dtype = outer, first.shape, first.axes, first.dtype
        self._chunks = first.chunks
        self.transposed = tuple(range(len(outer) + len(first.shape)))
        self._open = lru_cache(maxsize=32)(self._opened)

    @property
    def shape(self) -> tuple[int, ...]:
        whole = (*self._outer, *self._inner)
        return tuple(whole[i] for i in self.transposed)

    @property
    def chunks(self) -> tuple[int, ...]:
        whole = (*(1 for _ in self._outer), *self._chunks)
        return tuple(whole[i] for i in self.transposed)

    @property
    def ndim(self) -> int:
        return len(self.transposed)

    def __getitem__(self, region: Region) -> NDArray[Any]:
        spans = [range(*part.indices(n)) for part, n in zip(region, self.shape, strict=True)]
        whole = [spans[self.transposed.index(i)] for i in range(self.ndim)]
        outer, inner = whole[: len(self._outer)], whole[len(self._outer) :]
        window = tuple(slice(span.start, max(span.start, span.stop)) for span in inner)
        block = np.empty([len(span) for span in whole], self.dtype)
        for place in np.ndindex(*(len(span) for span in outer)):
            number = np.ravel_multi_index([span[i] for span, i in zip(outer, place, strict=True)], self._outer)
            block[place] = self._open(int(number)).read(window)
        return block.transpose(self.transposed)

    def _opened(self, number: int) -> Image:
        image = open_image(self.files[number])
        expected, given = (self._axes, self._inner, self.dtype), (image.axes, image.shape, image.dtype)
        if given != expected:
            raise InvalidImage(
                f"{self.files[number]!r} has axes {image.axes!r}, shape {image.shape} and dtype {image.dtype}, but the "
                f"first image of the stack has {self._axes!r}, {self._inner} and {self.dtype}; take it out"
            )
        return image


def _files(path: str) -> list[str]:
    """The images of a folder or a pattern, in the order of their names, numbers by value."""
    if Path(path).is_dir():
        found = [str(each) for each in Path(path).iterdir() if each.suffix.lower() in STACKED]
    else:
        found = glob.glob(path)  # noqa: PTH207 - a pattern may be absolute, and lie in several folders
    found = [each for each in found if not Path(each).name.startswith(".")]
    if not found:
        raise NotReadable(f"{path!r} has no images ({', '.join(STACKED)}); check the path")
    return sorted(found, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)])


def _sorted(axes: str) -> tuple[str, tuple[int, ...]]:
    """Axes in the order t c z y x, and where each of them was."""
    order = sorted(range(len(axes)), key=lambda i: AXES.index(axes[i]))
    return "".join(axes[i] for i in order), tuple(order)


def _suggested(axes: str) -> str:
    return " or ".join(_sorted(axis + axes)[0] for axis in "zt" if axis not in axes) or "fewer"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:LISTED]) + (", …" if len(names) > LISTED else "")
