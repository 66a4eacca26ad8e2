"""A complete plugin package of one kind, from templates: installed as it stands, it is found and passes its tests."""

from __future__ import annotations

import importlib.resources
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from .. import __version__
from ..errors import AlreadyExists, InvalidOption
from ..specs import Kind

__all__ = ["write_project"]

HIDDEN = ("github", "gitignore")  # these have no dot in the templates, which packaging tools might pass over
PREFIX = "tilewright-"
LIBRARIES: Mapping[Kind, Sequence[str]] = {
    "reader": ["numpy>=1.26"],
    "tiler": [],
    "segmenter": ["numpy>=1.26", "scipy>=1.11"],
    "merger": ["numpy>=1.26"],
    "writer": ["numpy>=1.26"],
}


def write_project(kind: Kind, name: str, folder: Path) -> Path:
    """Write the package `tilewright-NAME` into a new folder of that name in `folder`.

    InvalidOption for a name from which no package, class and component can be called; AlreadyExists if the folder is
    there.
    """
    name = name.removeprefix(PREFIX)
    files = list(_rendered(kind, _names(kind, name)))
    project = folder / f"{PREFIX}{name}"
    if project.exists():
        raise AlreadyExists(f"{project} is there already; choose another name, or another --path")
    for path, text in files:
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text, encoding="utf-8")
    return project


def _names(kind: Kind, name: str) -> dict[str, str]:
    words = name.split("-")
    class_name = "".join(word.capitalize() for word in words)
    if not re.fullmatch("[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(class_name):
        raise InvalidOption(
            f"{name!r} is no name for a package; use lower-case words joined by hyphens, as in 'my-cells'"
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


def _rendered(kind: Kind, values: dict[str, str]) -> Iterator[tuple[Path, str]]:
    templates = importlib.resources.files(__package__) / "templates"
    for part in ("common", kind):
        for path, file in _files(templates / part, Path()):
            parts = [f".{each}" if each.split(".")[0] in HIDDEN else each for each in path.parts]
            renamed = [values["package"] if each == "package" else each for each in parts]
            yield Path(*renamed).with_suffix(""), Template(file.read_text("utf-8")).substitute(values)


def _files(folder: Traversable, below: Path) -> Iterator[tuple[Path, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            yield from _files(entry, below / entry.name)
        else:
            yield below / entry.name, entry
