"""Where things lie in a zarr hierarchy: its root, what is inside it, and opening a node by its path."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

import zarr
from zarr.errors import ContainsArrayError, GroupNotFoundError

from tilewright.abc import Location, check_node, explained, root_of
from tilewright.errors import InvalidImage, NotReadable, TilewrightError

from .codecs import advice, check_registered

__all__ = ["AnyArray", "Node", "inside", "is_remote", "node_at", "one_line", "open_node"]

ARCHIVE = re.compile(r"[.](zip|ozx)(/|$)", re.IGNORECASE)

AnyArray = zarr.Array[Any]
Node = zarr.Group | AnyArray

# What zarr and fsspec raise on missing, foreign or corrupt metadata: `[]` in a zarr.json is an AttributeError or a
# TypeError, an array without a data type a KeyError, a fill value that the data type cannot hold an OverflowError, a
# URL whose driver is not installed an ImportError, a thousand lists in each other a RecursionError.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, ImportError, RecursionError)


def is_remote(path: str) -> bool:
    """Whether a path is not that of a folder or file: a URL, a place in an archive, or a store that was handed over."""
    return Location.of(path).local is None


def inside(path: str, relative: str) -> Location:
    """The path of a part of a store, said relative to `path`.

    InvalidImage for an absolute path, one with `..`, and one whose symbolic links end outside the store: metadata from
    elsewhere must not make a run read other files of this machine.
    """
    parts = PurePosixPath(relative).parts
    target = Location.of(path).joined(relative)
    if relative.startswith("/") or ".." in parts or "://" in relative or not _contains(path, target):
        raise InvalidImage(
            f"{relative!r} in {path!r} leads out of the store; name a folder inside it, relative to {path!r}"
        )
    return target


def _contains(path: str, target: str) -> bool:
    if is_remote(path):
        return True
    folder = Path(path).resolve()
    return Path(target).resolve().is_relative_to(root_of(folder) or folder)


def open_node(path: str) -> Node:
    """The node at a path, as `node_at`."""
    return node_at(Location.of(path))


def node_at(location: Location) -> Node:
    """Open a group or array for reading, with its own metadata: a consolidated copy may be stale.

    NotReadable, in one line, if there is none, or its metadata cannot be understood or is not in files of some size.
    """
    if location.local is not None:
        check_node(location.local)
    try:
        store, place = location.opened()
        try:
            return zarr.open_group(store, path=place, mode="r", use_consolidated=False)
        except (ContainsArrayError, GroupNotFoundError):
            array = zarr.open_array(store, path=place, mode="r")
            check_registered(array)
            return array
    except FileNotFoundError as error:
        location.check()
        if is_remote(location) and ARCHIVE.search(location):
            raise NotReadable(
                f"{location!r} is an archive, or lies in one, and archives are read from local folders; copy it here"
            ) from error
        raise NotReadable(f"there is no zarr group or array at {location!r}; check the path") from error
    except TilewrightError:
        raise
    except Exception as error:
        if not isinstance(error, UNREADABLE) and location.local is not None:
            raise
        hint = advice(str(error)) if type(error).__name__ == "UnknownCodecError" else None  # zarr's or numcodecs'
        if hint:
            raise NotReadable(f"{location!r} cannot be read: {one_line(hint)}") from error
        if not isinstance(error, UNREADABLE) or (isinstance(error, OSError) and location.local is None):
            raise NotReadable(explained(error, location)) from error  # drivers of far stores have errors of their own
        raise NotReadable(
            f"the zarr metadata at {location!r} cannot be read ({type(error).__name__}: {one_line(error)}); "
            "repair or export it again"
        ) from error


def one_line(said: object) -> str:
    """At most 200 characters of an error's message or another text, with escapes for what would steer a terminal."""
    text = " ".join(str(said).split())
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= 200 else text[:199] + "…"
