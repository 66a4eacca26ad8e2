"""Arrays as images: the axes that an array states itself, or those that its number of dimensions stands for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import InvalidOption
from ..tiling.axes import AXES, SPATIAL
from .image import Image

__all__ = ["as_image", "axes_of", "stated_axes"]

BY_DIMENSIONS: Mapping[int, str] = {1: "x", 2: "yx", 3: "zyx"}
COLOURS = (3, 4)  # of a picture, along its last axis
SMALLEST = 8  # pixels along y and x of what may be a picture


def as_image(array: Any, axes: str | None = None) -> Image:
    """The image of a numpy, dask, zarr or xarray array, read lazily.

    An xarray array states its axes, and its coordinates the channels' names and the spacing. InvalidOption for what is
    not an array, whose dtype numpy lacks, whose axes are not clear, or of which some pixels are masked.
    """
    if not all(hasattr(array, what) for what in ("shape", "dtype", "__getitem__")):
        raise InvalidOption(f"{type(array).__name__} is not an image; give a path, an Image, or an array")
    try:
        np.dtype(array.dtype)
    except TypeError:
        kind = type(array).__name__
        message = f"the {kind} has the dtype {array.dtype}, which numpy lacks; give numpy.asarray of it"
        raise InvalidOption(message) from None
    known = axes or axes_of(array, BY_DIMENSIONS)
    if known is None:
        raise InvalidOption(f"an array of {len(array.shape)} dimensions needs its axes; pass axes, such as 'tzyx'")
    facts = _coordinates(array, known) if _is_xarray(array) else {}
    return Image(_unmasked(array.data if _is_xarray(array) else array), known, **facts)


def axes_of(array: Any, assumed: Mapping[int, str]) -> str | None:
    """The axes that an array states, as zarr's and xarray's may, else those that its number of dimensions stands for.

    InvalidOption for what may as well be a colour picture as a volume of three or four pixels along x.
    """
    if any(isinstance(length, float) and math.isnan(length) for length in array.shape):
        message = f"an array of unknown shape {tuple(array.shape)} cannot be cut; call its compute_chunk_sizes() first"
        raise InvalidOption(message)
    if stated := stated_axes(array):
        return stated
    shape = tuple(array.shape)
    if len(shape) > 2 and shape[-1] in COLOURS and min(shape[-3:-1]) >= SMALLEST:
        raise InvalidOption(
            f"an array of shape {shape} may be a colour picture or a volume of {shape[-1]} pixels along x; give "
            f"Image(array, axes='{AXES[: len(shape) - 3]}yxc') for the one, Image(array, axes='{AXES[-len(shape) :]}') "
            "for the other"
        )
    return assumed.get(len(shape))


def stated_axes(array: Any) -> str | None:
    """The axes that an array states itself; None if it states none."""
    if _is_xarray(array):
        return _stated(tuple(map(str, array.dims)))
    names = getattr(getattr(array, "metadata", None), "dimension_names", None)
    return "".join(names) if names and all(name and name in AXES and len(name) == 1 for name in names) else None


def _is_xarray(array: Any) -> bool:
    return type(array).__module__.startswith("xarray.") and hasattr(array, "dims")


def _stated(dimensions: tuple[str, ...]) -> str:
    """The letters of an xarray array's dimensions: `y`, `Y`, `channel`, `time`. InvalidOption for any other name."""
    letters = [name[:1].lower() if name.lower() in (*AXES, "time", "channel") else "" for name in dimensions]
    if not all(letters):
        unknown = dimensions[letters.index("")]
        raise InvalidOption(
            f"the array has a dimension {unknown!r}, which is not one of t, c, z, y, x; rename it, or pass axes with a "
            "letter for each dimension"
        )
    return "".join(letters)


def _coordinates(array: Any, axes: str) -> dict[str, Any]:
    """What an xarray array's coordinates say: channels' names, and the spacing and unit of evenly spaced axes."""
    spacing: dict[str, float] = {}
    units: dict[str, str] = {}
    channels: tuple[str, ...] = ()
    for axis, dimension in zip(axes, array.dims, strict=True):
        if dimension not in array.coords:
            continue
        values = np.asarray(array.coords[dimension])
        if axis == "c" and values.dtype.kind in "UO":
            channels = tuple(map(str, values))
        elif axis in SPATIAL and values.dtype.kind in "iuf" and len(values) > 1:
            steps = np.diff(values.astype(float))
            if np.allclose(steps, steps[0]) and steps[0]:
                spacing[axis] = abs(float(steps[0]))
                units |= {axis: str(array.coords[dimension].attrs["units"])} if _has_unit(array, dimension) else {}
    return {"spacing": spacing, "units": units, "channels": channels, "name": str(array.name or "image")}


def _has_unit(array: Any, dimension: Any) -> bool:
    return isinstance(array.coords[dimension].attrs.get("units"), str)


def _unmasked(array: Any) -> Any:
    """The data of an array without masked pixels. InvalidOption if there are some: which value stands for them?"""
    if hasattr(getattr(array, "_meta", None), "filled"):
        raise InvalidOption("the blocks of this dask array are masked; fill them: dask.array.ma.filled(image, value)")
    if not hasattr(array, "filled"):  # a masked array; numpy.ma takes 6 ms to import
        return array
    masked = int(np.ma.getmaskarray(array).sum())
    if masked:
        raise InvalidOption(
            f"{masked:,} pixels of the array are masked, and a segmenter sees values; fill them with one that is "
            "background: image.filled(value)"
        )
    return np.asarray(array)
