"""The attributes of a label image's group, built with the models of the OME-Zarr version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from yaozarrs import v04, v05

from tilewright.abc import Level
from tilewright.errors import InvalidOption

from .metadata import KINDS

__all__ = ["label_attributes", "list_attributes"]

# The units of 0.4 and 0.5 ("axes" metadata): of others a validator complains, so they are not written.
PREFIXES = (
    *("atto", "centi", "deci", "exa", "femto", "giga", "hecto", "kilo", "mega", "micro"),
    *("milli", "nano", "peta", "pico", "tera", "yocto", "yotta", "zepto", "zetta"),
)
LENGTHS = {"meter", "angstrom", "foot", "inch", "mile", "parsec", "yard", *(prefix + "meter" for prefix in PREFIXES)}
TIMES = {"second", "minute", "hour", "day", *(prefix + "second" for prefix in PREFIXES)}
SHORT = {
    "m": "meter",
    "mm": "millimeter",
    "µm": "micrometer",  # micro sign
    "μm": "micrometer",  # Greek mu
    "um": "micrometer",
    "micron": "micrometer",
    "nm": "nanometer",
    "pm": "picometer",
    "Å": "angstrom",
    "s": "second",
    "ms": "millisecond",
    "min": "minute",
    "h": "hour",
}
METHODS = {
    "nearest": "each coarse pixel has the label of one pixel of its block: the first, or the middle one where the "
    "levels' shapes have no integer factor",
    "mode": "each coarse pixel has the most frequent label of its block, the smallest of equally frequent ones",
}


def label_attributes(
    *,
    version: str,
    name: str,
    axes: str,
    units: Mapping[str, str],
    levels: Sequence[Level],
    method: str,
    source: str | None,
) -> dict[str, Any]:
    """The attributes of a label image.

    `source` is the image's path relative to the group. Neither colours nor properties are written: viewers make labels
    that are not listed there invisible, and a million of them do not belong into JSON. InvalidOption for axes that
    OME-Zarr cannot hold: it wants y and x, with t before and z.
    """
    models: Any = v04 if version == "0.4" else v05
    try:
        image = models.LabelImage(
            multiscales=[
                {
                    "name": name,
                    "axes": [_axis(axis, units.get(axis)) for axis in axes],
                    "datasets": [_dataset(level) for level in levels],
                    "type": method,
                    "metadata": {"description": METHODS[method]},
                }
            ],
            image_label={"version": version, **({"source": {"image": source}} if source else {})},
        )
    except ValidationError as error:
        raise InvalidOption(
            f"OME-Zarr {version} cannot hold labels with axes {axes!r}: {_first_fault(error)}; write another format"
        ) from error
    return _placed(version, _dump(image))


def list_attributes(version: str, names: Sequence[str], before: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a labels group that lists these names; what else it had before stays."""
    models: Any = v04 if version == "0.4" else v05
    listed = _dump(models.LabelsGroup(labels=list(names)))
    if version == "0.4":
        return {**before, **listed}
    return {**before, "ome": {**before.get("ome", {}), **listed}}


def _axis(name: str, unit: str | None) -> dict[str, str]:
    known = TIMES if name == "t" else LENGTHS
    full = SHORT.get(unit, unit) if unit else None
    return {"name": name, "type": KINDS[name], **({"unit": full} if full in known else {})}


def _dataset(level: Level) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"type": "scale", "scale": list(level.scale)}]
    if level.translation is not None:
        steps.append({"type": "translation", "translation": list(level.translation)})
    return {"path": level.path, "coordinateTransformations": steps}


def _dump(model: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = model.model_dump(exclude_none=True, by_alias=True, mode="json")
    return dumped


def _placed(version: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return attributes if version == "0.4" else {"ome": attributes}


def _first_fault(error: ValidationError) -> str:
    """Where the first fault is and what it is, in one line."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"] if not str(part).startswith("function-"))
    return f"{where or 'its top'}: {' '.join(fault['msg'].split())[:160]}"
