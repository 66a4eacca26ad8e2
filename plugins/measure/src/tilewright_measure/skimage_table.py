"""scikit-image's `regionprops_table` for arrays of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, measure

from .intensity import KNOWN, Intensity
from .neighbours import Neighbours
from .regionprops import FunctionsOfObjects, RegionProps
from .shapes import PROPERTIES
from .size import Size

__all__ = ["regionprops_table"]

NEIGHBOURS = ("contacts", "border_shared", "nearest_distance")


def regionprops_table(
    label_image: Any,
    intensity_image: Any = None,
    properties: Iterable[str] = ("label", "bbox"),
    *,
    cache: bool = True,  # noqa: ARG001 - scikit-image's: what is computed twice or not is ours to choose
    separator: str = "-",
    extra_properties: Iterable[Callable[..., Any]] | None = None,
    spacing: float | Sequence[float] | None = None,
    **options: Any,
) -> dict[str, NDArray[Any]]:
    """The table of `skimage.measure.regionprops_table`, of arrays that need not fit into memory.

    label_image: (y, x) or (z, y, x) whole numbers: an array (numpy, dask, zarr), an `Image`, or a path.
    intensity_image: likewise; an array may have channels along one more axis, the last one, whose columns end in `-0`,
        `-1`, …
    properties: scikit-image's, and those that `tilewright-measure` adds: `size`, `intensity` and `neighbours` have a
        list.
    cache: has no effect. spacing: of an array's axes. options: those of `tilewright.measure`, such as `workers`.
    extra_properties: functions `f(mask)` or `f(mask, pixels)` of an object's box, which return numbers; each is a
        property of its name.

    Extra properties, and those that need an object's box, such as `area_filled`, are measured of whole objects, which
    have to fit into memory; NaN for one that does not. A property for which scikit-image raises an error, such as the
    perimeter in three dimensions, is left out. InvalidOption for a property that does not exist, or is not a number of
    each object.

    >>> labels = np.array([[1, 1, 0], [0, 0, 7]])
    >>> regionprops_table(labels, properties=("label", "area"))["area"].tolist()
    [2.0, 1.0]
    """
    wanted, functions = tuple(dict.fromkeys(properties)), tuple(extra_properties or ())
    labels = _image_of(label_image, spacing)
    measurers = _measurers(wanted) + ([FunctionsOfObjects(functions=functions)] if functions else [])
    table = measure(labels, _pixels_of(intensity_image, labels), measure=measurers, **options)
    result: dict[str, NDArray[Any]] = {}
    for name in (*wanted, *(each.__name__ for each in functions)):
        result |= {column.replace("-", separator): table[column] for column in _columns_of(name, list(table))}
    if len(ids := result.get("label", np.zeros(0))) and ids[-1] > np.iinfo(np.int64).max:
        return result  # scikit-image has none of these
    return result | {name: values.astype(np.int64) for name, values in result.items() if name == "label"}


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
