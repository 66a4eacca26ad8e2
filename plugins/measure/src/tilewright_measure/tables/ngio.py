"""The format `ngio`: a `feature_table` of version 1 within an OME-Zarr image, as ngio and Fractal read it.

https://biovisioncenter.github.io/ngio/stable/table_specs/table_types/feature_table/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import zarr

from tilewright import open_image
from tilewright.abc import (
    Columns,
    TableSpec,
    changed_hierarchy,
    check_replaceable,
    is_node,
    place_folder,
    recover,
    root_of,
)
from tilewright.errors import InvalidOption

from .parquet import ParquetFile

__all__ = ["NgioSink", "NgioTable"]


@dataclass(frozen=True, kw_only=True)
class NgioTable:
    """Write a table to `IMAGE.ome.zarr/tables/NAME`, as ngio's `feature_table` of version 1.

    The rows are Parquet in the table's group; the group has the key `label`, the label image that the table is of, if
    that is the same image's, and the provenance as the attribute `tilewright`. The table is listed among the image's
    tables once it is complete. InvalidOption for a path that is not of this form, or without such an image.
    """

    def __call__(self, path: str, spec: TableSpec) -> NgioSink:
        target = _target_of(path)
        _zarr_format(target.parent.parent)
        recover(spec.workdir / target.name, target)
        check_replaceable(target)
        return NgioSink(target, spec)

    def destination(self, image: str, name: str) -> str:
        """Where a table of that name goes that belongs to the image at that path: into it."""
        return f"{image.rstrip('/')}/tables/{name}"

    def beside(self, path: str) -> Path:
        """The folder that the run's checkpoint is put next to: the whole store."""
        return root_of(_target_of(path)) or Path(path)


class NgioSink(ParquetFile):
    """The Parquet file of a group that is built aside."""

    def __init__(self, path: Path, spec: TableSpec) -> None:
        self.path, self.group = path, spec.workdir / path.name
        super().__init__(self.group / "table.parquet", spec)

    def append(self, block: Columns) -> None:
        self.group.mkdir(exist_ok=True)
        super().append(block)

    def complete(self, provenance: Mapping[str, Any]) -> None:
        """Describe the group, put it into its place, and list it among the tables of its image."""
        self.group.mkdir(exist_ok=True)
        self.close(provenance)
        image = self.path.parent.parent
        version = _zarr_format(image)
        group = zarr.open_group(self.group, mode="a", zarr_format=version)
        group.attrs.put({**self._attributes(), "tilewright": dict(provenance)})
        with changed_hierarchy(root_of(image) or image, self.path):
            tables = zarr.open_group(self.path.parent, mode="a", zarr_format=version, use_consolidated=False)
            place_folder(self.group, self.path)
            listed = cast("list[str]", tables.attrs.get("tables", []))
            tables.attrs["tables"] = list(dict.fromkeys([*listed, self.path.name]))
        recover(self.group, self.path)

    def read(self) -> Columns:
        """The columns of the finished table."""
        return self.columns(self.path / "table.parquet")

    def _attributes(self) -> dict[str, Any]:
        labels = Path(self.spec.labels_path)
        own = labels.resolve().parent == self.path.parent.parent / "labels"
        return {
            "type": "feature_table",
            "table_version": "1",
            "backend": "parquet",
            "index_key": "label",
            "index_type": "int",
            "instance_key": "label",
            **({"region": {"path": f"../labels/{labels.name}"}} if own else {}),
        }


def _target_of(path: str) -> Path:
    """The folder of a table. InvalidOption for one that is not among the tables of an OME-Zarr image."""
    target = Path(path).resolve()
    if target.parent.name != "tables" or not is_node(target.parent.parent):
        raise InvalidOption(
            f"{path!r} is not a table of an OME-Zarr image; write to IMAGE.ome.zarr/tables/NAME, or another format "
            "(.parquet, .csv, .h5ad)"
        )
    if target.name.startswith((".", "__")) or target.name == "zarr.json":
        raise InvalidOption(f"{target.name!r} cannot be the name of a table; use a name that starts with a letter")
    return target


def _zarr_format(image: Path) -> Literal[2, 3]:
    """The format of zarr that the image's version of OME-Zarr is in. InvalidOption for what is not such an image."""
    version = open_image(image, reader={"name": "ome-zarr", "configuration": {"multiscale": 0}}).format
    if not version.startswith("ome-zarr "):
        raise InvalidOption(
            f"{str(image)!r} is a plain zarr array, which cannot hold tables; write to IMAGE.ome.zarr/tables/NAME of "
            "an OME-Zarr image"
        )
    return 2 if version == "ome-zarr 0.4" else 3
