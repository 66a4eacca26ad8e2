"""From what a user asked for to a plan, through the steps of a run, to a result."""

from __future__ import annotations

import datetime
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..components.blame import whose
from ..errors import InvalidOption, TilewrightError
from ..io.destination import Destination
from ..io.source import Source, open_source
from ..run_options import RunOptions
from ..storage.disk import discard, writing_to
from ..storage.machine import cpus, gpus, open_standard_streams
from .checkpoint.lock import Claim, claimed, empty, has_record, is_placing, keep, note_placing, record_of
from .checkpoint.predictions import PREDICTIONS
from .fingerprint import fingerprint, identity, noting_changes, of_predictions, with_windows_of
from .given import given_labels
from .no_table import Tabling, check_no_table
from .plan import Plan
from .planning import Parts, plan_of
from .provenance import pipeline_record, provenance_of
from .result import Result, remove_with
from .run import Run
from .steps.write import label_spec, opened, try_writer
from .watchers import Watchers
from .workers.crew import crew, in_task
from .workers.main_guard import check_guarded

if TYPE_CHECKING:
    from .forecast import Forecast

__all__ = ["Execution"]


@dataclass(frozen=True, kw_only=True)
class Execution:
    """The parts of a pipeline with the options of one run."""

    parts: Parts
    options: RunOptions

    def run(self, source: Any, destination: str | Path | None) -> Result:
        """Plan, segment, join, write and finish."""
        open_standard_streams()
        if self.options.processes:
            check_guarded(sys._getframe(), "leave processes out: a run uses threads by itself")
        opened, options = self._open(source), self.options
        given = given_labels(options.given, opened.opened)
        home = self._destination(opened, destination)
        try:
            for each in (opened, *given.values()):
                home.check(each.whole.identity, make_parents=options.make_parents)
            if not (options.overwrite or (options.resume and is_placing(home.beside))):
                home.check_free()
            plan = plan_of(self.parts, opened, given, options, home.checkpoint, home.workdir)
            tabling = self._tabling(home, plan, opened, given)
            for table in tabling.homes:
                for each in (opened, *given.values()):
                    table.check(each.whole.identity, make_parents=options.make_parents)
                if not (options.overwrite or (options.resume and is_placing(home.beside))):
                    table.check_free()
            plan, record = self._recorded(plan, home)
            predictions = partial(of_predictions, decode_options=plan.decode_options)
            plan = self._keeping(plan, home, predictions(record))
            with (
                writing_to(plan.checkpoint_path, Path(home.path)),
                claimed(
                    (home.beside, *tabling.folders, home.checkpoint),
                    record,
                    resume=options.resume,
                    lasting=predictions if plan.keep_predictions else None,
                ) as claim,
                noting_changes(plan, record),
            ):
                if not (options.overwrite or is_placing(home.beside)):
                    home.check_free()
                if plan.keep_predictions:
                    keep(home.predictions, predictions(record))
                if claim.new:
                    discard(plan.workdir)  # of a checkpoint that is gone, if it lay outside it
                return self._claimed(plan, home, claim, tabling)
        except BaseException:
            if home.temporary:
                shutil.rmtree(home.temporary, ignore_errors=True)  # nobody knows of it, so nobody can resume from it
            raise

    def forecast(self, source: Any, sample: int) -> Forecast:
        """Plan, and segment a sample of tiles."""
        from .forecast import forecast  # no run needs it

        nowhere = Path()  # a forecast has a checkpoint of its own, and writes nothing
        opened = self._open(source)
        given = given_labels(self.options.given, opened.opened)
        plan = plan_of(self.parts, opened, given, self.options, nowhere, nowhere)
        return forecast(plan, self.options.workers, sample)

    def _tabling(self, home: Destination, plan: Plan, source: Source, given: Mapping[str, Source]) -> Tabling:
        """The table of the run: every measurer is asked, before any work, for all that can be wrong."""
        if not self.parts.measure:
            check_no_table(self.options)
            return Tabling()
        from .tabling import Measured  # most runs measure nothing

        return Measured.of(self.parts.measure, self.options, home, plan, source, given)

    def _open(self, source: Any) -> Source:
        options = self.options
        return open_source(
            source, reader=self.parts.reader, level=options.level, spacing=options.spacing, axes=options.axes
        )

    def _destination(self, source: Source, said: str | Path | None) -> Destination:
        path = source.whole.source or source.path
        return Destination.find(
            said,
            source=path,
            name=self.options.name,
            writer=self.parts.writer,
            checkpoint_dir=self.options.checkpoint_dir,
        )

    def _recorded(self, plan: Plan, home: Destination) -> tuple[Plan, dict[str, Any]]:
        """The plan, with the windows of an earlier run that it can go on from, and its record."""
        record = fingerprint(plan, home.path)
        if not plan.windows:
            return plan, record
        plan = with_windows_of(record_of(home.predictions), plan, of_predictions(record, plan.decode_options))
        plan = with_windows_of(record_of(home.checkpoint), plan, record)
        return plan, fingerprint(plan, home.path)

    def _keeping(self, plan: Plan, home: Destination, record: Mapping[str, Any]) -> Plan:
        """The plan with the folder of kept predictions, if the run keeps them or an earlier one kept the same."""
        if not plan.windows:
            if self.options.keep_predictions:
                who = whose("segmenter", plan.segmenter)
                raise InvalidOption(f"keep_predictions is for networks, and {who} is not one; leave it out")
            return plan
        if not self.options.keep_predictions and not has_record(home.predictions, record):
            return plan
        return replace(plan, predictions_path=home.predictions / PREDICTIONS, keep_predictions=True)

    def _claimed(self, plan: Plan, home: Destination, claim: Claim, tabling: Tabling) -> Result:
        """The run, while it holds its checkpoint."""
        try:
            record = pipeline_record(self.parts, plan, home.writer)
            with Watchers(self.options.progress, plan, home.path, record) as watchers:
                result = self._through(plan, home, claim, tabling, watchers)
                watchers.finished(result)
                return result
        finally:
            plan.checkpoint.close()

    def _through(self, plan: Plan, home: Destination, claim: Claim, tabling: Tabling, watchers: Watchers) -> Result:
        started = datetime.datetime.now(datetime.UTC)
        count = min(self.options.workers or (1 if in_task() else cpus()), max(1, len(plan.grid)))
        try:
            devices = gpus()[: len(plan.batches)] if plan.gpu and self.options.processes else []
            with crew(count, processes=self.options.processes, gpus=devices) as workers:
                try_writer(home.writer, home.path, plan, self.options.name)  # while processes start
                tabling.check_format()
                run = Run(plan=plan, crew=workers, report=watchers.tile_done)
                result = self._stepped(run, home, claim, tabling, watchers, started)
        except TilewrightError:
            if not (plan.checkpoint_path / "packs").exists():  # nothing is done that a run could resume from
                for folder in {home.beside, *tabling.folders, home.checkpoint}:
                    empty(folder)
            raise
        for each in (plan, run.plan):  # NFS and FUSE keep a folder whose files are open
            each.checkpoint.close()
        kept = {home.checkpoint} if self.options.keep_checkpoint or run.failed else set()
        # Last is the one that may say that the output is this run's.
        for folder in dict.fromkeys((*tabling.folders, home.checkpoint, home.beside)):
            if folder in kept:
                note_placing(folder, placing=False)
            else:
                empty(folder)
        return result

    def _stepped(
        self,
        run: Run,
        home: Destination,
        claim: Claim,
        tabling: Tabling,
        watchers: Watchers,
        started: datetime.datetime,
    ) -> Result:
        run.segment()
        outcome = run.join()
        run.prepare(identity("writer", home.writer))
        sink = opened(home.writer, home.path, label_spec(run.plan, run.source, outcome.dtype, self.options.name))
        run.write(home.writer, sink, outcome)
        filled = tabling.filled(run, outcome, watchers.tile_done)
        provenance = {**provenance_of(watchers.pipeline, run, outcome, started), **filled.noted}
        claim.check()
        note_placing(home.beside, placing=not self.options.overwrite)
        table = filled.placed()
        run.finish(home.writer, home.path, sink, provenance)
        result = Result.of(run, outcome, Path(home.path), sink, provenance, table)
        if home.temporary:
            remove_with(result, home.temporary)
        return result
