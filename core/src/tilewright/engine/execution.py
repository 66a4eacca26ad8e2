"""From what a user asked for to a plan, through the steps of a run, to a result."""

from __future__ import annotations

import datetime
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..components.blame import blamed
from ..errors import InvalidOption, TilewrightError
from ..io.destination import Destination
from ..io.source import Source, open_source
from ..storage.disk import discard, writing_to
from ..storage.machine import cpus
from .checkpoint.lock import claimed, empty
from .fingerprint import fingerprint, identity, noting_changes
from .forecast import Forecast, forecast
from .plan import Plan
from .planning import Parts, plan_of
from .provenance import pipeline_record, provenance_of
from .result import Result, remove_with
from .run import Progress, Run
from .steps.write import label_spec, opened, try_writer
from .watchers import Watchers
from .workers.crew import crew
from .workers.main_guard import check_guarded

__all__ = ["Execution"]


@dataclass(frozen=True, kw_only=True)
class Execution:
    """The parts of a pipeline with the choices of one run; `Pipeline.run` documents them."""

    parts: Parts
    channel: int | str | None = None
    channels: Sequence[int | str] | None = None
    level: int | None = None
    axes: str | None = None
    name: str = "labels"
    overwrite: bool = False
    resume: bool = True
    workers: int | None = None
    processes: bool = False
    stage_dir: str | Path | None = None
    keep_stage: bool = False
    empty: float | None = None
    same_ids: bool = False
    join_z: bool | float = False
    on_error: Literal["raise", "skip"] = "raise"
    retries: int = 0
    progress: Progress | None = None

    def run(self, source: Any, destination: str | Path | None) -> Result:
        """Plan, segment, join, write and finish."""
        self._check()
        opened = self._open(source)
        home = self._destination(opened, destination)
        try:
            home.check(opened.whole.identity, overwrite=self.overwrite)
            plan = plan_of(self.parts, opened, self, home.checkpoint, home.workdir)
            record = fingerprint(plan, home.path)
            with writing_to(plan.checkpoint_path, Path(home.path)), ExitStack() as claims:
                for folder in dict.fromkeys((home.beside, home.checkpoint)):
                    new = claims.enter_context(claimed(folder, record, resume=self.resume))
                if new:
                    discard(plan.workdir)  # of a checkpoint that is gone, if it lay outside it
                claims.enter_context(noting_changes(plan, record))
                return self._claimed(plan, home)
        except BaseException:
            if home.temporary:
                shutil.rmtree(home.temporary, ignore_errors=True)  # nobody knows of it, so nobody can resume from it
            raise

    def forecast(self, source: Any, sample: int) -> Forecast:
        """Plan, and segment a sample of tiles."""
        self._check()
        nowhere = Path()  # a forecast has a checkpoint of its own, and writes nothing
        return forecast(plan_of(self.parts, self._open(source), self, nowhere, nowhere), self.workers, sample)

    def _check(self) -> None:
        if self.workers is not None and (type(self.workers) is not int or self.workers < 1):
            raise InvalidOption(f"workers must be a whole number of at least 1, not {self.workers!r}")
        if self.on_error not in ("raise", "skip") or self.retries < 0:
            raise InvalidOption(
                f"on_error must be 'raise' or 'skip', not {self.on_error!r}; retries at least 0, not {self.retries}"
            )
        if self.processes:
            check_guarded(sys._getframe(), "leave processes out: a run uses threads by itself")

    def _open(self, source: Any) -> Source:
        return open_source(source, reader=self.parts.reader, level=self.level, axes=self.axes)

    def _destination(self, source: Source, said: str | Path | None) -> Destination:
        path = source.whole.source or source.path
        return Destination.find(said, source=path, name=self.name, writer=self.parts.writer, stage_dir=self.stage_dir)

    def _claimed(self, plan: Plan, home: Destination) -> Result:
        """The run, while it holds its checkpoint."""
        try:
            with Watchers(self.progress, plan, home.path, pipeline_record(self.parts, plan, home.writer)) as watchers:
                result = self._through(plan, home, watchers)
                watchers.finished(result)
                return result
        finally:
            plan.checkpoint.close()

    def _through(self, plan: Plan, home: Destination, watchers: Watchers) -> Result:
        started = datetime.datetime.now(datetime.UTC)
        count = min(self.workers or cpus(), max(1, len(plan.grid)))
        with crew(count, processes=self.processes) as workers:
            self._try_writer(plan, home)  # while processes start
            run = Run(plan=plan, crew=workers, report=watchers.tile_done)
            result = self._stepped(run, home, watchers, started)
        run.plan.checkpoint.close()
        keep = self.keep_stage or run.failed
        for folder in {home.beside, home.checkpoint} - ({home.checkpoint} if keep else set()):
            empty(folder)
        return result

    def _stepped(self, run: Run, home: Destination, watchers: Watchers, started: datetime.datetime) -> Result:
        run.segment()
        outcome = run.join()
        run.prepare(identity("writer", home.writer))
        sink = opened(home.writer, home.path, label_spec(run.plan, run.source, outcome.dtype, self.name))
        run.write(home.writer, sink, outcome)
        provenance = provenance_of(watchers.pipeline, run, outcome, started)
        with blamed("writer", home.writer, f"finishing {home.path!r}"):
            run.finish(sink, provenance)
        result = Result.of(run, outcome, Path(home.path), sink, provenance)
        if home.temporary:
            remove_with(result, home.temporary)
        return result

    def _try_writer(self, plan: Plan, home: Destination) -> None:
        try:
            try_writer(home.writer, home.path, plan, self.name)
        except TilewrightError:
            if not (plan.checkpoint_path / "packs").exists():  # nothing is done that a run could resume from
                for folder in {home.beside, home.checkpoint}:
                    empty(folder)
            raise
