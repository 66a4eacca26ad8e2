"""The reader `ome-zarr`: OME-Zarr images, elements of SpatialData stores and plain zarr arrays, lazily."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import cast

import zarr

from tilewright.abc import AXES, Array, Image, Level, Location, is_node
from tilewright.errors import InvalidImage, InvalidOption, NotReadable

from .codecs import codec_names
from .collection import element, images_of, listed_labels, not_one_image, open_image_node
from .metadata import Dataset, Multiscale, Ome, read_multiscale, read_ome
from .store import AnyArray, Node, inside, is_remote, one_line, open_node

__all__ = ["OmeZarrReader", "label_names"]

ASSUMED = {2: "yx", 5: "tczyx"}  # axes by number of dimensions, where the metadata names none

XARRAY = "_ARRAY_DIMENSIONS"  # the attribute in which xarray keeps the names of dimensions in zarr v2


@dataclass(frozen=True, kw_only=True)
class OmeZarrReader:
    """Open one image of an OME-Zarr store (0.1 to 0.6), an element of a SpatialData store, or a plain zarr array.

    The path may be the store's root, any image or array inside it, or a URL that fsspec opens. Of a plate, a labels
    group or another collection, `image` names the one to read; without it InvalidOption lists them, unless a series of
    bioformats2raw or a SpatialData store holds one image, which is then read. Of several multiscales in one group, with
    no `multiscale` chosen, the first is read and a warning says so. Where the metadata states no scale, the finest
    level has 1 and no unit. NotReadable if there is nothing that can be read; InvalidImage if the metadata contradicts
    itself or leads out of the store.
    """

    level: int = field(default=0, metadata={"help": "Resolution level to read, 0 the finest."})
    axes: str | None = field(
        default=None, metadata={"help": "Axes, a letter of tczyx for each, where the metadata names none."}
    )
    image: str | None = field(
        default=None,
        metadata={"help": "Image to read, as its path inside the store: A/1/0, labels/cells or images/slide."},
    )
    multiscale: int | None = field(
        default=None, metadata={"help": "Which of several multiscales of that image, 0 the first; or the first."}
    )

    def __call__(self, path: str) -> Image:
        where, node = self._opened(path)
        if not isinstance(node, zarr.Group):
            return self._plain(node, where)
        ome = read_ome(node, where)
        if ome is None or "multiscales" not in ome.attributes:
            raise not_one_image(where, ome)
        return self._multiscale(ome, read_multiscale(ome, self.multiscale or 0))

    def labels(self, path: str) -> tuple[str, ...]:
        """The names of the label images that belong to the image."""
        return label_names(self._opened(path)[0])

    def images(self, path: str) -> dict[str, str]:
        """The images of a plate, a well, a series of bioformats2raw or a SpatialData store; empty if one is chosen."""
        return {} if self.image else images_of(self._opened(path)[0])

    def _opened(self, path: str) -> tuple[Location, Node]:
        """Where the image lies, and its node: at the path, at the image chosen in it, or at the only one of several."""
        location = Location.of(path)
        where = location.at(location.rstrip("/")) if len(location) > 1 and location.endswith("/") else location
        if self.image:
            where = inside(where, element(where, self.image))
        return open_image_node(where)

    def _plain(self, array: AnyArray, where: str) -> Image:
        if self.level:
            raise InvalidOption(f"level={self.level} was asked for, but {where!r} is a single array; leave level out")
        _check_chunks(array, where)
        return Image(
            data=_lazy(array),
            axes=self.axes or _named_axes(array, where),
            name=_folder_name(where),
            source=where,
            format=f"zarr v{array.metadata.zarr_format}",
            details=_details(array),
        )

    def _multiscale(self, ome: Ome, found: Multiscale) -> Image:
        where, count = ome.where, len(found.datasets)
        if not 0 <= self.level < count:
            raise InvalidOption(f"level {self.level} does not exist; {where!r} has levels 0 to {count - 1}")
        if found.axes and self.axes not in (None, found.axes):
            raise InvalidOption(
                f"axes={self.axes!r}, but the metadata of {where!r} says {found.axes!r}; leave axes out"
            )
        arrays = [_open_level(where, dataset) for dataset in found.datasets[self.level :]]
        axes = found.axes or self.axes or _assumed_axes(arrays[0], where)
        levels = _levels(ome, found, arrays, axes, self.level)
        return Image(
            data=_lazy(arrays[0]),
            axes=axes,
            spacing={axis: step for axis, step in zip(axes, levels[0].scale, strict=True) if axis != "c"},
            units=found.units if found.datasets[0].scale else {},  # no unit for a scale of 1 that nobody stated
            channels=_channel_names(found, dict(zip(axes, arrays[0].shape, strict=True))),
            name=found.name or _folder_name(where),
            levels=levels,
            images=self._several(found, where),
            source=where,
            format=f"ome-zarr {one_line(ome.version)}",
            details=_details(arrays[0]),
        )

    def _several(self, found: Multiscale, where: str) -> tuple[str, ...]:
        """All multiscales of the group, with a warning if none was chosen."""
        images = tuple(f"multiscale={i}: {name or 'without a name'}" for i, name in enumerate(found.several))
        if images and self.multiscale is None:
            warnings.warn(
                f"{where!r} holds {len(images):,} images, and the first ({images[0]}) is read; choose another with the "
                "reader's option multiscale (--reader-set multiscale=1)",
                UserWarning,
                stacklevel=2,
            )
        return images


def label_names(path: str) -> tuple[str, ...]:
    """The names of the label images that the image at a path lists; none if it has no labels group."""
    node = open_node(path)
    where = inside(path, "labels")
    listed = "labels" in node if is_remote(path) and isinstance(node, zarr.Group) else is_node(Path(where))
    if not isinstance(node, zarr.Group) or not listed:
        return ()
    labels = open_node(where)
    return listed_labels(labels, where) if isinstance(labels, zarr.Group) else ()


def _open_level(where: str, dataset: Dataset) -> AnyArray:
    target = inside(where, dataset.path)
    try:
        array = open_node(target)
    except NotReadable as error:
        raise InvalidImage(
            f"level {dataset.path!r} of {where!r} is in its metadata, but cannot be read: {error}"
        ) from error
    if isinstance(array, zarr.Group):
        raise InvalidImage(f"level {dataset.path!r} of {where!r} is a group, not an array; repair its metadata")
    _check_chunks(array, target)
    return array


def _assumed_axes(array: AnyArray, where: str) -> str:
    """The axes of an image whose metadata names none: in 0.1 and 0.2 there are always these five."""
    if array.ndim not in ASSUMED:
        raise InvalidOption(
            f"the metadata of {where!r} names no axes for its shape {array.shape}; pass axes, a letter of tczyx for "
            "each (--axes)"
        )
    return ASSUMED[array.ndim]


def _check_chunks(array: AnyArray, where: str) -> None:
    try:
        chunks = array.chunks
    except NotImplementedError:  # a rectilinear grid, whose chunks zarr has checked
        return
    if any(n > 0 and step < 1 for n, step in zip(array.shape, chunks, strict=True)):
        raise InvalidImage(f"{where!r} has shape {array.shape} in chunks of {chunks}; repair its metadata")


def _levels(ome: Ome, found: Multiscale, arrays: Sequence[AnyArray], axes: str, first: int) -> tuple[Level, ...]:
    """The levels from the chosen one down. One without a scale has the finest's, times the ratio of their shapes."""
    datasets = found.datasets[first:]
    for dataset, array in zip(datasets, arrays, strict=True):
        counts = {array.ndim, *(len(each) for each in (dataset.scale, dataset.translation) if each)}
        if counts != {len(axes)}:
            raise InvalidImage(
                f"level {dataset.path!r} of {ome.where!r} has {array.ndim} dimensions {array.shape}, scale "
                f"{dataset.scale} and translation {dataset.translation}, but axes {axes!r}; repair its metadata"
            )
    if all(dataset.scale for dataset in datasets):
        finest: tuple[int, ...] = ()
    else:
        finest = (arrays[0] if first == 0 else _open_level(ome.where, found.datasets[0])).shape
    base = found.datasets[0].scale or (1.0,) * len(axes)
    return tuple(
        Level(
            path=dataset.path,
            shape=array.shape,
            scale=dataset.scale or tuple(s * r for s, r in zip(base, _ratios(finest, array.shape), strict=True)),
            translation=dataset.translation,
        )
        for dataset, array in zip(datasets, arrays, strict=True)
    )


