"""Checks of the numbers and names that users give, for scripts that no type checker has seen."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from ..errors import InvalidOption

__all__ = ["is_name", "numbers", "plain", "real_number", "whole_number"]


def plain(value: Any) -> Any:
    """A scalar of numpy, or an array without dimensions, as Python's own value; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def whole_number(what: str, value: object, *, least: int, said: object = None) -> int:
    """A whole number of any integer type. InvalidOption for one below `least`, for floats, and for booleans.

    said: the whole value that the user gave, if this one is a part of it.

    >>> whole_number("overlap", 8.0, least=0)
    Traceback (most recent call last):
    tilewright.errors.InvalidOption: overlap must be a whole number of at least 0, not 8.0
    """
    number = plain(value)
    if _is_whole(number) and number >= least:
        return number
    if said is None:
        raise InvalidOption(f"{what} must be a whole number of at least {least}, not {value!r}")
    raise InvalidOption(f"{what} {said!r} must be whole numbers of at least {least}, not {value!r}")


def real_number(what: str, value: object) -> float:
    """A number. InvalidOption for NaN, for booleans, and for text, also if the text is a number."""
    number = plain(value)
    if isinstance(number, int | float) and not isinstance(number, bool) and not math.isnan(number):
        return float(number)
    raise InvalidOption(f"{what} must be a number, not {value!r}")


def numbers(what: str, value: object, count: int) -> tuple[int, ...]:
    """One number `count` times, or the numbers of a sequence, as Python's own; they are not checked further."""
    value = plain(value)
    if _is_whole(value):
        return (value,) * count
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
        raise InvalidOption(f"{what} must be a whole number, or one for each axis, not {value!r}")
    return tuple(plain(number) for number in value)


def is_name(text: str) -> bool:
    """Whether a text can be the name of labels: of letters, digits, `-`, `_` and `.`, which it does not begin with."""
    return bool(re.fullmatch(r"[\w.-]+", text)) and not text.startswith(".")


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
