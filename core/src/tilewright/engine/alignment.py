"""Whether label images lie on the pixels that they belong to, and whether those that are needed are given."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from ..errors import InvalidImage, InvalidOption
from ..image import Image
from ..io.source import Source

__all__ = ["both_spacings", "check_aligned", "check_needed", "check_wanted", "differs", "shape_text"]


def check_needed(given: Collection[str], needed: Mapping[str, str]) -> None:
    """InvalidOption if a label image is not given. needed: by name what needs it."""
    for name, who in needed.items():
        if name not in given:
            raise InvalidOption(
                f"{who} needs the label image {name!r}, but none of that name is given; give it "
                f"(given={{{name!r}: path}}, --given {name}=PATH)"
            )


def check_wanted(given: Mapping[str, Source], needed: Collection[str]) -> None:
    """InvalidOption if a label image is given that nothing needs."""
    for name in given:
        if name not in needed:
            raise InvalidOption(
                f"the label image {name!r} is given, but no segmenter or measurer needs it; they need: "
                f"{', '.join(sorted(needed)) or 'none'}"
            )


def check_aligned(name: str, given: Image, image: Image, lengths: Mapping[str, int], what: str = "image") -> None:
    """InvalidImage, with both values, if given labels have another shape or spacing than what they belong to.

    lengths: of the image's axes. what: it is called.
    """
    if differs(given.axes, given.shape, lengths):
        raise InvalidImage(
            f"the {what} {image.source or image.name} has the shape {shape_text(lengths)}, but the given labels "
            f"{name!r} have {given.axes} {given.shape}; give labels of the same resolution, or of another one whose "
            f"spacing says that it covers the same field (here {_extents(image)}, and {_extents(given)})"
        )
    for axis in lengths:
        both_spacings(given, image, axis, (f"given labels {name!r}", what))


def _extents(image: Image) -> str:
    """`y 256 micrometer, x 256 micrometer`; of an axis without spacing nothing is known."""
    known = [
        f"{axis} {image.size(axis) * image.spacing[axis]:g} {image.units.get(axis) or 'without unit'}"
        if axis in image.spacing
        else f"{axis} unknown"
        for axis in image.spatial_axes
    ]
    return ", ".join(known)


def differs(axes: str, shape: Sequence[int], wanted: Mapping[str, int]) -> bool:
    """Whether an image has another length than the labels along an axis. One that an image lacks has length 1."""
    lengths = dict(zip(axes, shape, strict=True)) | {"c": 1}
    return any(lengths.get(axis, 1) != wanted.get(axis, 1) for axis in {*lengths, *wanted})


def shape_text(lengths: Mapping[str, int]) -> str:
    """`yx (512, 512)`."""
    return f"{''.join(lengths)} {tuple(lengths.values())}"


def both_spacings(
    labels: Image, image: Image | None, axis: str, names: tuple[str, str] = ("labels", "image")
) -> tuple[float, str]:
    """The spacing and the unit along an axis. InvalidImage if labels and image state different ones."""
    stated = [each for each in (labels, image) if each is not None and axis in each.spacing]
    if len(stated) == 2:
        one, other = stated
        unit = one.units.get(axis, ""), other.units.get(axis, "")
        if not np.isclose(one.spacing[axis], other.spacing[axis], rtol=1e-3) and unit[0] == unit[1]:
            raise InvalidImage(
                f"the {names[0]} have spacing {one.spacing[axis]:g} {unit[0]} along {axis}, but the {names[1]} has "
                f"{other.spacing[axis]:g}; give the resolution (level, --level) that was segmented, or correct the "
                "metadata"
            )
    return (float(stated[0].spacing[axis]), stated[0].units.get(axis, "")) if stated else (1.0, "")