def _ratios(finest: Sequence[int], shape: Sequence[int]) -> list[float]:
    """How many of the finest level's pixels one pixel is: a whole number where rounding explains the shape."""
    found = []
    for fine, coarse in zip(finest, shape, strict=True):
        factor = max(1, round(fine / max(1, coarse)))
        found.append(float(factor) if coarse in (fine // factor, -(-fine // factor)) else fine / max(1, coarse))
    return found


def _details(array: AnyArray) -> dict[str, str]:
    """How the pixels are stored."""
    return {"codecs": one_line(codec_names(array))}


def _named_axes(array: AnyArray, where: str) -> str:
    stated = getattr(array.metadata, "dimension_names", None) or array.attrs.get(XARRAY)
    names = stated if isinstance(stated, list | tuple) else ()
    if names and all(isinstance(name, str) and len(name) == 1 and name in AXES for name in names):
        return "".join(names)
    said = f"dimension names {', '.join(map(str, names))}" if names else "no dimension names"
    raise InvalidOption(
        f"{where!r} is a plain zarr array of shape {array.shape} with {said}; pass axes, a letter of tczyx for each "
        "(--axes)"
    )


def _channel_names(found: Multiscale, sizes: Mapping[str, int]) -> tuple[str, ...]:
    """A name for each channel, or none where the metadata names none or another number of them."""
    if len(found.channels) != sizes.get("c") or not any(found.channels):
        return ()
    return tuple(name or f"channel {i}" for i, name in enumerate(found.channels))


def _folder_name(where: str) -> str:
    return PurePosixPath(where).name or where


def _lazy(array: AnyArray) -> Array:
    """The array as the core's protocol, of which zarr's own type says less than it keeps."""
    return cast("Array", array)
