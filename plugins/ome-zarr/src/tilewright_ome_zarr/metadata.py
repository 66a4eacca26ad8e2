"""OME-Zarr metadata of one group: its version, its multiscale images and its channel names (0.1 to 0.6).

What the versions keep in different ways is read wherever it is: files of one version with a part of another exist.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import zarr

from tilewright.abc import AXES
from tilewright.errors import InvalidImage, InvalidOption

from .store import one_line

__all__ = ["KINDS", "Dataset", "Multiscale", "Ome", "composed", "read_multiscale", "read_ome", "steps"]

KINDS = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
PARTS = {
    *("multiscales", "plate", "well", "labels", "image-label", "series", "bioformats2raw.layout", "scene"),
    "spatialdata_attrs",
}
READ = ("identity", "scale", "translation")  # kinds of transformations
LEVELS = 100  # each is an array that has to be opened, and a pyramid of 64 levels has a base of 2**64 pixels
KNOWN = re.compile(r"v?0\.[1-6](?!\d)")  # whatever follows: 0.5.2, 0.6rc0, 0.4-dev-spatialdata


@dataclass(frozen=True, kw_only=True)
class Ome:
    """The OME metadata of a group: the version that it states, and its mapping, wherever in the group it is kept."""

    version: str
    attributes: Mapping[str, Any]
    where: str

    def fault(self, place: str, problem: str) -> InvalidImage:
        """The error for metadata that contradicts itself."""
        return InvalidImage(
            f"the OME-Zarr {self.version} metadata of {self.where!r} is invalid at {place}: {problem}; repair it"
        )


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One level as metadata has it: its transformations composed with those of the whole multiscale.

    scale, translation: None where the metadata states none.
    """

    path: str
    scale: tuple[float, ...] | None
    translation: tuple[float, ...] | None


@dataclass(frozen=True, kw_only=True)
class Multiscale:
    """A multiscale image of a group.

    axes: empty if the metadata names none, as in 0.1 and 0.2.
    several: the names of all multiscale images of the group, if there is more than one.
    """

    name: str
    axes: str
    units: Mapping[str, str]
    datasets: tuple[Dataset, ...]
    channels: tuple[str | None, ...]
    several: tuple[str, ...] = ()


def read_ome(group: zarr.Group, where: str) -> Ome | None:
    """The OME metadata of a group; None if it has none. InvalidImage for a version that is not read.

    Zarr v3 keeps it under the attribute `ome`, with its version (0.5, "OME-Zarr Metadata"); zarr v2 keeps it among the
    attributes, with a version in each part (0.4), which many files leave out. Each is looked for in the other's place
    too.
    """
    attributes = dict(group.attrs)
    nested = attributes.get("ome")
    is_v2 = group.metadata.zarr_format == 2
    if nested is not None and not isinstance(nested, Mapping) and not is_v2:
        raise InvalidImage(f"the attribute 'ome' of {where!r} is {type(nested).__name__}, not a mapping; repair it")
    places = [attributes, nested] if is_v2 else [nested, attributes]
    found = next((place for place in places if isinstance(place, Mapping) and PARTS & place.keys()), None)
    if found is None:
        return None
    version = str(found.get("version") or _version_of_parts(found) or ("0.4" if is_v2 else "0.5"))
    if not KNOWN.match(version):
        raise InvalidImage(
            f"{where!r} is OME-Zarr {one_line(version)}, but versions 0.1 to 0.6 are read; convert it to 0.5"
        )
    return Ome(version=version, attributes=found, where=where)


def _version_of_parts(attributes: Mapping[str, Any]) -> Any:
    for key in ("multiscales", "plate", "well", "image-label"):
        part = attributes.get(key)
        first = part[0] if isinstance(part, list) and part else part
        if isinstance(first, Mapping) and first.get("version"):
            return first["version"]
    return None


def read_multiscale(ome: Ome, number: int = 0) -> Multiscale:
    """A multiscale of an image group's metadata, 0 the first.

    Units and paths are taken as they are, also those that the spec does not recommend, and transformations that are
    missing or empty as unknown. InvalidImage for an axis other than t c z y x and for a transformation other than
    scale, translation and identity; InvalidOption for a number that the group does not have.
    """
    listed = ome.attributes.get("multiscales")
    if not (isinstance(listed, list) and listed):
        raise InvalidImage(f"'multiscales' of {ome.where!r} is not a list of mappings; repair it")
    if not 0 <= number < len(listed):
        raise InvalidOption(f"multiscale {number} does not exist; {ome.where!r} has 0 to {len(listed) - 1}")
    raw = listed[number]
    if not isinstance(raw, Mapping):
        raise InvalidImage(f"'multiscales' of {ome.where!r} is not a list of mappings; repair it")
    axes = _axes(ome, raw)
    return Multiscale(
        name=raw["name"] if isinstance(raw.get("name"), str) else "",
        axes="".join(axes),
        units={axis: unit for axis, unit in axes.items() if unit and axis != "c"},
        datasets=tuple(_datasets(ome, raw, len(axes))),
        channels=_channels(ome.attributes.get("omero")),
        several=tuple(map(_name, listed)) if len(listed) > 1 else (),
    )


def _name(raw: Any) -> str:
    return one_line(raw.get("name") or "") if isinstance(raw, Mapping) else ""


