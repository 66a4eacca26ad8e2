"""Measuring in a run: the labels come from its checkpoint, and the table is put into its place before them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..abc.table import TableSink, TableSpec
from ..errors import InvalidOption
from ..io.destination import Destination, for_output
from ..io.source import Source
from ..run_options import RunOptions
from ..storage.disk import discard
from ..storage.location import Location
from .measures import Wanted, basis_of, blocks_over, measuring_of, record_of
from .measuring import Measurement
from .no_table import Filled, Finals, Tabling
from .plan import Plan
from .provenance import source_record, table_provenance
from .run import Outcome, Run
from .steps.label_images import DrawnLabels
from .steps.measure import Measuring
from .table import Table, described, opened_table, placed_table, table_spec, try_table, write_table

__all__ = ["Measured", "table_home"]


@dataclass(frozen=True, kw_only=True)
class Measured(Tabling):
    """What a run measures, and where the table goes. name: of the labels."""

    measuring: Measuring
    home: Destination
    labels: Destination
    name: str

    @classmethod
    def of(
        cls,
        measurers: Sequence[Any],
        options: RunOptions,
        labels: Destination,
        plans: Sequence[Plan],
        part: int,
        source: Source,
        given: Mapping[str, Source],
    ) -> Measured:
        """Ask the measurers and the images, before any work, for all that can be wrong.

        labels: where they go. plans: those of all outputs of the run, of which `part` is measured.
        source: the image with all channels. given: label images by name.
        """
        plan = plans[part]
        wanted = Wanted(
            measurers=tuple(measurers),
            channels=options.measure_channels,
            given=given,
            memory=options.measure_memory,
            elsewhere=plan.given,
            outputs={name: _drawn(each) for name, each in zip(plan.outputs, plans, strict=bool(plan.outputs))},
        )
        name = plan.outputs[part] if plan.outputs else options.name
        home = table_home(options, labels, name, plan.outputs)
        grid, image = plan.grid, source.whole
        measuring = measuring_of(
            wanted,
            _drawn(plan),
            image.select(0) if "c" in image.axes else image,
            source,
            blocks_over(grid.axes, grid.shape, grid.largest, options.measure_pixels),
            checkpoint=plan.checkpoint_path,
            workdir=home.workdir,
            part=part,
        )
        return cls(measuring=measuring, home=home, labels=labels, name=name)

    @property
    def homes(self) -> list[Destination]:
        """Where the table goes."""
        return [self.home]

    def check_format(self) -> None:
        """Have the format begin a table that is thrown away."""
        try_table(self.home, self._spec(self.measuring, 0))

    def filled(self, run: Run, outcome: Outcome, finals: Finals) -> Filled:
        """Measure the labels that are recorded, and fill the table. finals: those of all outputs."""
        home, begun = self.home, time.perf_counter()
        basis = basis_of(record_of(self.measuring), [run.plan.basis, str(outcome.dtype)])
        drawn = {name: DrawnLabels(plan=plan, dtype=dtype) for name, (plan, dtype) in finals.items()}
        given = {name: drawn.get(name, each) for name, each in self.measuring.given.items()}
        measuring = replace(self.measuring, labels=drawn[run.output], given=given, basis=basis)
        discard(home.workdir)  # a table is filled from its first row
        measurement = Measurement(measuring=measuring, crew=run.crew, report=partial(run.report, output=run.output))
        measurement.through()
        sink = opened_table(home, self._spec(measurement.measuring, measurement.n_rows))
        fingerprint = write_table(measurement, sink, home.writer)
        of_labels = {"path": self.labels.path, "fingerprint": measurement.labels_fingerprint()}
        own = table_provenance(measurement.measuring, of_labels, measurement.n_rows, fingerprint)
        provenance = own | source_record(run)
        run.seconds["measure"] = time.perf_counter() - begun
        return Filled(
            noted={
                "fingerprint": of_labels["fingerprint"],
                "table": {"path": home.path, "fingerprint": fingerprint, **described(measurement)},
            },
            place=lambda: _placed(measurement, home, sink, provenance),
        )

    def _spec(self, measuring: Measuring, n_rows: int) -> TableSpec:
        return table_spec(measuring, n_rows, self.labels.path, self.name)


def _placed(measurement: Measurement, home: Destination, sink: TableSink, provenance: Mapping[str, Any]) -> Table:
    table = placed_table(measurement, home, sink, provenance)
    discard(home.workdir)
    measurement.close()
    return table


def _drawn(plan: Plan) -> DrawnLabels:
    """The labels of an output before there are any."""
    return DrawnLabels(plan=plan, dtype=np.dtype(np.uint32))


def table_home(options: RunOptions, labels: Destination, name: str, outputs: Sequence[str]) -> Destination:
    """Where the table goes: beside the labels, if the user names no place."""
    path = for_output(options.table, name, outputs, "table")
    if path is None and isinstance(labels.place, Location):
        raise InvalidOption(f"{labels.path} is a URL, and tables are written to local folders; give a path (--table)")
    if path is None:
        beside = labels.beside.with_suffix(".table.zarr")
        path = beside if labels.temporary is None else labels.temporary / "cells.table.zarr"
    home = Destination.find(path, source="", name="table", writer=options.table_format, kind="table")
    if Path(home.path) == Path(labels.path):
        raise InvalidOption(f"labels and table would both be at {labels.path}; give the table another path")
    return home
