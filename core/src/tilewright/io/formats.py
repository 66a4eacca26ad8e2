"""Choosing the reader, writer or table format of a path: by name, by suffix, by the first bytes, by priority."""

from __future__ import annotations

import glob
import stat
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..abc.traits import ReaderTraits
from ..components.blame import blamed, definition, whose
from ..components.discovery import Component
from ..components.isolation import contained, describe
from ..components.registry import registry
from ..components.resolve import component
from ..components.specs import FormatSpec
from ..errors import InvalidOption, NotReadable, UnknownComponent
from ..image import Image
from ..run_options import checked_storage
from ..storage.disk import KINDS
from ..storage.location import Location

__all__ = [
    "choose_reader",
    "choose_table",
    "choose_writer",
    "image_in",
    "is_pattern",
    "open_image",
    "open_levels",
    "read",
    "suffix_of",
]

SNIFFED = 4096  # bytes


def open_image(
    path: str | Path, *, reader: Any = None, storage: Mapping[str, Any] | None = None, level: int | None = None
) -> Image:
    """Open an image lazily, with the reader given (a name, instance, function or mapping) or the one that fits.

    storage: how a bucket is opened, as in `RunOptions`. level: the resolution, 0 the finest, of a reader that takes it.

    NotReadable if nothing is at the path or no installed reader reads it; UnknownComponent if two readers would.
    """
    place, image = image_in(Location.of(path, checked_storage(storage or {})))
    opener = component("reader", reader) if reader is not None else choose_reader(place)
    return read(ReaderTraits.with_options(opener, image=image, level=level), place)


def open_levels(path: str | Path, *, reader: Any = None, storage: Mapping[str, Any] | None = None) -> tuple[Image, ...]:
    """An image as `open_image` opens it, and at all coarser resolutions, the finest first."""
    finest = open_image(path, reader=reader, storage=storage)
    first = reader.get("configuration", {}).get("level", 0) if isinstance(reader, Mapping) else 0
    numbers = range(first + 1, first + len(finest.levels))
    return (finest, *(open_image(path, reader=reader, storage=storage, level=n) for n in numbers))


def image_in(path: Location) -> tuple[Location, str | None]:
    """A place and the image that is chosen in it: `slide.zarr#images/overview` is the reader's option `image`.

    A `#` in the name of a file that exists is part of the name.
    """
    ends = [at for at, letter in enumerate(path[:-1]) if letter == "#"]
    if path.local is None:
        ends = ends[:1]
    else:
        ends = [] if path.local.exists() else [at for at in ends if Path(path[:at]).exists()]
    return (path.at(path[: ends[0]]), path[ends[0] + 1 :]) if ends else (path, None)


def read(reader: Callable[[str], Image], path: Location) -> Image:
    """The image that a reader opens. InvalidOption if it returns something else.

    NotReadable for a pipe or a device, which no reader is to wait for.
    """
    if path.local is not None and path.local.exists():
        _check_kind(path.local)
    with blamed("reader", reader, f"opening {path!r}", NotReadable):
        image: object = reader(path)
    if not isinstance(image, Image):
        raise InvalidOption(
            f"{whose('reader', reader)} must return an Image, not {type(image).__name__} (for {path!r})"
        )
    return image


