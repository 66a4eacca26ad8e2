"""scikit-image's `regionprops_table` for arrays of any size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, measure

from .intensity import KNOWN, Intensity
from .neighbours import Neighbours
from .regionprops import RegionProps
from .shapes import PROPERTIES
from .size import Size

__all__ = ["regionprops_table"]

NEIGHBOURS = ("contacts", "border_shared", "nearest_distance")


def regionprops_table(
    labels: Any,
    image: Any = None,
    properties: Iterable[str] = ("label", "bbox"),
    *,
    spacing: float | Sequence[float] | None = None,
    separator: str = "-",
    **options: Any,
) -> dict[str, NDArray[Any]]:
    """The table of `skimage.measure.regionprops_table`, of arrays that need not fit into memory.

    labels: (y, x) or (z, y, x) whole numbers: an array (numpy, dask, zarr), an `Image`, or a path. image: likewise; an
    array may have channels along one more axis, the last one, whose columns end in `-0`, `-1`, …
    properties: scikit-image's, and those that `tilewright-measure` adds: `size`, `intensity` and `neighbours` have a
    list. spacing: of an array's axes. options: those of `tilewright.measure`, such as `workers` or `processes`.

    Properties that are parts of an object, such as `area_filled`, are measured of whole objects, which have to fit into
    memory; NaN for one that does not. A property for which scikit-image raises an error, such as the perimeter in three
    dimensions, is left out. InvalidOption for a property that does not exist, or is not a number of each object.

    >>> labels = np.array([[1, 1, 0], [0, 0, 7]])
    >>> regionprops_table(labels, properties=("label", "area"))["area"].tolist()
    [2.0, 1.0]
    """
    wanted = tuple(dict.fromkeys(properties))
    labels = _image_of(labels, spacing)
    table = measure(labels, _pixels_of(image, labels), measure=_measurers(wanted), **options)
    result: dict[str, NDArray[Any]] = {}
    for name in wanted:
        result |= {column.replace("-", separator): table[column] for column in _columns_of(name, list(table))}
    return result


def _image_of(labels: Any, spacing: float | Sequence[float] | None) -> Any:
    """Labels in memory with their axes and spacing; others as they are."""
    if not hasattr(labels, "shape") or isinstance(labels, Image):
        return labels
    axes = "zyx"[-len(labels.shape) :]
    steps = [1.0] * len(axes) if spacing is None else np.broadcast_to(spacing, len(axes)).tolist()
    return Image(labels, axes=axes, spacing=dict(zip(axes, steps, strict=True)))


def _pixels_of(image: Any, labels: Any) -> Any:
    if not isinstance(labels, Image) or isinstance(image, Image) or not hasattr(image, "shape"):
        return image
    if len(image.shape) == len(labels.axes):
        return Image(image, axes=labels.axes, spacing=labels.spacing)
    names = tuple(map(str, range(image.shape[-1])))
    return Image(image, axes=f"{labels.axes}c", spacing=labels.spacing, channels=names)


def _measurers(wanted: Sequence[str]) -> list[Any]:
    """The measurers that have the properties; scikit-image itself for what no other has."""
    size = tuple(name for name in wanted if name in PROPERTIES)
    intensity = tuple(name for name in wanted if name in KNOWN)
    others = tuple(name for name in wanted if name not in (*PROPERTIES, *KNOWN, *NEIGHBOURS, "label"))
    chosen: Mapping[Any, bool] = {
        Size(properties=size or ("num_pixels",)): bool(size) or wanted == ("label",),
        Intensity(properties=intensity): bool(intensity),
        Neighbours(): bool({*wanted} & {*NEIGHBOURS}),
    }
    return [each for each, needed in chosen.items() if needed] + ([RegionProps(properties=others)] if others else [])


def _columns_of(name: str, columns: Sequence[str]) -> list[str]:
    """The columns of a property, in the order of their indices."""
    mine = [column for column in columns if column.partition("-")[0] == name]
    return sorted(mine, key=lambda column: [int(part) if part.isdigit() else -1 for part in column.split("-")[1:]])
