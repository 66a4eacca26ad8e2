"""The resolution of a pyramid whose pixels are nearest to a wanted size."""

from __future__ import annotations

import math
import warnings

from ..errors import InvalidOption
from ..image import Image, Level

__all__ = ["nearest_level"]

PREFIXES = {"": 1e6, "deci": 1e5, "centi": 1e4, "milli": 1e3, "micro": 1.0, "nano": 1e-3, "pico": 1e-6, "femto": 1e-9}
MICROMETERS = {
    **{f"{prefix}meter": size for prefix, size in PREFIXES.items()},
    **{f"{prefix}metre": size for prefix, size in PREFIXES.items()},
    **{"m": 1e6, "dm": 1e5, "cm": 1e4, "mm": 1e3, "um": 1.0, "nm": 1e-3, "pm": 1e-6, "micron": 1.0},
    **{"µm": 1.0, "μm": 1.0, "Å": 1e-4, "angstrom": 1e-4, "inch": 25_400.0},  # micro sign, Greek mu
}


def nearest_level(image: Image, spacing: float) -> int:
    """The level whose pixels along y and x are nearest to `spacing` micrometres, by their ratio; a warning says which.

    Of two that are equally near the finer one. A z without a unit is mentioned: its spacing may not be what it seems.
    InvalidOption if y or x have no unit of length, because then nobody knows how large a pixel is.
    """
    own = Level(path="0", shape=image.shape, scale=tuple(image.spacing.get(axis, 1.0) for axis in image.axes))
    levels = image.levels or (own,)
    sizes = [_pixel(image, level, spacing) for level in levels]
    chosen = min(range(len(levels)), key=lambda number: abs(math.log(sizes[number] / spacing)))
    warnings.warn(
        f"level {chosen} of {image.source or image.name!r}, {' × '.join(map(str, levels[chosen].shape))} along "
        f"{image.axes}, is segmented: of pixels of {', '.join(f'{size:.4g}' for size in sizes)} micrometers its "
        f"{sizes[chosen]:.4g} are nearest to spacing {spacing:g}{_about_z(image)}",
        UserWarning,
        stacklevel=2,
    )
    return chosen


def _pixel(image: Image, level: Level, spacing: float) -> float:
    """The size of a level's pixel, in micrometres: the geometric mean along y and x, or that along z alone."""
    steps = []
    for axis in [axis for axis in image.axes if axis in "yx"] or ["z"]:
        unit = image.units.get(axis, "")
        if unit not in MICROMETERS or axis not in image.spacing:
            stated = f"the unit {unit!r}, which is not a length," if unit else "no unit"
            raise InvalidOption(
                f"spacing {spacing:g} was asked for, but {image.source or image.name!r} has {stated} along {axis} (its "
                f"spacing is {image.spacing.get(axis, 'unknown')}); choose a level instead (--level)"
            )
        steps.append(level.scale[image.axes.index(axis)] * MICROMETERS[unit])
    return math.prod(steps) ** (1 / len(steps))


def _about_z(image: Image) -> str:
    if "z" not in image.axes or image.units.get("z", "") in MICROMETERS:
        return ""
    return f"; its z has spacing {image.spacing.get('z', 1):g} and no unit of length"
