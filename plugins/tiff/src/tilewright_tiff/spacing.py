"""Pixel size in micrometres: from wherever a TIFF file keeps it, and from the units that other formats have."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import tifffile

from .omexml import LENGTHS, TIMES, OmeImage

__all__ = ["in_units", "spacing_of"]

# Unit names that ImageJ and MetaMorph write beside those of OME.
SPELLED = {
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "\\u00b5m": 1.0,  # as ImageJ escapes it
    "nanometer": 1e-3,
    "millimeter": 1e3,
    "inch": 25_400.0,
    "meter": 1e6,
}
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
INCH, CENTIMETER = 2, 3  # TIFF 6.0, "ResolutionUnit"; without the tag it is the inch
# Dots per inch of screens, printers and office scanners: what software writes that knows no pixel size.
DEVICES = (72, 75, 90, 96, 100, 120, 144, 150, 180, 200, 240, 300, 350, 360, 400, 600, 720, 1200)
COARSEST = 1000.0  # a "pixel" of more than a millimetre is a placeholder such as 1 dot per inch


def spacing_of(tif: tifffile.TiffFile, page: tifffile.TiffPage, ome: OmeImage | None) -> dict[str, float]:
    """The pixel size by axis, in micrometres (t in seconds): of OME-XML, else ImageJ, resolution tags, SVS or LSM.

    Resolutions of screens and printers (72 dpi) are no pixel sizes. Empty if the file says nothing.
    """
    if ome is not None:
        return {**({} if "x" in ome.spacing else _from_tags(page)), **ome.spacing}
    if tif.is_imagej and tif.imagej_metadata:
        said = _from_imagej(tif.imagej_metadata, page)
        return {**({} if "x" in said else _from_tags(page)), **said}
    found = _from_vendor(tif)
    return {**found, **(_from_tags(page) or _from_aperio(page) or found)}


def _from_imagej(said: Mapping[str, Any], page: tifffile.TiffPage) -> dict[str, float]:
    unit = _unit(said.get("unit"))
    z = _number(said.get("spacing"))
    found = {}
    if unit:
        tag = page.tags.valueof("ResolutionUnit")
        # Micro-Manager's tags count by the centimetre while its text says um, and ImageJ takes the tags then.
        plane = LENGTHS["cm"] if unit == LENGTHS["µm"] and tag == CENTIMETER else unit
        lengths = {"x": _pixel(page, "XResolution"), "y": _pixel(page, "YResolution"), "z": z and abs(z)}
        found = {axis: size * (unit if axis == "z" else plane) for axis, size in lengths.items() if size}
    if unit in (LENGTHS["in"], LENGTHS["cm"]) and any(_is_placeholder(found[axis]) for axis in "yx" if axis in found):
        found = {}  # the resolution of a screen or a printer, which ImageJ takes over from what it opened
    interval = _number(said.get("finterval"))
    return {**found, **({"t": interval} if interval and interval > 0 else {})}


def _from_tags(page: tifffile.TiffPage) -> dict[str, float]:
    unit = {INCH: 25_400.0, CENTIMETER: 10_000.0}.get(int(page.tags.valueof("ResolutionUnit", INCH)))
    if unit is None:
        return {}
    found = {axis: _pixel(page, name) for axis, name in (("x", "XResolution"), ("y", "YResolution"))}
    sizes = {axis: size * unit for axis, size in found.items() if size}
    return {} if any(_is_placeholder(size) for size in sizes.values()) else sizes


def _from_aperio(page: tifffile.TiffPage) -> dict[str, float]:
    """`MPP = 0.4990` in the description of a slide scanned by Aperio: micrometres per pixel."""
    match = re.search(r"\bMPP\s*=\s*([0-9.]+)", page.description)
    size = _number(match.group(1)) if match else None
    return {"x": size, "y": size} if size else {}


def _from_vendor(tif: tifffile.TiffFile) -> dict[str, float]:
    """LSM's voxel size, in metres, and MetaMorph's calibration; the distance of its planes is in micrometres."""
    if tif.is_lsm and tif.lsm_metadata:
        sizes = {axis: _number(tif.lsm_metadata.get(f"VoxelSize{axis.upper()}")) for axis in "zyx"}
        return {axis: size * 1e6 for axis, size in sizes.items() if size and size > 0}
    if tif.is_stk and tif.stk_metadata:
        unit = _unit(tif.stk_metadata.get("CalibrationUnits"))
        sizes = {axis: _number(tif.stk_metadata.get(f"{axis.upper()}Calibration")) for axis in "yx"}
        found = {axis: size * unit for axis, size in sizes.items() if unit and size and size > 0}
        return {**found, **_between_planes(tif.stk_metadata.get("ZDistance"))}
    return {}


def _between_planes(distances: Any) -> dict[str, float]:
    """The step along z, if all planes have the same."""
    steps = {abs(float(step)) for step in distances} if distances is not None else set()
    step = _number(steps.pop()) if len(steps) == 1 else None
    return {"z": step} if step else {}


def _pixel(page: tifffile.TiffPage, name: str) -> float | None:
    """Units per pixel out of a tag that holds pixels per unit, as a fraction."""
    value = page.tags.valueof(name)
    if not (isinstance(value, tuple) and len(value) == 2 and all(value)):
        return None
    return float(value[1] / value[0])


def _is_placeholder(micrometers: float) -> bool:
    dots = 25_400.0 / micrometers
    return micrometers > COARSEST or any(abs(dots - device) < 0.005 * device for device in DEVICES)


def _unit(name: object) -> float | None:
    said = str(name).strip()
    return LENGTHS.get(said) or SPELLED.get(said.lower())


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever it is, it is a number or raises
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number != 0 else None


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
