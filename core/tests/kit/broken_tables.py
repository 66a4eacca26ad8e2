"""A table's format that keeps the contract, and one for each way of breaking it."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tilewright.abc import Columns, TableSpec


@dataclass(frozen=True, kw_only=True)
class Good:
    at_once: ClassVar = True
    several_images: ClassVar = True

    def __call__(self, path: str, spec: TableSpec) -> Any:
        return _Sink(self, Path(path), spec)

    def place(self, path: Path, spec: TableSpec) -> Path:
        return spec.workdir / "table"

    def kept(self, columns: Columns) -> Columns:
        return columns


class _Sink:
    def __init__(self, format_: Good, path: Path, spec: TableSpec) -> None:
        self.format, self.path, self.aside = format_, path, format_.place(path, spec)
        if format_.at_once:
            self.aside.write_bytes(b"")

    def write(self, columns: Columns) -> None:
        with self.aside.open("ab") as file:
            pickle.dump(dict(self.format.kept(columns)), file)

    def finish(self, provenance: Mapping[str, Any]) -> None:
        self.aside.replace(self.path)

    def read(self) -> Columns:
        parts = []
        with self.path.open("rb") as file:
            while file.peek(1):
                parts.append(pickle.load(file))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class InTheOpen(Good):
    def place(self, path: Path, spec: TableSpec) -> Path:
        return path


class Writing(Good):
    """Writes in the open over what is there."""

    def place(self, path: Path, spec: TableSpec) -> Path:
        return path if path.exists() else super().place(path, spec)


class Appending(Good):
    at_once: ClassVar = False


class Rounding(Good):
    def kept(self, columns: Columns) -> Columns:
        return {name: values.astype("f4") if values.dtype == "f8" else values for name, values in columns.items()}


class Sorted(Good):
    def kept(self, columns: Columns) -> Columns:
        return dict(sorted(columns.items()))


class Doubled(Good):
    """Reads ids as numbers of 64-bit floats."""

    def kept(self, columns: Columns) -> Columns:
        return {**columns, "label": columns["label"].astype("f8").astype("u8")}


class Timeless(Good):
    def kept(self, columns: Columns) -> Columns:
        return {name: values for name, values in columns.items() if name != "t"}


class Imageless(Good):
    def kept(self, columns: Columns) -> Columns:
        return {name: values for name, values in columns.items() if name != "image"}


class Filled(Good):
    def kept(self, columns: Columns) -> Columns:
        return columns if len(columns["label"]) else {}
