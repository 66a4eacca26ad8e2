"""Measuring in a run: the labels come from its checkpoint, and the table is put into its place before them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..abc.table import TableSink, TableSpec
from ..errors import InvalidOption
from ..io.destination import Destination
from ..io.source import Source
from ..run_options import Progress, RunOptions
from ..storage.disk import discard
from .measures import Wanted, basis_of, blocks_over, measuring_of, record_of
from .measuring import Measurement
from .no_table import Filled, Tabling
from .plan import Plan
from .provenance import source_record, table_provenance
from .run import Outcome, Run
from .steps.label_images import DrawnLabels
from .steps.measure import Measuring
from .table import Table, opened_table, placed_table, table_spec, try_table, write_table

__all__ = ["Measured"]


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
        plan: Plan,
        source: Source,
        given: Mapping[str, Source],
    ) -> Measured:
        """Ask the measurers and the images, before any work, for all that can be wrong.

        labels: where they go. source: the image with all channels. given: label images by name.
        """
        wanted = Wanted(
            measurers=tuple(measurers),
            channels=options.measure_channels,
            given=given,
            memory=options.measure_memory,
            elsewhere=plan.given,
        )
        home = _home(options, labels)
        grid, image = plan.grid, source.whole
        measuring = measuring_of(
            wanted,
            DrawnLabels(plan=plan, dtype=np.dtype(np.uint32)),
            image.select(0) if "c" in image.axes else image,
            source,
            blocks_over(grid.axes, grid.shape, grid.largest, options.measure_pixels),
            checkpoint=plan.checkpoint_path,
            workdir=home.workdir,
        )
        return cls(measuring=measuring, home=home, labels=labels, name=options.name)

    @property
    def homes(self) -> list[Destination]:
        """Where the table goes."""
        return [self.home]

    def check_format(self) -> None:
        """Have the format begin a table that is thrown away."""
        try_table(self.home, self._spec(self.measuring, 0))

    def filled(self, run: Run, outcome: Outcome, report: Progress) -> Filled:
        """Measure the labels that are recorded, and fill the table."""
        home, begun = self.home, time.perf_counter()
        basis = basis_of(record_of(self.measuring), [run.plan.basis, str(outcome.dtype)])
        measuring = replace(self.measuring, labels=DrawnLabels(plan=run.plan, dtype=outcome.dtype), basis=basis)
        discard(home.workdir)  # a table is filled from its first row
        measurement = Measurement(measuring=measuring, crew=run.crew, report=report)
        measurement.through()
        sink = opened_table(home, self._spec(measurement.measuring, measurement.n_rows))
        fingerprint = write_table(measurement, sink, home.writer)
        of_labels = {"path": self.labels.path, "fingerprint": measurement.labels_fingerprint()}
        own = table_provenance(measurement.measuring, of_labels, measurement.n_rows, fingerprint)
        provenance = own | source_record(run)
        run.seconds["measure"] = time.perf_counter() - begun
        return Filled(
            noted={"fingerprint": of_labels["fingerprint"], "table": {"path": home.path, "fingerprint": fingerprint}},
            place=lambda: _placed(measurement, home, sink, provenance),
        )

    def _spec(self, measuring: Measuring, n_rows: int) -> TableSpec:
        return table_spec(measuring, n_rows, self.labels.path, self.name)


def _placed(measurement: Measurement, home: Destination, sink: TableSink, provenance: Mapping[str, Any]) -> Table:
    table = placed_table(measurement, home, sink, provenance)
    discard(home.workdir)
    measurement.close()
    return table


def _home(options: RunOptions, labels: Destination) -> Destination:
    """Where the table goes: beside the labels, if the user names no place."""
    path = options.table
    if path is None:
        beside = labels.beside.with_suffix(".table.zarr")
        path = beside if labels.temporary is None else labels.temporary / "cells.table.zarr"
    home = Destination.find(path, source="", name="table", writer=options.table_format, kind="table")
    if Path(home.path) == Path(labels.path):
        raise InvalidOption(f"labels and table would both be at {labels.path}; give the table another path")
    return home
