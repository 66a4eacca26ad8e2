"""Spacing as OME and QuPath want it: in micrometres and seconds."""

from __future__ import annotations

from collections.abc import Mapping

from .omexml import LENGTHS, TIMES

__all__ = ["in_units"]

# The names that OME-Zarr has for the units of OME-XML.
NAMES = {
    "micrometer": "µm",
    "nanometer": "nm",
    "picometer": "pm",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
    "angstrom": "Å",
    "inch": "in",
    "micron": "µm",
    "second": "s",
    "millisecond": "ms",
    "microsecond": "µs",
    "minute": "min",
    "hour": "h",
    "day": "d",
}


def in_units(spacing: Mapping[str, float], units: Mapping[str, str]) -> dict[str, float]:
    """Pixel size by axis: z, y and x in micrometres, t in seconds; none for an axis whose unit is not known.

    >>> in_units({"t": 2, "y": 250, "x": 1}, {"t": "minute", "y": "nanometer", "x": "parsec"})
    {'t': 120.0, 'y': 0.25}
    """
    found = {}
    for axis, size in spacing.items():
        unit = units.get(axis, "")
        factor = (TIMES if axis == "t" else LENGTHS).get(NAMES.get(unit, unit))
        if factor:
            found[axis] = size * factor
    return found