def _check_kind(path: Path) -> None:
    """NotReadable for what is there but is neither a file nor a folder: a pipe or a device may be read for ever."""
    kind = stat.S_IFMT(path.stat().st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        raise NotReadable(f"{str(path)!r} is {KINDS.get(kind, 'a special file')}, not a file; give a file or a folder")


def choose_reader(path: Location) -> Callable[[str], Image]:
    """The reader that fits a path.

    These are the readers that claim the longest matching suffix, without those whose `sniff` returns False. If none is
    left, the next longest suffix is taken, and last any reader whose `sniff` returns True. Of several the highest
    priority wins; UnknownComponent, which names them, if two have it. Of a pattern that matches files, such as
    `scan/*.tif`, no bytes are looked at.
    """
    file = None if path.local is None or is_pattern(path) else path.local
    if file is not None and not file.exists():
        raise NotReadable(f"{path!r} does not exist; check the path")
    if file is not None:
        _check_kind(file)
    first = b"" if file is None else _first_bytes(file)
    known = registry().components("reader")
    groups = _by_suffix(known, path)
    claims = ([c for c in group if _sniff(c, path, first, default=True)] for group in groups)
    found = next(filter(None, claims), []) or [c for c in known if _sniff(c, path, first, default=False)]
    if not found and groups:
        raise NotReadable(
            f"no installed reader reads {path!r}: it has the suffix of {groups[0][0].spec.name!r}, but other content; "
            "copy or export it again, or name another reader (--reader)"
        )
    if not found:
        names = ", ".join(f"{c.spec.name} ({' '.join(_format(c).suffixes)})" for c in known) or "none"
        raise NotReadable(
            f"no installed reader reads {path!r}; installed readers: {names}. "
            "Install the plugin for its format, or name a reader (--reader)"
        )
    return component("reader", _preferred(found, path).spec.name)


def choose_writer(path: str, *, of_source: bool = False) -> Callable[..., Any]:
    """The writer that claims the longest suffix of a path, or of a folder that it lies in (labels within a store).

    of_source: whether the path is that of an image that is there, such as the source where no output was given. If no
        writer claims its suffix, one is taken whose `sniff` returns True.
    """
    known = registry().components("writer")
    found = _claiming(known, path)
    file = Location.of(path).local if of_source and not found else None
    if file is not None and file.exists():
        found = [each for each in known if _sniff(each, path, _first_bytes(file), default=False)]
    if not found:
        names = _suffixes(known)
        if of_source:
            raise UnknownComponent(
                f"no output was given, and no installed writer puts labels into {path!r}; give an output path with "
                f"the suffix of an installed writer: {names}"
            )
        raise UnknownComponent(
            f"no installed writer claims the suffix of {path!r}; installed writers: {names}. "
            "Give the output one of these suffixes, install the plugin for its format, or name a writer (--writer)"
        )
    return component("writer", _preferred(found, path).spec.name)


def choose_table(path: str) -> Callable[..., Any]:
    """The format of tables that claims the longest suffix of a path, or of a folder that it lies in."""
    known = registry().components("table")
    found = _claiming(known, path)
    if not found:
        raise UnknownComponent(
            f"no installed format for tables claims the suffix of {path!r}; installed formats: {_suffixes(known)}. "
            "Give the table one of these suffixes, or install the plugin for its format"
        )
    return component("table", _preferred(found, path).spec.name)


def suffix_of(writer: Callable[..., Any]) -> str:
    """The first suffix that a writer claims; empty for one that claims none."""
    owner = registry().owner("writer", definition(writer))
    return next(iter(_format(owner).suffixes), "") if owner else ""


def _claiming(known: list[Component], path: str) -> list[Component]:
    """Those that claim the longest suffix of a path, or of the nearest folder above it of which one claims a suffix."""
    places = (path, *map(str, Path(path).parents))
    return next((claims[0] for place in places if (claims := _by_suffix(known, place))), [])


def _suffixes(known: list[Component]) -> str:
    """The names of formats with the suffixes that they claim."""
    return ", ".join(f"{c.spec.name} ({' '.join(_format(c).suffixes)})" for c in known if _format(c).suffixes) or "none"


def _by_suffix(known: list[Component], path: str) -> list[list[Component]]:
    """Those that claim a suffix of a path, in groups by its length, the longest first."""
    name = path.rstrip("/").lower()
    groups: dict[int, list[Component]] = {}
    for each in known:
        longest = max((len(s) for s in _format(each).suffixes if name.endswith(s)), default=0)
        groups.setdefault(longest, []).append(each)
    return [groups[length] for length in sorted(groups, reverse=True) if length]


def _preferred(found: list[Component], path: str) -> Component:
    highest = max(_format(c).priority for c in found)
    best = [c for c in found if _format(c).priority == highest]
    if len(best) > 1:
        names = " and ".join(f"{c.spec.name!r} ({c.distribution} {c.version})" for c in best)
        raise UnknownComponent(f"{best[0].kind}s {names} both claim {path!r}; name the one to use (--{best[0].kind})")
    return best[0]


def _sniff(candidate: Component, path: str, first: bytes, *, default: bool) -> bool:
    sniff = _format(candidate).sniff
    if sniff is None:
        return default
    try:
        with contained():
            return bool(sniff(path, first))
    except Exception as error:  # noqa: BLE001 - one plugin's fault must not hide the other readers
        warnings.warn(
            f"{candidate.kind} {candidate.spec.name!r} of {candidate.distribution} failed to look at {path!r}: "
            f"{describe(error)}",
            RuntimeWarning,
            stacklevel=2,
        )
        return False


def is_pattern(path: str) -> bool:
    """Whether nothing is called that, but files match it."""
    return not Path(path).exists() and glob.has_magic(path) and any(glob.iglob(path))  # noqa: PTH207 - absolute patterns too


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        return b""
    with path.open("rb") as file:
        return file.read(SNIFFED)


def _format(candidate: Component) -> FormatSpec:
    assert isinstance(candidate.spec, FormatSpec)
    return candidate.spec
