"""The table `geojson`: each object's outline with its measures, for QuPath and for programs that read features."""

from __future__ import annotations

import itertools
import math
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tilewright import open_image
from tilewright.abc import Array, Columns, TableSpec
from tilewright.errors import InvalidOption

from . import planes
from .assembly import objects
from .collection import file_at, write_collection
from .features import Features, feature
from .spool import Rows, Texts

__all__ = ["GeoJsonTable", "GeoJsonTableSink"]

UUIDS = uuid.UUID("95a1ae1d-175e-4775-9b59-919aee7541bd")  # the namespace of label images


@dataclass(frozen=True, kw_only=True)
class GeoJsonTable:
    """Write objects as the features of a GeoJSON FeatureCollection, with the columns of the table as `measurements`.

    The outlines are those of the writer `geojson`. The id of a feature is a UUID that is made of the labels'
    fingerprint, the object's label and its plane: the same labels have the same ids in each run. A value that is
    missing or infinite is left out; a truth value is 0 or 1, since QuPath's measurements are numbers. InvalidOption for
    labels without planes, for a path that is a folder, and for nuclei that are not of the labels' axes and shape.
    """

    object_type: Literal["detection", "cell", "annotation"] = field(
        default="detection", metadata={"help": "What the objects are in QuPath."}
    )
    nuclei: str = field(
        default="",
        metadata={"help": "Path of a label image in which each nucleus has its cell's label; for type cell."},
    )

    def __call__(self, path: str, spec: TableSpec) -> GeoJsonTableSink:
        if spec.facts.axes not in ("yx", "zyx"):
            raise InvalidOption(
                f"GeoJSON cannot hold objects with axes {spec.facts.axes!r}, only z y x; write another format"
            )
        if self.nuclei and self.object_type != "cell":
            raise InvalidOption(
                f"nuclei were given, but object_type is {self.object_type!r}; only a 'cell' has a nucleus"
            )
        for name, column in spec.columns.items():
            if np.dtype(column.dtype).kind not in "biuf":
                raise InvalidOption(
                    f"column {name!r} has dtype {column.dtype!r}, but measurements are numbers; declare another dtype"
                )
        nuclei = _opened(self.nuclei, spec) if self.nuclei else None
        return GeoJsonTableSink(path=file_at(path), spec=spec, object_type=self.object_type, nuclei=nuclei)


@dataclass(kw_only=True)
class GeoJsonTableSink:
    """Rows that are kept in a file until the outlines are traced at the end."""

    path: Path
    spec: TableSpec
    object_type: str
    nuclei: Array | None

    def write(self, columns: Columns) -> None:
        """Append rows."""
        self._rows.append(columns)

    def finish(self, provenance: Mapping[str, Any]) -> None:
        """Trace the objects, write them aside, and replace the path at once."""
        columns = {name: {"dtype": each.dtype, "unit": each.unit} for name, each in self.spec.columns.items()}
        members = {"tilewright": dict(provenance), "tilewright_columns": columns}
        with closing(self._rows) as rows:
            rows.check()
            write_collection(self.path, self.spec.workdir, members, self._features(provenance))

    @cached_property
    def _rows(self) -> Rows:
        return Rows(self.spec.workdir / "rows.bin", self.spec.columns, self.spec.n_rows)

    def _features(self, provenance: Mapping[str, Any]) -> Iterator[str]:
        labels = self.spec.labels
        axes = _axes(self.spec)
        namespace = uuid.uuid5(UUIDS, provenance.get("labels", {}).get("fingerprint", self.spec.labels_path))
        scale = planes.scale_of(labels.shape, provenance.get("source", ""), provenance)
        for leading in itertools.product(*map(range, labels.shape[:-2])):
            features = Features(scale=scale, plane=dict(zip(axes, leading, strict=False)))
            yield from self._plane(leading, features, namespace)

    def _plane(self, leading: tuple[int, ...], features: Features, namespace: uuid.UUID) -> Iterator[str]:
        with closing(self._nuclei_of(leading, features)) as nuclei:
            for number, rings in objects(planes.blocks(self.spec.labels, leading), self.spec.labels.shape[-1]):
                geometries = {"geometry": features.geometry(rings)}
                if nucleus := nuclei.of(number):
                    geometries["nucleusGeometry"] = nucleus
                identifier = str(uuid.uuid5(namespace, features.name(number)))
                yield feature(identifier, geometries, self._properties(number, features.plane.get("t", 0)))

    def _nuclei_of(self, leading: tuple[int, ...], features: Features) -> Texts:
        nuclei = self.nuclei
        found = objects(planes.blocks(nuclei, leading), nuclei.shape[-1]) if nuclei is not None else ()
        texts = ((number, features.geometry(rings)) for number, rings in found)
        return Texts(self.spec.workdir / "nuclei.txt", texts)

    def _properties(self, number: int, t: int) -> dict[str, Any]:
        values = zip(self.spec.columns, self._rows.of(number, t), strict=True)
        measured = {name: value + 0 for name, value in values if name not in ("t", "label") and math.isfinite(value)}
        return {"objectType": self.object_type, "name": str(number), "measurements": measured}


def _axes(spec: TableSpec) -> str:
    return ("t" if spec.facts.times else "") + spec.facts.axes


def _opened(path: str, spec: TableSpec) -> Array:
    """The labels of nuclei. InvalidOption if they are not of the cells' axes and shape."""
    image = open_image(path)
    if (image.axes, image.shape) != (_axes(spec), spec.labels.shape):
        raise InvalidOption(
            f"the nuclei {path!r} are {image.axes!r} of shape {image.shape}, but the cells {_axes(spec)!r} of shape "
            f"{spec.labels.shape}; give label images of one shape"
        )
    return image.data
