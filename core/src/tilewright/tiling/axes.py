"""Axes of images, and numbers for each axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..components.quantities import numbers, whole_number
from ..errors import InvalidOption

__all__ = ["AXES", "SPATIAL", "by_axis", "for_axes", "per_axis", "spatial"]

AXES = "tczyx"
SPATIAL = "zyx"


def spatial(axes: str) -> str:
    """The spatial ones of some axes, in their order."""
    return "".join(axis for axis in axes if axis in SPATIAL)


def per_axis(what: str, value: int | Sequence[int], axes: str, *, least: int = 1) -> tuple[int, ...]:
    """A whole number for each axis, from one number or a sequence. InvalidOption for too few, too many or too small."""
    values = numbers(what, value, len(axes))
    if len(values) != len(axes):
        raise InvalidOption(f"{what} {list(values)} has {len(values)} numbers, but the axes {axes!r} need {len(axes)}")
    several = None if all(number is values[0] for number in values) else list(values)
    return tuple(whole_number(what, number, least=least, said=several) for number in values)


def for_axes(what: str, value: int | Sequence[int], axes: str, *, rest: int = 0) -> tuple[int, ...]:
    """One number for each axis: from one for all spatial axes, one for each spatial axis, or one for each axis.

    rest: the number for the axes `t` and `c`, if the value has none for them.

    >>> for_axes("halo", 3, "tyx"), for_axes("tile", (8, 9), "tyx", rest=1)
    ((0, 3, 3), (1, 8, 9))
    """
    count = len(spatial(axes))
    values = numbers(what, value, count)
    if len(values) == len(axes):
        return values
    if len(values) != count:
        fewer = f", or {count} for {spatial(axes)!r}" if count < len(axes) else ""
        raise InvalidOption(
            f"{what} {list(values)} has {len(values)} numbers, but the axes {axes!r} need {len(axes)}{fewer}; give as "
            "many, or one for all"
        )
    remaining = iter(values)
    return tuple(next(remaining) if axis in SPATIAL else rest for axis in axes)


def by_axis(what: str, value: object, axes: str, *, least: int = 0) -> dict[str, int]:
    """Whole numbers by axis, from a mapping or from what `for_axes` takes; an axis that is left out has no entry.

    InvalidOption for an unknown axis, and for a number that is below `least` or not whole.

    >>> by_axis("halo", 3, "yx"), by_axis("halo", {"z": 1, "y": 3}, "yx")
    ({'y': 3, 'x': 3}, {'z': 1, 'y': 3})
    """
    if isinstance(value, Mapping):
        strange = [axis for axis in value if axis not in tuple(AXES)]
        if strange:
            raise InvalidOption(f"{what} {dict(value)!r} names {strange[0]!r}; axes are {', '.join(AXES)}")
        return {axis: whole_number(what, number, least=least, said=dict(value)) for axis, number in value.items()}
    values = for_axes(what, value, axes, rest=least)  # type: ignore[arg-type]  # it refuses what is not a number or several
    several = value if isinstance(value, Iterable) else None
    return {axis: whole_number(what, n, least=least, said=several) for axis, n in zip(axes, values, strict=True)}
