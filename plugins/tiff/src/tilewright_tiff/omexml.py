"""OME-XML: what an image's metadata says, and whether it may be believed."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import overload
from xml.etree import ElementTree

from tilewright.errors import InvalidImage

__all__ = [
    "AXES_KEY",
    "LENGTHS",
    "NAMESPACE",
    "PLANES",
    "TIMES",
    "OmeImage",
    "OmeImages",
    "as_seen_from",
    "files_of",
    "leads_out",
    "metadata_file",
    "parse",
    "text_of",
    "without_files",
    "without_planes",
]

# In micrometres (schema 2016-06, "UnitsLength"). `pixel` and `reference frame` are no lengths.
LENGTHS = {
    "km": 1e9,
    "m": 1e6,
    "dm": 1e5,
    "cm": 1e4,
    "mm": 1e3,
    "µm": 1.0,  # micro sign
    "μm": 1.0,  # Greek mu
    "um": 1.0,
    "nm": 1e-3,
    "pm": 1e-6,
    "Å": 1e-4,
    "in": 25_400.0,
    "thou": 25.4,
    "ft": 304_800.0,
    "pt": 25_400.0 / 72,
}
NAMESPACE = "tilewright"  # of the map annotation that holds what was run
AXES_KEY = "label axes"  # its entry for axes of length 1: OME-XML has a size for each axis, also for one that is absent
LARGEST, TAGS, DEPTH = 2**26, 2**21, 50  # characters, tags, and elements in each other of a document
PLANES = 2**22  # what a file may claim: tifffile keeps a list of all of them
# In seconds ("UnitsTime").
TIMES = {"d": 86_400.0, "h": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, kw_only=True)
class OmeImage:
    """One `Image`: its name, pixels along each of `XYZCT`, spacing in µm and s by lower-case axis, channel names.

    axes: those of the labels that this project's writer put into the file, if some have length 1; else empty.
    page: where its planes begin in the file that is read; None if they begin in another one.
    counted: how many planes follow each other in the file, if a single element says where all are; else 0.
    type, samples: the name of the pixels' type, and how many samples a pixel of a channel has.
    """

    name: str
    sizes: dict[str, int]
    spacing: dict[str, float] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    axes: str = ""
    page: int | None = None
    counted: int = 0
    type: str = ""
    samples: int = 1

    @property
    def planes(self) -> int:
        """How many planes of one sample it has."""
        return self.sizes["Z"] * self.sizes["C"] * self.sizes["T"]

    @property
    def counts(self) -> str:
        """That number in words."""
        return " × ".join(f"Size{axis} {self.sizes[axis]:,}" for axis in "ZCT")


def parse(text: str, where: str) -> ElementTree.Element | None:
    """The root of OME-XML; None if it is no XML at all.

    InvalidImage for a document type or entities, which OME-XML never has and attacks on XML parsers do, and for names
    of files outside the image's folder: metadata from elsewhere must not make a run read other files of this machine.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InvalidImage(f"the OME-XML of {where!r} defines a document type or entities; it is not opened")
    if len(text) > LARGEST or text.count("<") > TAGS:
        raise InvalidImage(
            f"the OME-XML of {where!r} has {len(text):,} characters and {text.count('<'):,} tags, but may have at most "
            f"{LARGEST:,} and {TAGS:,}; it is not opened"
        )
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return None
    _check_depth(root, where)
    for name in (*(name for _, name in files_of(root)), metadata_file(root) or ""):
        if leads_out(name):
            raise InvalidImage(f"the OME-XML of {where!r} leads out of its folder, to {name!r}; it is not opened")
    if (planes := _claimed(root)) > PLANES:
        raise InvalidImage(f"the OME-XML of {where!r} claims {planes:,} planes, more than {PLANES:,}; it is not opened")
    return root


def leads_out(name: str) -> bool:
    """Whether the name of a file leads out of the folder in which it is said."""
    return PurePath(name).is_absolute() or ".." in PurePath(name.replace("\\", "/")).parts or "\0" in name


class OmeImages(Sequence[OmeImage]):
    """What XML that `parse` has let through says of each image whose planes some file holds.

    Each is read when it is asked for, because there may be thousands. file: the name of the file that is read.
    """

    def __init__(self, root: ElementTree.Element, file: str) -> None:
        self._axes = root.findtext(
            f".//{{*}}MapAnnotation[@Namespace='{NAMESPACE}']/{{*}}Value/{{*}}M[@K='{AXES_KEY}']", ""
        )
        self._file = file
        found = ((image, image.find("{*}Pixels")) for image in root.findall("{*}Image"))
        self._found = [
            (i, pixels) for i, pixels in found if pixels is not None and pixels.find("{*}TiffData") is not None
        ]

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, number: int) -> OmeImage: ...
    @overload
    def __getitem__(self, number: slice) -> list[OmeImage]: ...
    def __getitem__(self, number: int | slice) -> OmeImage | list[OmeImage]:
        if isinstance(number, slice):
            return [_image(*each, self._axes, self._file) for each in self._found[number]]
        return _image(*self._found[number], self._axes, self._file)


