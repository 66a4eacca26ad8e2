"""From the dimensions that tifffile names to the axes of an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from tilewright.abc import AXES
from tilewright.errors import InvalidImage, InvalidOption

__all__ = ["LABEL_AXES", "Arrangement", "arrange"]

LABEL_AXES = ("yx", "zyx", "tyx", "tzyx")  # of the label images that one OME-TIFF holds
KNOWN = {"T": "t", "C": "c", "S": "c", "Z": "z", "Y": "y", "X": "x"}

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """Which dimensions of the file make each axis of the image, in the order `t c z y x`.

    parts: for each axis the positions of its dimensions in the file, the slowest first: usually one; two where colour
        samples lie within channels, whose c is channel x samples + sample, as OME counts them; none for an axis of
        length 1 that the file leaves out.
    dropped: positions of the dimensions of length 1 that no axis stands for.
    """

    axes: str
    parts: tuple[tuple[int, ...], ...]
    dropped: tuple[int, ...] = ()

    def shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The image's shape, given the file's."""
        return tuple(math.prod(shape[position] for position in part) for part in self.parts)

    def with_axes(self, axes: str) -> Arrangement:
        """The same in another order, with axes of length 1 for those that the file lacks."""
        parts = dict(zip(self.axes, self.parts, strict=True))
        return Arrangement(axes=axes, parts=tuple(parts.get(axis, ()) for axis in axes), dropped=self.dropped)


def arrange(named: str, shape: Sequence[int], said: str | None, path: str) -> Arrangement:
    """The arrangement of dimensions that tifffile calls `named`, or that the user said, a letter for each of them.

    Unknown dimensions of length 1 are left out. InvalidImage for longer ones that nobody names; InvalidOption for axes
    that do not fit.
    """
    letters = _said(named, shape, said, path) if said is not None else [KNOWN.get(letter, "") for letter in named]
    unknown = [i for i, letter in enumerate(letters) if not letter]
    if any(shape[i] > 1 for i in unknown):
        wanting = ", ".join(dict.fromkeys(named[i] for i in unknown if shape[i] > 1))
        raise InvalidImage(
            f"{path!r} has dimensions {named!r} of shape {tuple(shape)}, and does not say what {wanting} is; "
            + _advice(letters)
        )
    by_axis = {axis: [i for i, letter in enumerate(letters) if letter == axis] for axis in AXES if axis in letters}
    parts = tuple(tuple(sorted(found, key=lambda i: named[i] == "S")) for found in by_axis.values())
    return Arrangement(axes="".join(by_axis), parts=parts, dropped=tuple(unknown))


def _advice(letters: Sequence[str]) -> str:
    """What to do about letters of which some are missing: a single one is z, if that is free, two are t and z."""
    free = [axis for axis in "ztc" if axis not in letters]
    missing = letters.count("")
    if missing > len(free):
        return "an image has the axes t c z y x and no others, so export it with fewer"
    order = iter(sorted(free[:missing], key=AXES.index))
    return f"pass axes, such as {''.join(letter or next(order) for letter in letters)!r} (--axes)"


def _said(named: str, shape: Sequence[int], said: str, path: str) -> list[str]:
    fits = len(said) == len(named) and set(said) <= set(AXES)
    if not fits or any(said.count(axis) > 1 for axis in said if axis != "c") or said.count("c") > 2:
        raise InvalidOption(
            f"axes={said!r} do not fit {path!r}, whose dimensions are {named!r} of shape {tuple(shape)}; "
            "give one of the letters 't c z y x' for each"
        )
    return list(said)
