"""Label images in buckets, where nothing can be renamed: each version has objects of its own, named by the metadata."""

from __future__ import annotations

import datetime
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import zarr
from numpy.typing import NDArray
from zarr.errors import ContainsArrayError

from tilewright.abc import Array, LabelSpec, Level, Location, Objects, Region, location_objects, remote, updated
from tilewright.errors import AlreadyExists

from .attributes import list_attributes
from .registration import FORMATS
from .sink import PyramidSink
from .store import AnyArray, open_node

__all__ = ["BucketSink", "check_earlier", "is_there", "name_of_run", "of_run"]

NAME = "version.txt"  # in the run's own folder
NODE = ("zarr.json", ".zattrs", ".zarray", ".zgroup")
CONSOLIDATED = ".zmetadata"
REPLACED = "replaced"  # in the attribute `tilewright`: when versions were replaced, by their names
GAP = 2  # folders without metadata that may lie between a node and the group above it
DELETED = 1000  # objects at a time


@dataclass(frozen=True, kw_only=True)
class BucketSink(PyramidSink):
    """A label image in a bucket.

    path: its group. run: what the names of this run's arrays begin with. attributes: of the group.
    arrays: what zarr needs to know to make the array of each level. keep_old: seconds for which versions that were
        replaced stay.
    image: whether it belongs to an image, which lists it.
    """

    path: Location
    run: str
    attributes: Mapping[str, Any]
    arrays: tuple[Mapping[str, Any], ...]
    keep_old: float
    image: bool

    def write(self, region: Region, labels: NDArray[Any]) -> None:
        """Fill a region, as in a folder. NotWritable in one line for what the store says."""
        with remote(self.path, "written"):
            super().write(region, labels)

    def finish(self, provenance: Mapping[str, Any]) -> None:
        """Build the levels that are left, and name them in the group's metadata: one write, which readers see or not.

        Then the label image is listed, consolidated metadata above it follows, and versions that were replaced long ago
        are removed, with what runs left that were never resumed.
        """
        with remote(self.path, "written"):
            self._build_rest()
            objects, place = location_objects(self.path)
            kept = self._commit(objects, place, provenance)
            if self.image:
                self._list(objects, place.rpartition("/")[0], place.rpartition("/")[2])
            for group in _groups_above(objects, place):
                self._consolidate(objects, group, place)
            _delete(objects, (key for key in objects.below(place) if _version_of(key, place) not in kept))

    def read(self) -> Array:
        """The finest level."""
        store, place = self.path.joined(self.layout.levels[0].level.path).opened()
        return cast("Array", zarr.open_array(store, path=place, mode="r"))

    @cached_property
    def _arrays(self) -> tuple[AnyArray, ...]:
        with remote(self.path, "written"):
            return tuple(map(self._array, range(len(self.arrays))))

    def _array(self, number: int) -> AnyArray:
        """The array of a level, which is made if no earlier run and no other worker has made it."""
        store = self.path.joined(self.layout.levels[number].level.path).rooted()
        with suppress(ContainsArrayError):
            zarr.create_array(store, zarr_format=FORMATS[self.version], **self.arrays[number])
        return zarr.open_array(store, mode="r+")

    def _commit(self, objects: Objects, place: str, provenance: Mapping[str, Any]) -> set[str]:
        """Write the group's metadata; the versions that stay are this run's, and those that were replaced lately."""
        now = datetime.datetime.now(datetime.UTC)
        since = (now - datetime.timedelta(seconds=self.keep_old)).isoformat()
        kept = {"", self.run}

        def change(old: bytes | None) -> bytes:
            replaced = _replaced(_attributes(old), now.isoformat())
            lately = {name: time for name, time in replaced.items() if time > since and name != self.run}
            kept.update(lately)
            own = {**provenance, **({REPLACED: lately} if lately else {})}
            return self._document({**self.attributes, "tilewright": own})

        self._put(objects, place, change)
        return kept

    def _list(self, objects: Objects, labels: str, name: str) -> None:
        """List the label image in the labels group of its image."""

        def change(old: bytes | None) -> bytes | None:
            attributes = _attributes(old)
            names = attributes.get("ome", attributes).get("labels", [])
            if name in names:
                return None
            return self._document(list_attributes(self.version, (*names, name), attributes))

        self._put(objects, labels, change)

    def _put(self, objects: Objects, group: str, change: Callable[[bytes | None], bytes | None]) -> None:
        """Change the attributes of a group, which is made if it is not there."""
        if self.version == "0.4":
            updated(objects, _join(group, ".zgroup"), lambda old: old or b'{"zarr_format": 2}')
        updated(objects, _join(group, ".zattrs" if self.version == "0.4" else "zarr.json"), change)

    def _document(self, attributes: Mapping[str, Any]) -> bytes:
        """What holds the attributes of a group: all of `.zattrs`, a part of `zarr.json`."""
        group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        return json.dumps(attributes if self.version == "0.4" else group, indent=1).encode()

    def _consolidate(self, objects: Objects, group: str, place: str) -> None:
        """Bring the consolidated metadata of a group above, if it has some, to what lies at the labels.

        It is changed and not made anew, so that no reader finds it missing, and other labels' writers lose nothing.
        """
        below, old_format = place[len(group) :].strip("/"), self.version == "0.4"
        nodes = [below, *(f"{below}/{laid.level.path}" for laid in self.layout.levels)]
        nodes += [below.rpartition("/")[0]] if self.image and "/" in below else []
        found = {(node, name): objects.read(_join(group, node, name)) for node in nodes for name in NODE}
        documents = {
            f"{node}/{name}" if old_format else node: json.loads(each[0])
            for (node, name), each in found.items()
            if each is not None
        }

        def change(old: bytes | None) -> bytes | None:
            document = json.loads(old) if old else {}
            holder = document if old_format else document.get("consolidated_metadata")
            if not holder:
                return None
            others = {key: value for key, value in holder["metadata"].items() if not f"{key}/".startswith(f"{below}/")}
            holder["metadata"] = others | documents
            return json.dumps(document).encode()

        updated(objects, _join(group, CONSOLIDATED if old_format else "zarr.json"), change)


