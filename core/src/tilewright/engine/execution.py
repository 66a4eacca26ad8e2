"""From what a user asked for to a plan, through the steps of a run, to a result."""

from __future__ import annotations

import datetime
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..abc.traits import outputs_of
from ..abc.writer import Sink
from ..components.blame import name_of, whose
from ..components.events import RunPlanned
from ..errors import InvalidOption, TilewrightError, WorkerDiffers
from ..io.destination import Destination, for_output
from ..io.source import Source, open_source
from ..run_options import RunOptions
from ..storage.disk import discard, writing_to
from ..storage.identity import Identity
from ..storage.location import Location
from ..storage.machine import cpus, gpus, open_standard_streams
from .checkpoint.claims import TASKS
from .checkpoint.differences import differences, same
from .checkpoint.lock import Claim, claimed, empty, has_record, is_placing, keep, note_placing, record_of
from .checkpoint.predictions import PREDICTIONS
from .checkpoint.traces import TRACES
from .fingerprint import fingerprint, identity, noting_changes, of_predictions, with_windows_of
from .no_table import Tabling, check_no_table
from .plan import Plan
from .planning import Parts, plan_of
from .provenance import pipeline_record, provenance_of
from .result import Result, remove_with
from .run import Outcome, Run
from .steps.write import label_spec, opened, try_writer
from .watchers import Watchers
from .workers.crew import Crew, crew, in_task
from .workers.main_guard import check_guarded

if TYPE_CHECKING:
    from ..storage.remote_lock import RemoteHold
    from .forecast import Forecast
    from .within import Area

__all__ = ["Execution"]