def files_of(root: ElementTree.Element) -> list[tuple[str, str]]:
    """The files that hold the planes, each once, with a UUID.

    Elements are known by how their names end, as tifffile knows them: what it would open, this has to see.
    """
    uuids = ((uuid.text or "", uuid.attrib["FileName"]) for uuid in root.iter() if _names_a_file(uuid))
    return list(dict.fromkeys(uuids))


def _names_a_file(element: ElementTree.Element) -> bool:
    return element.tag.endswith("UUID") and "FileName" in element.attrib


def metadata_file(root: ElementTree.Element) -> str | None:
    """The file that holds the metadata, where this one says that it does not ("BinaryOnly")."""
    only = root.find("{*}BinaryOnly")
    return None if only is None else only.attrib.get("MetadataFile")


def without_files(root: ElementTree.Element) -> None:
    """Have the XML say that all planes are in the file that holds it."""
    for data in root.iter():
        if data.tag.endswith("TiffData"):
            data[:] = [child for child in data if not child.tag.endswith("UUID")]


def without_planes(root: ElementTree.Element, files: Collection[str]) -> None:
    """Leave out of the XML where the planes of some files are; how many there are stays."""
    for pixels in root.iter() if files else ():
        if pixels.tag.endswith("Pixels"):
            pixels[:] = [child for child in pixels if not any(each.get("FileName") in files for each in child)]


def as_seen_from(root: ElementTree.Element, folder: PurePath) -> None:
    """Have the XML name files as they are called from a folder beside it, whose files tifffile is given."""
    for uuid in filter(_names_a_file, root.iter()):
        uuid.set("FileName", os.path.relpath(uuid.attrib["FileName"], folder))


def text_of(root: ElementTree.Element) -> str:
    return ElementTree.tostring(root, encoding="unicode")


def _check_depth(root: ElementTree.Element, where: str) -> None:
    inside, depth = [root], 0
    while inside:
        depth += 1
        if depth > DEPTH:
            raise InvalidImage(
                f"the OME-XML of {where!r} has more than {DEPTH} elements in each other; it is not opened"
            )
        inside = [child for element in inside for child in element]


def _claimed(root: ElementTree.Element) -> int:
    """How many planes the XML would have listed: of all images, or for a single element that says where some are."""
    images, single = 0, 0
    for element in root.iter():
        said = element.attrib
        if element.tag.endswith("Pixels"):
            images += math.prod(_whole(said.get(f"Size{axis}")) for axis in "ZCT")
        elif element.tag.endswith("TiffData"):
            single = max(single, _whole(said.get("PlaneCount")), _whole(said.get("NumPlanes")))
        elif element.tag[:-1].endswith("Along"):
            start, end, step = (_float(said.get(name)) for name in ("Start", "End", "Step"))
            single = max(single, int(min(abs(end - start) / (abs(step) or 1.0), 2.0**62)))
    return max(images, single)


def _image(image: ElementTree.Element, pixels: ElementTree.Element, axes: str, file: str) -> OmeImage:
    said = pixels.attrib
    lengths = {axis: _physical(said, f"PhysicalSize{axis.upper()}", "µm", LENGTHS) for axis in "zyx"}
    lengths["t"] = _physical(said, "TimeIncrement", "s", TIMES)
    return OmeImage(
        name=image.attrib.get("Name", "").strip(),
        sizes={axis: _whole(said.get(f"Size{axis}")) for axis in "XYZCT"},
        spacing={axis: size for axis, size in lengths.items() if size is not None},
        channels=tuple(channel.attrib.get("Name", "").strip() for channel in pixels.findall("{*}Channel")),
        axes=axes,
        page=_first_page(pixels, file),
        counted=_counted(pixels),
        type=said.get("Type", ""),
        samples=next((_whole(each.attrib.get("SamplesPerPixel")) or 1 for each in pixels.iterfind("{*}Channel")), 1),
    )


def _first_page(pixels: ElementTree.Element, file: str) -> int | None:
    data = pixels.find("{*}TiffData")
    assert data is not None
    uuid = data.find("{*}UUID")
    here = uuid is None or uuid.attrib.get("FileName", file) == file
    return _whole(data.attrib.get("IFD")) if here else None


def _counted(pixels: ElementTree.Element) -> int:
    places = pixels.findall("{*}TiffData")
    return _whole(places[0].attrib.get("PlaneCount")) if len(places) == 1 else 0


def _physical(said: dict[str, str], name: str, default: str, units: dict[str, float]) -> float | None:
    """A size in our unit; None if it is missing, no positive number, or in no unit of that kind."""
    factor = units.get(said.get(f"{name}Unit", default).strip())
    size = _float(said.get(name))
    return size * factor if factor and size > 0 else None


def _float(text: str | None) -> float:
    """The number that a text is; 0 for none, and for one that is not finite."""
    try:
        number = float(text or 0)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def _whole(text: str | None) -> int:
    """The number that a text is, as Python reads it, which tifffile does too; 0 for none, and for one below 0."""
    try:
        return max(0, int(text or 0))
    except ValueError:
        return 0
