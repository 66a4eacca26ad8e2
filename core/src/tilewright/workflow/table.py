"""The table of several images: the rows of one image after the other, with the name of the image in each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._version import __version__
from ..abc.measurer import Column, Facts
from ..abc.table import TableSink, TableSpec
from ..abc.traits import WriterTraits
from ..components.blame import blamed, whose
from ..engine.table import opened_table, try_table
from ..errors import InvalidOption
from ..io.destination import Destination
from . import Workflow, labels_of
from .done import ImageDone

if TYPE_CHECKING:
    from ..engine.table import Table

__all__ = ["check_table", "tabled"]

ROWS = 2**16  # that are in memory at once
KEY = "image"  # the column that says the image


def check_table(path: str | Path | None, work: Workflow, table_format: Any) -> None:
    """InvalidOption, before any work, for a table that its format or its path cannot be, or that is not one each."""
    if path is None:
        if table_format is not None:
            raise InvalidOption(f"table_format is {table_format!r}, but there is no table; give one, or leave it out")
        return
    measured = [name for name, step in work.steps.items() for _ in labels_of(name, step) if step.pipeline.measure]
    if len(measured) != 1:
        raise InvalidOption(
            "the table of several images is made of one table each, and "
            + (f"there are {len(measured)} ({', '.join(measured)})" if measured else "nothing is measured")
            + "; leave table out (--table)"
        )
    home = _home(path, table_format)
    if not Path(home.path).parent.is_dir():
        raise InvalidOption(f"there is no folder {Path(home.path).parent} for the table; correct the path, or make it")
    try:
        try_table(home, _spec(home, {"label": Column(dtype="uint64")}))
    finally:
        shutil.rmtree(_aside(home), ignore_errors=True)


def tabled(images: Iterator[ImageDone], path: str | Path, table_format: Any) -> Iterator[ImageDone]:
    """The images, while their tables become one, whose first column says the image.

    Rows are written as images come, some at a time, and the table is put into its place after the last image. Images
    that failed have no rows; nothing is written if all failed.

    InvalidOption, after the last image, if one has not one table, or other columns than the first.
    """
    filling = _Filling(home=_home(path, table_format))
    try:
        for image in images:
            if image.error is None:
                filling.add(image)
            yield image
        filling.finish()
    finally:
        shutil.rmtree(_aside(filling.home), ignore_errors=True)


@dataclass(kw_only=True)
class _Filling:
    """A table that is being filled. problem: of the first image whose table does not fit."""

    home: Destination
    columns: Mapping[str, Column] = field(default_factory=dict)
    sink: TableSink | None = None
    rows: int = 0
    labels: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    def add(self, image: ImageDone) -> None:
        """Write the rows of an image, if its table is like those before."""
        tables = [each.table for each in image.labels.values() if each.table is not None]
        self.problem = self.problem or self._problem(image.name, tables)
        if self.problem:
            return
        table = tables[0]
        if self.sink is None:
            self.columns, self.sink = table.columns, opened_table(self.home, _spec(self.home, table.columns))
        for start in range(0, len(table), ROWS):
            block = table.rows(start, start + ROWS)
            names = np.full(len(block["label"]), image.name, object)
            with blamed("table", self.home.writer, f"writing {len(names):,} rows"):
                self.sink.write({KEY: names, **block})
        self.rows += len(table)
        self.labels[image.name] = table.provenance.get("labels", {}).get("fingerprint")

    def _problem(self, name: str, tables: list[Table]) -> str:
        if len(tables) != 1:
            return f"image {name} has {len(tables)} tables, and a table of all images is made of one each"
        columns = tables[0].columns
        if self.sink is None or list(columns.items()) == list(self.columns.items()):
            return ""
        texts = (
            ", ".join(f"{each} ({of.dtype} {of.unit})" for each, of in one.items()) for one in (columns, self.columns)
        )
        return "image {} has the columns {}, and those before it have {}".format(name, *texts)

    def finish(self) -> None:
        """Put the table into its place. InvalidOption if one did not fit."""
        if self.problem:
            raise InvalidOption(f"{self.problem}; measure the same of all")
        if self.sink is not None:
            with blamed("table", self.home.writer, f"finishing {self.home.path!r}"):
                self.sink.finish({"tilewright": __version__, "n_rows": self.rows, "images": self.labels})


def _home(path: str | Path, table_format: Any) -> Destination:
    """Where the table goes. InvalidOption for a format that does not write a table of several images."""
    home = Destination.find(path, source="", name="table", writer=table_format, kind="table")
    if not WriterTraits.of(home.writer, "table").several_images:
        raise InvalidOption(
            f"{whose('table', home.writer)} does not write a table of several images, whose column {KEY} has text; "
            "choose another format, such as .csv or .parquet"
        )
    return home


def _aside(home: Destination) -> Path:
    """The folder that the table is built in."""
    path = Path(home.path)
    return path.with_name(f".{path.name}.partial")


def _spec(home: Destination, columns: Mapping[str, Column]) -> TableSpec:
    return TableSpec(
        columns={KEY: Column(dtype="str"), **columns},
        n_rows=0,
        facts=Facts(axes="x", shape=(0,), spacing=(1.0,), units=("",)),
        labels=np.zeros(0, np.uint64),
        workdir=_aside(home),
        several_images=True,
    )
