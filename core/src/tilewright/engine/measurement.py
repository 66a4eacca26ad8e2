"""Measuring a label image that is there: from what a user asked for to a table in its place."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .._version import __version__
from ..errors import TilewrightError
from ..io.destination import Destination
from ..io.source import Source
from ..run_options import RunOptions
from ..storage.disk import discard, writing_to
from ..storage.machine import cpus, open_standard_streams
from .checkpoint.lock import Claim, claimed, empty, is_placing, note_placing
from .fingerprint import identity
from .measures import Wanted, basis_of, blocks_over, measuring_of, record_of
from .measuring import Measurement
from .provenance import table_provenance
from .reading import StoredLabels
from .steps.measure import Measuring
from .table import Table, opened_table, placed_table, remove_table_with, table_spec, try_table, write_table
from .workers.crew import crew, in_task
from .workers.main_guard import check_guarded

__all__ = ["LabelsMeasured"]


@dataclass(frozen=True, kw_only=True)
class LabelsMeasured:
    """A label image, the image that it is of (None if nobody looks at it), and what is to be measured."""

    labels: Source
    image: Source | None
    wanted: Wanted
    options: RunOptions

    def run(self) -> Table:
        """Measure, and put the table into its place."""
        open_standard_streams()
        if self.options.processes:
            check_guarded(sys._getframe(), "leave processes out: measuring uses threads by itself")
        options = self.options
        home = Destination.find(
            options.table,
            source="",
            name="table.zarr",
            writer=options.table_format,
            checkpoint_dir=options.checkpoint_dir,
            kind="table",
        )
        try:
            for each in (self.labels, self.image, *self.wanted.given.values()):
                if each is not None:
                    home.check(each.whole.identity, make_parents=options.make_parents)
            if not (options.overwrite or (options.resume and is_placing(home.beside))):
                home.check_free()
            return self._claimed(home)
        except BaseException:
            if home.temporary:
                shutil.rmtree(home.temporary, ignore_errors=True)  # nobody can resume from it
            raise

    def _claimed(self, home: Destination) -> Table:
        """The run, while it holds its checkpoint."""
        measuring = _measuring(self.labels, self.image, self.wanted, self.options.measure_pixels, home)
        # Nothing resumes from a temporary folder, so what tells arrays in memory apart need not be worked out.
        record = {} if home.temporary else _record(home, self.labels, measuring)
        measuring = replace(measuring, basis=basis_of(record, None))
        folders = (home.beside, home.checkpoint)
        with (
            writing_to(home.checkpoint, Path(home.path)),
            claimed(folders, record, resume=self.options.resume) as claim,
        ):
            if not (self.options.overwrite or is_placing(home.beside)):
                home.check_free()
            discard(measuring.workdir)  # a table is filled from its first row
            try:
                table = self._through(home, claim, measuring)
            except TilewrightError:
                if not (home.checkpoint / "packs").exists():  # nothing is done that a run could resume from
                    for folder in set(folders):
                        empty(folder)
                raise
            for folder in dict.fromkeys((home.checkpoint, home.beside)):
                if folder == home.checkpoint and self.options.keep_checkpoint:
                    note_placing(folder, placing=False)
                else:
                    empty(folder)
        return table

    def _through(self, home: Destination, claim: Claim, measuring: Measuring) -> Table:
        image, options = self.labels.whole, self.options
        with _crew(options, len(measuring.blocks)) as workers:
            measurement = Measurement(measuring=measuring, crew=workers, report=options.progress or _silent)
            try_table(home, table_spec(measuring, 0, image.source, Path(image.source).name))
            measurement.through()
            spec = table_spec(measurement.measuring, measurement.n_rows, image.source, Path(image.source).name)
            sink = opened_table(home, spec)
            fingerprint = write_table(measurement, sink, home.writer)
        of_labels = {"path": image.source, "fingerprint": measurement.labels_fingerprint()}
        provenance = table_provenance(measurement.measuring, of_labels, measurement.n_rows, fingerprint)
        claim.check()
        note_placing(home.beside, placing=not options.overwrite)
        table = placed_table(measurement, home, sink, provenance)
        discard(home.workdir)
        measurement.close()
        if home.temporary:
            remove_table_with(table, home.temporary)
        return table


def _measuring(labels: Source, image: Source | None, wanted: Wanted, pixels: int, home: Destination) -> Measuring:
    whole = labels.opened
    blocks = blocks_over(whole.axes, whole.shape, whole.chunks, pixels)
    return measuring_of(
        wanted,
        StoredLabels.of(labels, blocks),
        whole,
        image,
        blocks,
        checkpoint=home.checkpoint,
        workdir=home.workdir,
    )


def _record(home: Destination, labels: Source, measuring: Measuring) -> dict[str, Any]:
    """What decides the table, as plain JSON values."""
    image, files = labels.opened, labels.whole.identity.snapshot()
    return {
        "tilewright": __version__,
        "destination": home.path,
        "source": labels.whole.identity.text,
        "file": None if files is None else files._asdict(),
        "labels": [image.axes, list(image.shape), str(image.dtype)],
        "reader": identity("reader", labels.reader) if labels.reader else None,
        "measured": record_of(measuring),
    }


def _crew(options: RunOptions, tasks: int) -> Any:
    count = min(options.workers or (1 if in_task() else cpus()), max(1, tasks))
    return crew(count, processes=options.processes)


def _silent(step: str, done: int, total: int) -> None:
    """Progress that nobody asked for."""
