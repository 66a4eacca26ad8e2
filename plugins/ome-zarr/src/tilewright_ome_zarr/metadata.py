"""OME-Zarr metadata of one group: its version, its multiscale image and its channel names (0.4 and 0.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import zarr

from tilewright.abc import AXES
from tilewright.errors import InvalidImage, InvalidOption

from .store import one_line

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["KINDS", "Dataset", "Multiscale", "Ome", "first_fault", "read_ome"]

KINDS = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
VERSIONS = ("0.4", "0.5")
LEVELS = 100  # each is an array that has to be opened, and a pyramid of 64 levels has a base of 2**64 pixels


@dataclass(frozen=True, kw_only=True)
class Ome:
    """The OME metadata of a group: the spec's version and its mapping, whichever place that version keeps it in."""

    version: str
    attributes: Mapping[str, Any]
    where: str

    @property
    def models(self) -> Any:
        """The models of this version; a plain array does not wait for them to be imported."""
        from yaozarrs import v04, v05

        return v04 if self.version == "0.4" else v05

    def parse(self, model: str, value: Any) -> Any:
        """A value as a model of this version. InvalidImage names the first thing that is wrong with it."""
        from pydantic import ValidationError

        try:
            return getattr(self.models, model).model_validate(value)
        except ValidationError as error:
            raise InvalidImage(
                f"the OME-Zarr {self.version} metadata of {self.where!r} is invalid at {first_fault(error)}; repair it"
            ) from error


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One level as metadata has it: scale and translation composed with those of the whole multiscale."""

    path: str
    scale: tuple[float, ...]
    translation: tuple[float, ...] | None


@dataclass(frozen=True, kw_only=True)
class Multiscale:
    """A multiscale image of a group.

    several: the names of all multiscale images of the group, if there is more than one.
    """

    name: str
    axes: str
    units: Mapping[str, str]
    datasets: tuple[Dataset, ...]
    channels: tuple[str | None, ...]
    several: tuple[str, ...] = ()


def read_ome(group: zarr.Group, where: str) -> Ome | None:
    """The OME metadata of a group; None if it has none. InvalidImage for a version other than 0.4 and 0.5.

    Zarr v3 keeps it under the attribute `ome`, with its version (0.5, "OME-Zarr Metadata"); zarr v2 keeps it among the
    attributes, with a version in each part (0.4), which many files leave out.
    """
    attributes = dict(group.attrs)
    if group.metadata.zarr_format == 2:
        version = str(_version_of_parts(attributes))
        _check_version(version, where)
        return Ome(version=version, attributes=attributes, where=where) if attributes else None
    ome = attributes.get("ome")
    if ome is None:
        return None
    if not isinstance(ome, Mapping):
        raise InvalidImage(f"the attribute 'ome' of {where!r} is {type(ome).__name__}, not a mapping; repair it")
    version = str(ome.get("version", "0.5"))
    _check_version(version, where)
    return Ome(version=version, attributes=ome, where=where)


def _version_of_parts(attributes: Mapping[str, Any]) -> Any:
    parts = [attributes.get(key) for key in ("multiscales", "plate", "well", "image-label")]
    for part in parts:
        first = part[0] if isinstance(part, list) and part else part
        if isinstance(first, Mapping) and first.get("version"):
            return first["version"]
    return "0.4"


def _check_version(version: str, where: str) -> None:
    if version not in VERSIONS:
        raise InvalidImage(
            f"{where!r} is OME-Zarr {version}, but versions {' and '.join(VERSIONS)} are read; convert it to 0.5"
        )


def read_multiscale(ome: Ome, number: int = 0) -> Multiscale:
    """A multiscale of an image group's metadata, 0 the first.

    Units and paths are taken as they are, also those that the spec does not recommend. InvalidImage for an axis other
    than t c z y x; InvalidOption for a number that the group does not have.
    """
    listed = ome.attributes.get("multiscales")
    if not (isinstance(listed, list) and listed):
        raise InvalidImage(f"'multiscales' of {ome.where!r} is not a list of mappings; repair it")
    if not 0 <= number < len(listed):
        raise InvalidOption(f"multiscale {number} does not exist; {ome.where!r} has 0 to {len(listed) - 1}")
    raw = listed[number]
    if not isinstance(raw, Mapping):
        raise InvalidImage(f"'multiscales' of {ome.where!r} is not a list of mappings; repair it")
    if isinstance(levels := raw.get("datasets"), list) and len(levels) > LEVELS:
        raise InvalidImage(f"{ome.where!r} lists {len(levels):,} levels, more than {LEVELS}; repair its metadata")
    found = ome.parse("Multiscale", {**raw, **_judged_axes(raw), **_judged_datasets(raw)})
    axes = [axis.name for axis in found.axes]
    if not set(axes) <= set(AXES):
        raise InvalidImage(
            f"{ome.where!r} has axes {', '.join(axes)}, but only t c z y x can be read; repair its metadata"
        )
    return Multiscale(
        name=found.name or "",
        axes="".join(axes),
        units=_units(raw["axes"]),
        datasets=tuple(
            _dataset(entry["path"], parsed.coordinateTransformations, found.coordinateTransformations or ())
            for entry, parsed in zip(raw["datasets"], found.datasets, strict=True)
        ),
        channels=_channels(ome.attributes.get("omero")),
        several=tuple(map(_name, listed)) if len(listed) > 1 else (),
    )


def _name(raw: Any) -> str:
    return one_line(raw.get("name") or "") if isinstance(raw, Mapping) else ""


def _judged_axes(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The axes as they are put to the models: without units, and with the types that their names imply.

    The models warn of a unit like 'um', and files without types exist; neither is a reason to say anything here.
    """
    axes = raw.get("axes")
    if not isinstance(axes, list):
        return {}
    return {
        "axes": [
            {"type": KINDS.get(str(a.get("name"))), **{key: value for key, value in a.items() if key != "unit"}}
            if isinstance(a, Mapping)
            else a
            for a in axes
        ]
    }


