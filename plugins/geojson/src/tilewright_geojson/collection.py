"""The file: a FeatureCollection that is written aside, feature by feature, and put into its place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tilewright.errors import InvalidOption

__all__ = ["file_at", "members_of", "write_collection"]

HEAD = 2**24  # characters of the first line, which has all but the features


def file_at(path: str) -> Path:
    """Where a collection goes. InvalidOption for a folder."""
    target = Path(path).absolute()
    if target.is_dir():
        raise InvalidOption(f"{path!r} is a folder, but GeoJSON is one file; give the path of a file")
    return target


def members_of(path: Path) -> dict[str, Any]:
    """The members before the features of a collection that `write_collection` wrote; none of another file."""
    try:
        with path.open(encoding="utf-8") as file:
            head = json.loads(file.readline(HEAD) + "]}")
    except (OSError, ValueError):
        return {}
    return head if isinstance(head, dict) else {}


def write_collection(path: Path, workdir: Path, members: Mapping[str, Any], features: Iterable[str]) -> None:
    """Write features, each a line of JSON, with members of the collection before them; replace the path at once."""
    aside = workdir / "objects.geojson"
    with aside.open("w", encoding="utf-8") as file:
        head = json.dumps({"type": "FeatureCollection", **members}, ensure_ascii=False, separators=(",", ":"))
        file.write(f'{head[:-1]},"features":[')
        before = "\n"
        for feature in features:
            file.write(before + feature)
            before = ",\n"
        file.write("\n]}\n")
    aside.replace(path)