def _axes(ome: Ome, raw: Mapping[str, Any]) -> dict[str, str]:
    """The axes with their units, "" for none; empty where no axes are named. 0.3 has names alone."""
    axes = _system(ome, raw).get("axes")
    if axes is None:
        return {}
    entries = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in axes] if isinstance(axes, list) else []
    names = [entry.get("name") for entry in entries]
    if not names or not all(isinstance(name, str) for name in names):
        raise ome.fault("axes", "it is not a list of axes with names")
    if not set(names) <= set(AXES) or len(set(names)) < len(names):
        listed = one_line(", ".join(map(str, names)))
        raise InvalidImage(
            f"{ome.where!r} has axes {listed}, but only t c z y x can be read, each once; repair its metadata"
        )
    units = [entry.get("unit") for entry in entries]
    return {str(name): unit if isinstance(unit, str) else "" for name, unit in zip(names, units, strict=True)}


def _system(ome: Ome, raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """What has the axes: the multiscale itself, or the coordinate system that its datasets lie in (0.6)."""
    systems = raw.get("coordinateSystems")
    if systems is None:
        return raw
    named = [each for each in systems if isinstance(each, Mapping)] if isinstance(systems, list) else []
    if not named:
        raise ome.fault("coordinateSystems", "it is not a list of mappings")
    outputs = {
        _name_of(step.get("output"))
        for dataset in _mappings(raw.get("datasets"))
        for step in _mappings(dataset.get("coordinateTransformations"))
    }
    return next((each for each in named if each.get("name") in outputs), named[0])


def _name_of(system: Any) -> Any:
    """A coordinate system's name where a transformation refers to it: a text, or a mapping with its name."""
    name = system.get("name") if isinstance(system, Mapping) else system
    return name if isinstance(name, str) else None


def _datasets(ome: Ome, raw: Mapping[str, Any], count: int) -> Iterator[Dataset]:
    datasets = raw.get("datasets")
    if not isinstance(datasets, list) or not datasets:
        raise ome.fault("datasets", "it is not a list of levels")
    if len(datasets) > LEVELS:
        raise InvalidImage(f"{ome.where!r} lists {len(datasets):,} levels, more than {LEVELS}; repair its metadata")
    # Those of the whole multiscale come last; in 0.6 they lead to other coordinate systems than that of the axes.
    whole = [] if "coordinateSystems" in raw else steps(ome, _in_one_system(raw), "coordinateTransformations")
    for number, dataset in enumerate(datasets):
        if not isinstance(dataset, Mapping) or not isinstance(dataset.get("path"), str):
            raise ome.fault(f"datasets.{number}.path", "it is not a text")
        place = f"datasets.{number}.coordinateTransformations"
        scale, translation = composed(ome, place, [*steps(ome, dataset, place), *whole], count)
        yield Dataset(path=dataset["path"], scale=scale, translation=translation)


def _in_one_system(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """A multiscale with its first transformation that is read and changes anything, if each leads to its own system.

    SpatialData lists one for each coordinate system, all from the pixels; one may be affine, and another a scale.
    """
    listed = _mappings(raw.get("coordinateTransformations"))
    if len({str(_name_of(step.get("output"))) for step in listed if step.get("output")}) < 2:
        return raw
    known = [step for step in listed if all(each.get("type") in READ for each in _parts(step))] or listed
    chosen = [step for step in known if step.get("type") != "identity"] or known
    return {"coordinateTransformations": chosen[:1]}


def steps(ome: Ome, owner: Mapping[str, Any], place: str) -> list[Mapping[str, Any]]:
    """The transformations in their order, those of a sequence (0.6) one by one; none where there are none."""
    listed = owner.get("coordinateTransformations")
    found = [part for step in _mappings(listed) for part in _parts(step)]
    if listed and not found:
        raise ome.fault(place, "it is not a list of transformations")
    return found


def _parts(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A transformation, or those of a sequence."""
    return _mappings(step.get("transformations")) if step.get("type") == "sequence" else [step]


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings of a list, or the one that stands in place of a list."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, Mapping)]


def composed(
    ome: Ome, place: str, steps: list[Mapping[str, Any]], count: int
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Scale and translation of transformations that are done one after the other; None for what none of them sets."""
    scale: list[float] | None = None
    translation: list[float] | None = None
    for step in steps:
        kind = step.get("type")
        if kind == "identity":
            continue
        if kind not in READ:
            raise ome.fault(place, f"transformation {one_line(kind)!r} is not read, only scale, translation, identity")
        numbers = _numbers(ome, f"{place}.{kind}", step.get(kind), count)
        count = len(numbers)
        if kind == "translation":
            translation = [a + b for a, b in zip(translation or [0.0] * count, numbers, strict=True)]
            continue
        scale = [a * b for a, b in zip(scale or [1.0] * count, numbers, strict=True)]
        translation = translation and [a * b for a, b in zip(translation, numbers, strict=True)]
    return tuple(scale) if scale else None, tuple(translation) if translation else None


def _numbers(ome: Ome, place: str, value: Any, count: int) -> list[float]:
    """The numbers of a transformation, one for each axis; `count` is 0 where the number of axes is not known."""
    if not isinstance(value, list) or not value or not all(_is_number(each) for each in value):
        raise ome.fault(place, "it is not a list of numbers in the metadata itself")
    if count and len(value) != count:
        raise ome.fault(place, f"its length {len(value)} does not match the number of axes, {count}")
    return [float(each) for each in value]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _channels(omero: Any) -> tuple[str | None, ...]:
    """The channels' labels. Many files lack what the spec asks for (window, colour), so this looks at labels alone."""
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    if not isinstance(channels, list):
        return ()
    labels = (channel.get("label") if isinstance(channel, Mapping) else None for channel in channels)
    return tuple(label if isinstance(label, str) and label else None for label in labels)
