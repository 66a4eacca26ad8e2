"""Names of channels, from wherever a TIFF file keeps them."""

from __future__ import annotations

import re

import tifffile

from .axes import Arrangement
from .omexml import OmeImage

__all__ = ["channel_names"]

SAMPLES = {3: ("red", "green", "blue"), 4: ("red", "green", "blue", "alpha")}
RGB, YCBCR = 2, 6  # TIFF 6.0, "PhotometricInterpretation"


def channel_names(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, arrangement: Arrangement, ome: OmeImage | None
) -> tuple[str, ...]:
    """A name for each index along c; none if the file names none, or another number of them."""
    if "c" not in arrangement.axes:
        return ()
    positions = arrangement.parts[arrangement.axes.index("c")]
    samples = series.shape[positions[-1]] if series.axes[positions[-1]] == "S" else 1
    count = arrangement.shape(series.shape)[arrangement.axes.index("c")]
    names = _numbered(_named(tif, series, ome), count // samples)
    colours = SAMPLES.get(samples, ()) if series.keyframe.photometric in (RGB, YCBCR) else ()
    if samples == 1:
        return names
    if count == samples:
        return colours
    return tuple(f"{name} {colour}" for name in names for colour in colours)


def _numbered(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    if len(names) != count or not any(names):
        return ()
    return tuple(name or f"channel {i}" for i, name in enumerate(names))


def _named(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, ome: OmeImage | None) -> tuple[str, ...]:
    if ome is not None:
        return ome.channels
    if tif.is_imagej and tif.imagej_metadata:
        labels = tif.imagej_metadata.get("Labels") or ()
        return tuple(map(str, labels)) if set(series.axes) <= set("CYXS") else ()  # they name planes, not channels
    if tif.is_lsm and tif.lsm_metadata:
        return tuple(map(str, (tif.lsm_metadata.get("ChannelColors") or {}).get("ColorNames") or ()))
    if series.kind == "qpi":
        return tuple(_perkin_elmer(page.description) for page in series.pages if isinstance(page, tifffile.TiffPage))
    return ()


def _perkin_elmer(description: str) -> str:
    """The biomarker or filter of a page of a QPTIFF, whose description is XML."""
    for tag in ("Biomarker", "Name"):
        if match := re.search(rf"<{tag}>([^<]+)</{tag}>", description):
            return match.group(1).strip()
    return ""