@dataclass(frozen=True, kw_only=True)
class Output:
    """One label image of a run: its name, empty if it is the only one; where it goes; and its table."""

    name: str
    home: Destination
    tabling: Tabling


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A run that may begin: its plan, its record, and its outputs."""

    plan: Plan
    record: dict[str, Any]
    outputs: Sequence[Output]


@dataclass(frozen=True, kw_only=True)
class Execution:
    """The parts of a pipeline with the options of one run.

    noted: of a step of a workflow: called when all labels are known, for what their provenance is to hold besides. It
        holds a digest of the labels too, which a run by itself need not make.
    """

    parts: Parts
    options: RunOptions
    noted: Callable[[], Mapping[str, Any]] | None = None

    def run(self, source: Any, destination: str | Path | None, *, task: bool = False) -> Result:
        """Plan, segment, join, write and finish. task: whether this is the task of a job that ends it."""
        open_standard_streams()
        if self.options.processes:
            check_guarded(sys._getframe(), "leave processes out: a run uses threads by itself")
        with self._ready(source, destination) as ready, self._holding(ready, task=task) as claim:
            return self._claimed(ready.plan, ready.outputs, claim)

    @contextmanager
    def submitting(self, source: Any, destination: str | Path | None) -> Iterator[Plan]:
        """Hold a checkpoint for the tasks of a job to resume from, after all checks of a run."""
        with self._ready(source, destination) as ready, self._holding(ready):
            with _unused_removed(ready.plan, _all_folders(ready.outputs)):
                for part, each in enumerate(ready.outputs):
                    self._try_formats(each, ready.plan.output(part, each.home.workdir))
            yield ready.plan

    @contextmanager
    def segmenting(self, source: Any, destination: str | Path | None, checkpoint: Path) -> Iterator[Callable[..., Run]]:
        """What makes runs on the checkpoint of a job, of which a task has each segment blocks of tiles alone.

        A run knows what was recorded when it was made. WorkerDiffers if this process would make other labels than the
        job is to make.
        """
        with self._ready(source, destination) as ready, noting_changes(ready.plan, ready.record):
            plan, theirs = ready.plan, record_of(checkpoint) or {}
            if not same(theirs, ready.record):
                raise WorkerDiffers(
                    f"this task would not make the labels of the job in {checkpoint}: "
                    f"{differences(theirs, ready.record)}. Give it the same image and the same packages, or submit the "
                    "job again"
                )
            if plan.windows and not plan.keep_predictions:  # which go when no tile of the task's own blocks needs them
                plan = replace(plan, predictions_path=checkpoint / TASKS / secrets.token_hex(8))
            with writing_to(checkpoint, _paths([each.home for each in ready.outputs])), self._crew(plan) as workers:
                try:
                    yield partial(Run, plan=plan, crew=workers)
                finally:
                    plan.checkpoint.close()

    @contextmanager
    def _ready(self, source: Any, destination: str | Path | None) -> Iterator[Ready]:
        """The run, planned and checked. Nothing is left of a temporary output if it fails."""
        opened = self.open(source)
        given, area = self._given(opened), self._area(opened)
        homes = [self.destination(opened, destination, name) for name in outputs_of(self.parts.segmenter) or ("",)]
        images = [each.whole.identity for each in (opened, *given.values())] + (area.identities if area else [])
        home = homes[0]
        try:
            self._check_places(homes, images, home)
            plan = self._plan(opened, given, area, home.checkpoint, home.workdir)
            outputs = self._outputs(plan, homes, opened, given)
            tables = [each for output in outputs for each in output.tabling.homes]
            self._check_places(tables, images, home)
            _check_distinct([*homes, *tables])
            plan, record = self._recorded(plan, homes)
            plan = self._keeping(plan, home, of_predictions(record, plan.decode_options))
            yield Ready(plan=plan, record=record, outputs=outputs)
        except BaseException:
            for folder in filter(None, (each.temporary for each in homes)):
                shutil.rmtree(folder, ignore_errors=True)  # nobody knows of it, so nobody can resume from it
            raise

    @contextmanager
    def _holding(self, ready: Ready, *, task: bool = False) -> Iterator[Claim]:
        """Hold the folders of a run that may begin."""
        plan, record, outputs, options = ready.plan, ready.record, ready.outputs, self.options
        homes = [each.home for each in outputs]
        home, predictions = homes[0], partial(of_predictions, decode_options=plan.decode_options)
        with (
            writing_to(plan.checkpoint_path, _paths(homes)),
            _held(homes) as far,
            claimed(
                (*(each.beside for each in homes), *_table_folders(outputs), home.checkpoint),
                record,
                resume=options.resume,
                lasting=predictions if plan.keep_predictions else None,
                task=task,
            ) as taken,
            noting_changes(plan, record),
        ):
            if not (options.overwrite or is_placing(home.beside)):
                for each in homes:
                    each.check_free()
            if plan.keep_predictions:
                keep(home.predictions, predictions(record))
            for each in homes if taken.new else ():
                discard(each.workdir)  # of a checkpoint that is gone, if it lay outside it
            yield replace(taken, holds=(*taken.holds, *far))

    def forecast(self, source: Any, sample: int) -> Forecast:
        """Plan, and segment a sample of tiles."""
        from .forecast import forecast  # no run needs it

        return forecast(self.planned(self.open(source)), self.options.workers, sample)

    def planned(self, opened: Source) -> Plan:
        """The plan of a run that has no destination, for work with a checkpoint of its own."""
        nowhere = Path()
        return self._plan(opened, self._given(opened), self._area(opened), nowhere, nowhere)

    def _given(self, source: Source) -> dict[str, Source]:
        """The label images that the user gives, opened lazily."""
        if not self.options.given:
            return {}
        from .given import given_labels  # most runs are given none

        return given_labels(self.options.given, source.opened, self.options.storage)

    def _area(self, source: Source) -> Area | None:
        """The region to which the run is restricted, opened lazily."""
        if self.options.within is None:
            return None
        from .region import area_of  # most runs have none

        within, storage = self.options.within, self.options.storage
        return area_of(Location.of(within, storage) if isinstance(within, str | Path) else within, source)

    def _plan(
        self, source: Source, given: Mapping[str, Source], area: Area | None, checkpoint: Path, workdir: Path
    ) -> Plan:
        plan = plan_of(self.parts, source, given, self.options, checkpoint, workdir)
        if area is None:
            return plan
        from .region import restricted

        return restricted(plan, area, self.options)

    def _check_places(self, places: Sequence[Destination], images: Iterable[Identity], home: Destination) -> None:
        """Refuse places that would destroy an image, or that are not free, unless an earlier run put that there."""
        free = self.options.overwrite or (self.options.resume and is_placing(home.beside))
        for place in places:
            for each in images:
                place.check(each, make_parents=self.options.make_parents)
            if not free:
                place.check_free()

    def _outputs(
        self, plan: Plan, homes: Sequence[Destination], source: Source, given: Mapping[str, Source]
    ) -> list[Output]:
        """The label images of the run, each with its table."""
        plans = [plan, *(plan.output(part, home.workdir) for part, home in enumerate(homes[1:], 1))]
        return [
            Output(name=name, home=home, tabling=self._tabling(home, plans, part, source, given))
            for part, (name, home) in enumerate(zip(plan.outputs or ("",), homes, strict=True))
        ]

    def _tabling(
        self, home: Destination, plans: Sequence[Plan], part: int, source: Source, given: Mapping[str, Source]
    ) -> Tabling:
        """The table of an output: every measurer is asked, before any work, for all that can be wrong."""
        if not self.parts.measure:
            check_no_table(self.options)
            return Tabling()
        from .tabling import Measured  # most runs measure nothing

        return Measured.of(self.parts.measure, self.options, home, plans, part, source, given)

    def open(self, source: Any) -> Source:
        """The source of the run, opened lazily; one that was opened so already is returned."""
        if isinstance(source, Source):
            return source
        options = self.options
        return open_source(
            source,
            reader=self.parts.reader,
            level=options.level,
            spacing=options.spacing,
            axes=options.axes,
            storage=options.storage,
        )

    def destination(self, source: Source, said: str | Path | None, output: str) -> Destination:
        """Where the labels of an output go; its name is empty if it is the only one."""
        path = source.whole.source or source.path
        return Destination.find(
            for_output(said, output, outputs_of(self.parts.segmenter), "output"),
            source=path,
            name=output or self.options.name,
            writer=self.parts.writer,
            checkpoint_dir=self.options.checkpoint_dir,
            storage=self.options.storage,
        )

    def _recorded(self, plan: Plan, homes: Sequence[Destination]) -> tuple[Plan, dict[str, Any]]:
        """The plan, with the windows of an earlier run that it can go on from, and its record."""
        home, paths = homes[0], ", ".join(Location.of(each.path).named for each in homes)
        record = fingerprint(plan, paths)
        if not plan.windows:
            return plan, record
        plan = with_windows_of(record_of(home.predictions), plan, of_predictions(record, plan.decode_options))
        plan = with_windows_of(record_of(home.checkpoint), plan, record)
        return plan, fingerprint(plan, paths)

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

    def _claimed(self, plan: Plan, outputs: Sequence[Output], claim: Claim) -> Result:
        """The run, while it holds its checkpoint."""
        homes = [each.home for each in outputs]
        try:
            record = pipeline_record(self.parts, plan, homes[0].writer)
            with Watchers(self.options.progress, _planned(plan, _paths(homes), record)) as watchers:
                result = self._through(plan, outputs, claim, watchers)
                watchers.finished(result)
                return result
        finally:
            plan.checkpoint.close()

    def _through(self, plan: Plan, outputs: Sequence[Output], claim: Claim, watchers: Watchers) -> Result:
        started = datetime.datetime.now(datetime.UTC)
        home, folders = outputs[0].home, _all_folders(outputs)
        discard(plan.checkpoint_path / TRACES)  # of workers that an earlier run lost
        with _unused_removed(plan, folders), self._crew(plan) as workers:
            runs = [
                Run(
                    plan=plan.output(part, each.home.workdir) if part else plan,
                    crew=workers,
                    report=watchers.tile_done,
                    output=each.name,
                    digesting=self.noted is not None,
                )
                for part, each in enumerate(outputs)
            ]
            plans = [run.plan for run in runs]
            for each, run in zip(outputs, runs, strict=True):  # while processes start
                self._try_formats(each, run.plan)
            result = self._stepped(runs, outputs, claim, watchers, started)
        for made in (*plans, *(run.plan for run in runs)):  # NFS and FUSE keep a folder whose files are open
            made.checkpoint.close()
        kept = {home.checkpoint} if self.options.keep_checkpoint or result.failed else set()
        for folder in dict.fromkeys(folders):
            if folder in kept:
                note_placing(folder, placing=False)
            else:
                empty(folder)
        return result

    @contextmanager
    def _crew(self, plan: Plan) -> Iterator[Crew]:
        """Who does the tasks of a plan."""
        count = min(self.options.workers or (1 if in_task() else cpus()), max(1, len(plan.grid)))
        devices = gpus()[: len(plan.batches)] if plan.gpu and self.options.processes else []
        with crew(count, processes=self.options.processes, gpus=devices) as workers:
            yield workers

    def _try_formats(self, output: Output, plan: Plan) -> None:
        """Have the writer and the format of the table say before any work what they would refuse."""
        try_writer(output.home.writer, output.home.path, plan, output.name or self.options.name)
        output.tabling.check_format()

    def _stepped(
        self,
        runs: Sequence[Run],
        outputs: Sequence[Output],
        claim: Claim,
        watchers: Watchers,
        started: datetime.datetime,
    ) -> Result:
        runs[0].segment(runs[1:])
        outcomes = [run.join() for run in runs]
        finals = {run.output: (run.plan, outcome.dtype) for run, outcome in zip(runs, outcomes, strict=True)}
        works = list(zip(outputs, runs, outcomes, strict=True))
        sinks = [self._written(*work) for work in works]
        filled = [output.tabling.filled(run, outcome, finals) for output, run, outcome in works]
        more = {} if self.noted is None else self.noted()
        claim.check()
        note_placing(outputs[0].home.beside, placing=not self.options.overwrite)
        tables = [each.placed() for each in filled]
        results = {}
        for (output, run, outcome), sink, noted, table in zip(works, sinks, filled, tables, strict=True):
            home = output.home
            provenance = {**provenance_of(watchers.pipeline, run, outcome, started), **noted.noted, **more}
            run.finish(home.writer, home.path, sink, provenance)
            results[output.name] = result = Result.of(run, outcome, home.place, sink, provenance, table)
            if home.temporary:
                remove_with(result, home.temporary)
        return Result.of_outputs(results) if runs[0].output else result

    def _written(self, output: Output, run: Run, outcome: Outcome) -> Sink:
        """The sink of an output, filled."""
        home = output.home
        run.prepare(identity("writer", home.writer))
        spec = label_spec(
            run.plan, run.source, outcome.dtype, output.name or self.options.name, self.options.old_seconds or 0.0
        )
        sink = opened(home.writer, home.path, spec)
        run.write(home.writer, sink, outcome)
        return sink


@contextmanager
def _held(homes: Sequence[Destination]) -> Iterator[tuple[RemoteHold, ...]]:
    """Hold the outputs that are in buckets, of which no folder of this machine can tell who writes them."""
    with ExitStack() as stack:
        far = [each.place for each in homes if isinstance(each.place, Location)]
        if not far:
            yield ()
            return
        from ..storage.remote_lock import held_object  # most runs write to folders

        yield tuple(stack.enter_context(held_object(place)) for place in far)


def _check_distinct(places: Sequence[Destination]) -> None:
    """InvalidOption if labels or tables of two outputs would be at one path."""
    paths = [each.path for each in places]
    for path in paths:
        if paths.count(path) > 1:
            raise InvalidOption(f"two outputs, or one and a table, would be at {path}; give other paths")


def _paths(homes: Sequence[Destination]) -> str:
    """Where the labels go, as one text."""
    return ", ".join(each.path for each in homes)


def _planned(plan: Plan, destination: str, pipeline: Mapping[str, Any]) -> RunPlanned:
    """What watchers are told of a run that is about to begin."""
    image, grid = plan.source.opened, plan.grid
    return RunPlanned(
        source=image.source or image.name,
        destination=destination,
        axes=grid.axes,
        shape=grid.shape,
        tiles=len(plan.wanted),
        segmenter=name_of("segmenter", plan.segmenter),
        run=secrets.token_hex(8),
        pipeline=pipeline,
        tile=grid.largest,
        halo=grid.halo,
        merger=name_of("merger", plan.merger),
    )


def _all_folders(outputs: Sequence[Output]) -> list[Path]:
    """The folders that a run holds. Last is the one that may say that the outputs are this run's."""
    home = outputs[0].home
    return [*_table_folders(outputs), *(each.home.beside for each in outputs[1:]), home.checkpoint, home.beside]


@contextmanager
def _unused_removed(plan: Plan, folders: Iterable[Path]) -> Iterator[None]:
    """Leave no checkpoint behind an error before which nothing was done that a run could resume from."""
    try:
        yield
    except TilewrightError:
        if not (plan.checkpoint_path / "packs").exists():
            for folder in {*folders}:
                empty(folder)
        raise


def _table_folders(outputs: Sequence[Output]) -> list[Path]:
    """The folders beside the tables, which the run holds too."""
    return [folder for each in outputs for folder in each.tabling.folders]
