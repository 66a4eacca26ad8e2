"""Numbers that users give, checked: what a type checker would refuse reaches a script's user at run time only."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import SupportsFloat, SupportsIndex, TypeGuard

from ..errors import InvalidOption

__all__ = ["numbers", "real_number", "whole_number"]


def whole_number(what: str, value: object, *, least: int, said: object = None) -> int:
    """A whole number of any integer type. InvalidOption for one below `least`, for floats, and for booleans.

    said: all that was given, if the value is a part of it.

    >>> whole_number("overlap", 8.0, least=0)
    Traceback (most recent call last):
    tilewright.errors.InvalidOption: overlap must be a whole number of at least 0, not 8.0
    """
    if isinstance(value, SupportsIndex) and not isinstance(value, bool) and operator.index(value) >= least:
        return operator.index(value)
    if said is None:
        raise InvalidOption(f"{what} must be a whole number of at least {least}, not {value!r}")
    raise InvalidOption(f"{what} {said!r} must be whole numbers of at least {least}, not {value!r}")


def real_number(what: str, value: object) -> float:
    """A number. InvalidOption for NaN, with which nothing compares, for booleans, and for text that looks like one."""
    if isinstance(value, SupportsFloat) and not isinstance(value, bool) and not math.isnan(float(value)):
        return float(value)
    raise InvalidOption(f"{what} must be a number, not {value!r}")


def numbers(what: str, value: object, count: int) -> tuple[int, ...]:
    """One number so many times, or the numbers of a sequence, numpy's as Python's own; they are not checked further."""
    if _is_whole(value):
        return (int(value),) * count
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
        raise InvalidOption(f"{what} must be a whole number, or one for each axis, not {value!r}")
    return tuple(int(n) if _is_whole(n) else n for n in value)


def _is_whole(value: object) -> TypeGuard[int]:
    """Whether it is a whole number, numpy's or Python's; True and False are none."""
    kind: type = type(value)
    return kind is not bool and issubclass(kind, Integral)
