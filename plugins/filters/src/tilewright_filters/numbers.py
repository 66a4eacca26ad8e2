"""Numbers for each axis of an image, and the dtypes that filters work in."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, InvalidOption

__all__ = ["check_least", "floating", "numbers_for", "spacing_in", "supported"]

Number = TypeVar("Number", int, float)


def numbers_for(what: str, value: Number | tuple[Number, ...], axes: str) -> tuple[Number, ...]:
    """One number for each axis, from one for all or one for each. InvalidOption for too few or too many."""
    numbers = value if isinstance(value, tuple) else (value,) * len(axes)
    if len(numbers) != len(axes):
        raise InvalidOption(
            f"{what} {list(numbers)} has {len(numbers)} numbers, but the image has {len(axes)} spatial axes ({axes}); "
            "give one for each, or one for all"
        )
    return numbers


def check_least(what: str, value: float | tuple[float, ...], least: float) -> None:
    """InvalidOption for a number that is not finite or below the least."""
    for number in value if isinstance(value, tuple) else (value,):
        if not least <= number < np.inf:
            raise InvalidOption(f"{what} must be at least {least}, not {number}")


def spacing_in(unit: str, image: Image, axis: str, what: str) -> float:
    """The image's spacing along an axis. InvalidOption if it has another unit than the option `what`."""
    own = image.units.get(axis, "")
    if own != unit or axis not in image.spacing:
        raise InvalidOption(
            f"{what} is in {unit}, but the image's spacing along {axis} is in {own or 'no unit'}; give {what} "
            "in that unit, or in pixels (leave unit out)"
        )
    return image.spacing[axis]


def floating(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """float32 for pixels that it holds exactly, else float64."""
    return np.result_type(dtype, np.float32)


def supported(pixels: NDArray[Any]) -> NDArray[Any]:
    """The pixels in a dtype that scipy filters: it has none for 16-bit floats."""
    return pixels.astype(np.float32) if pixels.dtype == np.float16 else pixels
