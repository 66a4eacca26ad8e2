"""The writer `ome-zarr`: label images inside an OME-Zarr image, or in a store of their own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal

import numpy as np
import zarr

from tilewright.abc import Image, LabelSpec, Level, Location, check_replaceable, recover, root_of
from tilewright.errors import InvalidImage, InvalidOption, NotReadable

from .attributes import label_attributes
from .bucket import BucketSink, check_earlier, is_there, name_of_run, of_run
from .elements import as_element, image_element, is_element, relative
from .layout import LevelLayout, halved, plan, spaced
from .places import check_apart, check_name, image_at, image_of, local_path, target_of, version_in, way_to
from .registration import FORMATS
from .sink import OmeZarrSink, PyramidSink
from .store import is_remote, open_node

__all__ = ["OmeZarrLabels"]

OLD = re.compile(r"ome-zarr v?0\.[1-4](?!\d)")  # formats of images in zarr v2
ASIDE = "labels.ome.zarr"  # in the run's own folder
# Blosc with lz4 is what zarr v2 stores have had by default for years: every reader of 0.4 knows it, not so zstd.
V2_COMPRESSOR = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1}


@dataclass(frozen=True, kw_only=True)
class OmeZarrLabels:
    """Write labels and their pyramid as OME-Zarr.

    To `<store>/labels/<name>` of a SpatialData store they become an element of it, in the coordinates of its image.
    To `<image>/labels/<name>` they become a label image of that OME-Zarr image, in its version, with as many levels as
    it has, and are listed among its labels once they are complete. To any other path they become a store of their own.
    The coarse levels have the shapes and places of the image's; without a pyramid to copy, y and x are halved (z too
    where it is as large) down to 512 pixels. InvalidOption for a path or an option that makes no valid OME-Zarr.
    """

    remote: ClassVar[bool] = True

    chunks: int | tuple[int, ...] | None = field(
        default=None,
        metadata={"help": "Chunk length along z y x; by default about 256, in 3-D 64 and 128, fitted to the tiles."},
    )
    shards: int | tuple[int, ...] | None = field(
        default=None, metadata={"help": "Shard length along z y x, multiples of the chunks; OME-Zarr 0.5 only."}
    )
    pyramid: bool = field(default=True, metadata={"help": "Write coarser levels too."})
    downsampling: Literal["nearest", "mode"] = field(
        default="nearest", metadata={"help": "Labels of coarse pixels: one pixel's of the block, or its commonest."}
    )
    version: Literal["auto", "0.4", "0.5"] = field(
        default="auto", metadata={"help": "OME-Zarr version; auto is the image's, or 0.5."}
    )

    def __call__(self, path: str, spec: LabelSpec) -> PyramidSink:
        location = Location.of(path)
        if location.local is None:
            return self._in_bucket(location, spec)
        target = target_of(path)
        check_apart(target, spec.image)
        recover(spec.workdir / ASIDE, target)
        check_replaceable(target)
        image = image_of(target)
        element = image_element(target, spec) if is_element(target, "labels") else None
        owner = image or element
        version = self._version(spec, owner)
        levels = self._levels(spec, image)
        if element:
            attributes = self._element(spec, version, levels, target.name, element)
        else:
            attributes = self._attributes(spec, version, levels, target.name if image else None, way_to(spec, target))
        laid = plan(levels, spec.axes, spec.tile, self.chunks, self.shards)
        sink = OmeZarrSink(
            path=target,
            aside=spec.workdir / ASIDE,
            layout=laid,
            method=self.downsampling,
            version=version,
            image=None if owner is None else Path(owner.source),
        )
        _open_aside(sink, spec, attributes)
        return sink

    def _in_bucket(self, target: Location, spec: LabelSpec) -> PyramidSink:
        image = image_at(target)
        check_earlier(target)
        version, run = self._version(spec, image), name_of_run(spec)
        levels = of_run(self._levels(spec, image), run)
        laid = plan(levels, spec.axes, spec.tile, self.chunks, self.shards)
        return BucketSink(
            layout=laid,
            method=self.downsampling,
            version=version,
            path=target,
            run=run,
            attributes=self._attributes(spec, version, levels, PurePosixPath(target).name if image else None, None),
            arrays=tuple(_array(FORMATS[version], each, spec.axes, spec.dtype) for each in laid.levels),
            keep_old=spec.keep_old,
            image=image is not None,
        )

    def _element(
        self, spec: LabelSpec, version: str, levels: tuple[Level, ...], name: str, image: Image
    ) -> dict[str, Any]:
        """The attributes of an element of the SpatialData store that the image lies in."""
        attributes = label_attributes(
            version=version,
            name=name,
            axes=spec.axes,
            units={},
            levels=relative(levels),
            method=self.downsampling,
            source=None,
        )
        return as_element(attributes, image, spec.axes, levels[0])

    def _attributes(
        self, spec: LabelSpec, version: str, levels: tuple[Level, ...], listed: str | None, source: str | None
    ) -> dict[str, Any]:
        """The attributes of the label image's group. listed: its name in the image that it lies in."""
        return label_attributes(
            version=version,
            name=listed or spec.name,
            axes=spec.axes,
            units=spec.units,
            levels=levels,
            method=self.downsampling,
            source="../../" if listed else source,
        )

    def destination(self, image: str, name: str) -> str:
        """Where labels of that name go that belong to the image at that path.

        Those of an image in a local SpatialData store go among the labels of the store. InvalidOption if the image is
        not an OME-Zarr image or the name cannot be a folder's.
        """
        check_name(name)
        place = Location.of(image).local
        if place is not None and is_element(place, "images"):
            return str(place.parent.parent / "labels" / name)
        target = Location.of(image).joined(f"labels/{name}")
        if (image_at(target) if is_remote(target) else image_of(target_of(target))) is None:
            raise InvalidOption(
                f"no output was given, and {image!r} is not an OME-Zarr image, which holds its labels; give an output "
                "path"
            )
        return target

    def exists(self, path: str) -> bool:
        """Whether something is at the path."""
        location = Location.of(path)
        return is_there(location) if location.local is None else location.local.exists()

    def provenance(self, path: str) -> Mapping[str, Any] | None:
        """What the group at the path holds of how its labels were made."""
        try:
            where = Location.of(path) if is_remote(path) else str(target_of(path))
            record = open_node(where).attrs.get("tilewright")
        except NotReadable:
            return None
        return record if isinstance(record, Mapping) else None

    def beside(self, path: str) -> Path:
        """The folder that the run's checkpoint is put next to: the whole store, so that none is ever inside one.

        InvalidOption for a path within a store where labels cannot be: before any work, not after it.
        """
        target = target_of(path)
        image_of(target)
        return root_of(target) or local_path(path)

    def _version(self, spec: LabelSpec, image: Image | None) -> str:
        version = version_in(image) if image else "0.4" if OLD.match(spec.image_format) else "0.5"
        if image and self.version not in ("auto", version):
            raise InvalidOption(
                f"version {self.version!r} was asked for, but labels of {image.source!r} must be {version}, "
                "as its zarr format needs it; leave version out, or write a store of its own"
            )
        version = version if self.version == "auto" else self.version
        if version == "0.4" and self.shards is not None:
            raise InvalidOption("OME-Zarr 0.4 has no shards; leave shards out, or write version 0.5")
        return version

    def _levels(self, spec: LabelSpec, image: Image | None) -> tuple[Level, ...]:
        levels = spec.levels or (_matching(image, spec) if image else ())
        if levels and levels[0].shape != spec.shape:
            raise InvalidImage(f"the labels have shape {spec.shape}, but their first level has {levels[0].shape}")
        if not _distinct_paths(levels):
            levels = tuple(replace(level, path=str(k)) for k, level in enumerate(levels))
        if image is not None:
            return self._as_many(levels, image, spec)
        if not self.pyramid:
            return levels[:1] or (spaced(spec),)
        return levels if len(levels) > 1 else halved(levels[0] if levels else spaced(spec), spec.axes)

    def _as_many(self, levels: tuple[Level, ...], image: Image, spec: LabelSpec) -> tuple[Level, ...]:
        """As many levels as the image has, which 0.4 and 0.5 demand of its labels ("labels" metadata)."""
        number = len(image.levels)
        if not self.pyramid and number > 1:
            raise InvalidOption(
                f"pyramid=False, but labels inside {image.source!r} must have its {number} levels; "
                "leave pyramid out, or write a store of its own"
            )
        return halved(levels[0], spec.axes, number, levels[:number])


