"""Writing a complete plugin package of one kind from templates: it can be installed and passes its own tests."""

from __future__ import annotations

import importlib.resources
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Literal

from ..._version import __version__
from ...components.specs import KINDS, Kind
from ...errors import AlreadyExists, InvalidOption

__all__ = ["SCAFFOLDS", "Scaffold", "write_project"]

Scaffold = Kind | Literal["network"]
SCAFFOLDS: tuple[Scaffold, ...] = (*KINDS, "network")

HIDDEN = (
    "github",
    "gitignore",
)  # these have no dot in the templates, because packaging tools may leave out files with one
PREFIX = "tilewright-"
LIBRARIES: Mapping[Scaffold, Sequence[str]] = {
    "reader": ["numpy>=2.0"],
    "transform": ["numpy>=2.0", "scipy>=1.13"],
    "tiler": [],
    "segmenter": ["numpy>=2.0", "scipy>=1.13"],
    "network": ["numpy>=2.0", "scipy>=1.13"],
    "merger": ["numpy>=2.0"],
    "writer": ["numpy>=2.0"],
    "measurer": ["numpy>=2.0"],
    "table": ["numpy>=2.0"],
}


def write_project(kind: Scaffold, name: str, folder: Path) -> Path:
    """Write the package `tilewright-NAME` into a new folder of that name in `folder`.

    kind: of its component, or `network` for a segmenter that is one.

    InvalidOption for a name that cannot be the name of a package, a class and a component; AlreadyExists if the folder
    exists.
    """
    name = name.removeprefix(PREFIX)
    files = list(_rendered(kind, _names(kind, name)))
    project = folder / f"{PREFIX}{name}"
    if project.exists():
        raise AlreadyExists(f"{project} exists already; choose another name, or another --path")
    for path, text in files:
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text, encoding="utf-8")
    return project


def _names(kind: Scaffold, name: str) -> dict[str, str]:
    class_name = _class_name(kind, name)
    if not re.fullmatch("[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(name.capitalize()):
        raise InvalidOption(
            f"{name!r} is not a name for a package; use lower-case words joined by hyphens, as in 'my-cells'"
        )
    major, minor = map(int, __version__.split(".")[:2])
    return {
        "kind": kind,
        "name": name,
        "title": name.replace("-", " "),
        "distribution": f"{PREFIX}{name}",
        "package": f"{PREFIX}{name}".replace("-", "_"),
        "module_name": name.replace("-", "_"),
        "class_name": class_name,
        "libraries": "".join(f', "{library}"' for library in LIBRARIES[kind]),
        "compatible": f">={major}.{minor},<{major}.{minor + 1}",
    }


def _rendered(kind: Scaffold, values: dict[str, str]) -> Iterator[tuple[Path, str]]:
    for path, file in _templates(kind):
        parts = [f".{each}" if each.split(".")[0] in HIDDEN else each for each in path.parts]
        renamed = [values["package"] if each == "package" else each for each in parts]
        yield Path(*renamed).with_suffix(""), Template(file.read_text("utf-8")).substitute(values)


def _class_name(kind: Scaffold, name: str) -> str:
    """The name of the component's class. The kind is appended if the package uses another class of that name.

    The kind comes first if the name starts with Test, because pytest would take the class for a test.
    """
    plain = "".join(word.capitalize() for word in name.split("-"))
    if plain.startswith("Test"):
        return kind.capitalize() + plain
    used = {word for _, file in _templates(kind) for word in re.findall(r"\w+", file.read_text("utf-8"))}
    return plain + kind.capitalize() if plain in used else plain


def _templates(kind: Scaffold) -> Iterator[tuple[Path, Traversable]]:
    templates = importlib.resources.files(__package__) / "templates"
    for part in ("common", kind):
        yield from _files(templates / part, Path())


def _files(folder: Traversable, below: Path) -> Iterator[tuple[Path, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            yield from _files(entry, below / entry.name)
        else:
            yield below / entry.name, entry
