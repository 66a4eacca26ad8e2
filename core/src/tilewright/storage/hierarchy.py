"""A zarr hierarchy in a local folder: where it begins, and the metadata above a node while the node changes."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from .disk import check_metadata, file_state, fitting, read_whole, write_whole
from .lock import held

__all__ = ["attributes_of", "changed_hierarchy", "check_node", "is_node", "is_touched", "root_of"]

NODE = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
CONSOLIDATED: dict[str, Literal[2, 3]] = {".zmetadata": 2, "zarr.json": 3}  # the file of each zarr format
KEY, NOTE = "consolidated_metadata", "consolidated.json"

# Folders without metadata that may lie between a node and the group above it: a plate's row that some writers make
# without a group, and a `labels` folder with a label in it that do not exist yet.
GAP = 2


def is_node(folder: Path) -> bool:
    """Whether a folder holds metadata of a zarr group or array."""
    return any((folder / name).is_file() for name in NODE)


def is_touched(folder: Path) -> bool:
    """Whether a file in a zarr node is newer than the metadata at its top, which is what a writer writes last."""
    written = max((state[1] for name in NODE if (state := file_state(folder / name))), default=0)
    inside = (f"{at}/{name}" for at, _, names in os.walk(folder) for name in names)
    return any(state[1] > written for file in inside if (state := file_state(file)))


def attributes_of(folder: Path) -> dict[str, Any]:
    """The attributes of a zarr node, of either format; none if no node can be read there."""
    for name, within in (("zarr.json", "attributes"), (".zattrs", "")):
        with suppress(OSError, ValueError):
            check_metadata(folder / name)
            record = json.loads(read_whole(folder / name))
            attributes = record.get(within, {}) if within else record
            return attributes if isinstance(attributes, dict) else {}
    return {}


def check_node(folder: Path) -> None:
    """NotReadable for metadata in a folder that zarr would wait for, or read gigabytes of: see `check_metadata`."""
    for name in (*NODE, ".zmetadata"):  # which zarr reads before it knows the version
        with suppress(FileNotFoundError, NotADirectoryError):
            check_metadata(folder / name)


def root_of(path: Path) -> Path | None:
    """The outermost zarr folder that contains the path or is it; None if the path is not part of a store.

    The path itself need not exist.
    """
    root, gap = None, 0
    for folder in (path, *path.parents):
        if is_node(folder):
            root, gap = folder, 0
            continue
        gap += 1
        if gap > GAP:
            break
    return root


@contextmanager
def changed_hierarchy(root: Path, node: Path) -> Iterator[None]:
    """Hold a hierarchy while one of its nodes is put into place and listed above.

    The consolidated metadata of the groups above the node is removed before and made again after the change: a reader
    who opens one of these groups finds consolidated metadata that is right, or reads each node's own. After a kill, the
    next change of any node of the hierarchy makes it again.
    """
    folder = root.with_name(fitting(root.name, ".tilewright", "."))
    with held(folder):
        consolidated = _suspended(folder, root, node)
        try:
            yield
        finally:
            for file in consolidated:
                _consolidate(file)
            for name in (NOTE, "*.partial"):
                for file in folder.glob(name):
                    file.unlink()


def _suspended(folder: Path, root: Path, node: Path) -> list[Path]:
    """Remove the consolidated metadata of the groups above a node; the files that it was in, the innermost first."""
    groups = [parent for parent in node.parents if parent == root or parent.is_relative_to(root)]
    present = [group / name for group in groups for name in CONSOLIDATED if _is_consolidated(group / name)]
    noted = _noted(folder, root)
    files = sorted({*present, *noted}, key=lambda file: -len(file.parts))
    for file in files:
        _check_below(file.parent)
    if set(files) != set(noted):
        write_whole(folder / NOTE, json.dumps([file.relative_to(root).as_posix() for file in files]))
    for file in present:
        if file.name == "zarr.json":
            rest = {key: value for key, value in _read(file).items() if key != KEY}
            write_whole(file, json.dumps(rest, indent=2), aside=folder)  # a kill leaves nothing strange in the store
        else:
            file.unlink()
    for group in groups:
        for stray in group.glob("*.*.partial"):  # zarr's own, which a kill left
            stray.unlink(missing_ok=True)
    return files


def _check_below(group: Path) -> None:
    """NotReadable for metadata that zarr would wait for while it consolidates a group: see `check_node`."""
    for folder, inner, names in os.walk(group):
        check_node(Path(folder))
        if ".zarray" in names or ("zarr.json" in names and _read(Path(folder) / "zarr.json")["node_type"] == "array"):
            inner.clear()  # its chunks


def _noted(folder: Path, root: Path) -> list[Path]:
    try:
        names = json.loads(read_whole(folder / NOTE))
    except FileNotFoundError:
        return []
    return [root / name for name in names if is_node((root / name).parent)]


def _is_consolidated(file: Path) -> bool:
    if not file.is_file():
        return False
    return file.name == ".zmetadata" or _read(file).get(KEY) is not None


def _consolidate(file: Path) -> None:
    import zarr

    with warnings.catch_warnings():
        # zarr says of every v3 store, and of every foreign file in one, that others may not understand it.
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(str(file.parent), zarr_format=CONSOLIDATED[file.name])


def _read(file: Path) -> dict[str, Any]:
    check_metadata(file)
    content: dict[str, Any] = json.loads(file.read_bytes())
    return content