def _matching(image: Image, spec: LabelSpec) -> tuple[Level, ...]:
    """The image's levels, without the axes that labels lack, from the one that has the labels' shape."""
    levels = list(image.levels)
    for position in reversed([i for i, axis in enumerate(image.axes) if axis not in spec.axes]):
        levels = [level.without(position) for level in levels]
    for number, level in enumerate(levels):
        if level.shape == spec.shape:
            return tuple(levels[number:])
    shapes = ", ".join(str(level.shape) for level in levels)
    raise InvalidOption(
        f"labels of shape {spec.shape} do not belong to {image.source!r}, whose levels have {shapes} along "
        f"{spec.axes!r}; write a store of its own"
    )


def _distinct_paths(levels: tuple[Level, ...]) -> bool:
    """Whether levels can keep their paths: image formats other than OME-Zarr may name theirs in any way."""
    paths = [level.path for level in levels]
    parts = [part for path in paths for part in path.split("/")]
    nested = any(path.startswith(f"{other}/") for path in paths for other in paths)
    plain = all(part and not part.startswith((".", "__")) for part in parts)
    return plain and not nested and len(set(paths)) == len(paths)


def _open_aside(sink: OmeZarrSink, spec: LabelSpec, attributes: dict[str, Any]) -> None:
    """Make the folder that is filled, or use the one that an earlier run with the same checkpoint left."""
    aside = sink.aside
    if aside.exists():
        for stray in aside.rglob("*.partial"):  # zarr's own, of chunks that were being written at the kill
            stray.unlink()
        return
    unfinished = aside.with_name(aside.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    group = zarr.open_group(unfinished, mode="w", zarr_format=FORMATS[sink.version])
    for laid in sink.layout.levels:
        _create(group, laid, spec.axes, spec.dtype)
    group.attrs.put(attributes)
    unfinished.rename(aside)


def _create(group: zarr.Group, laid: LevelLayout, axes: str, dtype: np.dtype[Any]) -> None:
    parent, _, name = laid.level.path.rpartition("/")
    place = group.require_group(parent) if parent else group
    place.create_array(name, **_array(group.metadata.zarr_format, laid, axes, dtype))


def _array(zarr_format: int, laid: LevelLayout, axes: str, dtype: np.dtype[Any]) -> dict[str, Any]:
    """What zarr needs to know to make the array of a level."""
    options: dict[str, Any] = {"dimension_names": list(axes), "shards": laid.shards}
    if zarr_format == 2:
        options = {
            "chunk_key_encoding": {"name": "v2", "separator": "/"},
            "compressors": V2_COMPRESSOR,
        }
    return {"shape": laid.level.shape, "dtype": dtype, "chunks": laid.chunks, "fill_value": 0, **options}