def _judged_datasets(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The datasets as they are put to the models, which warn of a path with a space: each with its number for one.

    Where paths lead is judged when they are opened.
    """
    datasets = raw.get("datasets")
    if not isinstance(datasets, list):
        return {}
    return {
        "datasets": [
            {**d, "path": str(number)} if isinstance(d, Mapping) and isinstance(d.get("path"), str) else d
            for number, d in enumerate(datasets)
        ]
    }


def _units(axes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    units = {axis["name"]: axis.get("unit") for axis in axes if axis["name"] != "c"}
    return {axis: unit for axis, unit in units.items() if isinstance(unit, str) and unit}


def _dataset(path: str, own: Sequence[Any], whole: Sequence[Any]) -> Dataset:
    scale, translation = _transform(own)
    outer, shift = _transform(whole)
    if outer is not None:
        scale = [a * b for a, b in zip(scale or outer, outer, strict=True)]
        translation = None if translation is None else [a * b for a, b in zip(translation, outer, strict=True)]
    if shift is not None:
        translation = [a + b for a, b in zip(translation or [0.0] * len(shift), shift, strict=True)]
    return Dataset(
        path=path,
        scale=tuple(scale or ()),
        translation=None if translation is None else tuple(translation),
    )


def _transform(steps: Sequence[Any]) -> tuple[list[float] | None, list[float] | None]:
    scale = next((step.scale for step in steps if step.type == "scale"), None)
    return scale, next((step.translation for step in steps if step.type == "translation"), None)


def _channels(omero: Any) -> tuple[str | None, ...]:
    """The channels' labels. Many files lack what the model asks for (window, colour), so this looks at labels alone."""
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    if not isinstance(channels, list):
        return ()
    labels = (channel.get("label") if isinstance(channel, Mapping) else None for channel in channels)
    return tuple(label if isinstance(label, str) and label else None for label in labels)


def first_fault(error: ValidationError) -> str:
    """Where the first fault is and what it is, in one line."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"] if not str(part).startswith("function-"))
    return f"{where or 'its top'}: {' '.join(fault['msg'].split())[:160]}"