def name_of_run(spec: LabelSpec) -> str:
    """What the names of a run's arrays begin with; a run that resumes has the same."""
    file = spec.workdir / NAME
    if not file.exists():
        file.write_text(f"v{datetime.datetime.now(datetime.UTC):%Y%m%d}-{secrets.token_hex(4)}", encoding="utf-8")
    return file.read_text(encoding="utf-8")


def of_run(levels: tuple[Level, ...], run: str) -> tuple[Level, ...]:
    """The levels with paths of a run's own. They have no folder in common, because some libraries look for none."""
    return tuple(replace(level, path=f"{run}.{number}") for number, level in enumerate(levels))


def is_there(where: Location) -> bool:
    """Whether a zarr node is at a location."""
    with remote(where):
        objects, place = location_objects(where)
        return _is_node(objects, place)


def check_earlier(where: Location) -> None:
    """AlreadyExists for a zarr node that is not a label image: replacing it would remove an image."""
    if not is_there(where):
        return
    attributes = dict(open_node(where).attrs)
    ome = attributes.get("ome", attributes)
    if not isinstance(ome, Mapping) or "image-label" not in ome:
        raise AlreadyExists(f"{where} exists and is not a label image, so it is not replaced; write elsewhere")


def _is_node(objects: Objects, place: str) -> bool:
    return any(objects.read(_join(place, name)) is not None for name in NODE)


def _groups_above(objects: Objects, place: str) -> Iterator[str]:
    """The groups that a node lies in, the innermost first, up to the root of its hierarchy."""
    gap = 0
    while place and gap <= GAP:
        place = place.rpartition("/")[0]
        gap = 0 if _is_node(objects, place) else gap + 1
        if not gap:
            yield place


def _join(*parts: str) -> str:
    return "/".join(filter(None, parts))


def _attributes(document: bytes | None) -> dict[str, Any]:
    """The attributes in what holds those of a group; none if it is not there."""
    found: dict[str, Any] = json.loads(document) if document else {}
    return found.get("attributes", {}) if "node_type" in found else found


def _replaced(attributes: Mapping[str, Any], now: str) -> dict[str, str]:
    """When versions of a label image were replaced, by what their arrays' names begin with: the latest one is now."""
    earlier = attributes.get("tilewright", {}).get(REPLACED, {})
    levels = attributes.get("ome", attributes).get("multiscales", [{}])[0].get("datasets", [])
    return {**earlier, **dict.fromkeys((_version_of(each["path"], "") for each in levels), now)}


def _version_of(key: str, place: str) -> str:
    """What the name of the array begins with to which an object of a label image belongs; empty for its metadata."""
    name = key.removeprefix(f"{place}/").split("/")[0]
    return "" if name in (*NODE, CONSOLIDATED) else name.split(".")[0]


def _delete(objects: Objects, keys: Iterator[str]) -> None:
    some: list[str] = []
    for key in keys:
        some.append(key)
        if len(some) == DELETED:
            objects.delete(some)
            some = []
    objects.delete(some)
