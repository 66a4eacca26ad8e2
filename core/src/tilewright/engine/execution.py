"""From what a user asked for to a plan, through the engine, to a result."""

from __future__ import annotations

import datetime
import platform
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..abc.writer import Sink, read_back
from ..behind import files_behind
from ..components.resolve import configuration, declared, name_of
from ..components.specs import Kind
from ..errors import InvalidOption, TilewrightError
from ..image import Image
from ..io.destination import Destination
from ..io.source import chosen_channels, open_source
from ..labels.slices import chosen_iou
from ..storage.disk import discard, writing_to
from .checkpoint.fingerprint import fingerprint, identity
from .checkpoint.lock import claimed, empty
from .forecast import Forecast, forecast
from .plan import Plan, Source, needed_axes
from .planning import context_of, grid_of
from .result import Result, remove_with
from .run import Outcome, Progress, Run
from .steps.write import label_spec, try_writer
from .watchers import Watchers
from .workers.crew import cpus, crew
from .workers.main_guard import check_guarded

if TYPE_CHECKING:
    from ..pipeline import Pipeline

__all__ = ["Execution"]


@dataclass(frozen=True, kw_only=True)
class Execution:
    """A pipeline with the choices of one run; `Pipeline.run` documents them."""

    pipeline: Pipeline
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
            home.check(*_places(opened), overwrite=self.overwrite)
            plan = self._plan(opened, home.checkpoint, home.workdir)
            record = fingerprint(plan, home.path)
            with writing_to(plan.checkpoint_path, Path(home.path)), ExitStack() as claims:
                for folder in dict.fromkeys((home.beside, home.checkpoint)):
                    new = claims.enter_context(claimed(folder, record, resume=self.resume))
                if new:
                    discard(plan.workdir)  # of a checkpoint that is gone, if it lay outside it
                return self._recorded(plan, home)
        except BaseException:
            if home.temporary:
                shutil.rmtree(home.temporary, ignore_errors=True)  # nobody knows of it, so nobody can go on from it
            raise

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
        return open_source(source, reader=self.pipeline.reader, level=self.level, axes=self.axes)

    def forecast(self, source: Any, sample: int) -> Forecast:
        """Plan, and segment a sample of tiles."""
        self._check()
        nowhere = Path()  # a forecast has a checkpoint of its own, and writes nothing
        return forecast(self._plan(self._open(source), nowhere, nowhere), self.workers, sample)

    def _recorded(self, plan: Plan, home: Destination) -> Result:
        try:
            with Watchers(self.progress, plan, home.path) as watchers:
                result = self._through(plan, home, watchers.tile_done)
                watchers.finished(result)
                return result
        finally:
            plan.checkpoint.close()

    def _destination(self, source: Source, said: str | Path | None) -> Destination:
        path = source.opened.source or source.path
        return Destination.find(
            said, source=path, name=self.name, writer=self.pipeline.writer, stage_dir=self.stage_dir
        )

    def _plan(self, source: Source, checkpoint: Path, workdir: Path) -> Plan:
        image, segmenter = source.opened, self.pipeline.segmenter
        axes = needed_axes(segmenter, image.spatial_axes)
        channels = chosen_channels(image, segmenter, axes, self.channel, self.channels)
        source = Source(path=source.path, reader=source.reader, image=source.image, channels=channels)
        image = source.opened
        segmenter = _prepared(segmenter, image)
        merger = self.pipeline.effective_merger()
        if self.same_ids and hasattr(merger, "decide"):
            raise InvalidOption(
                f"same_ids joins what has one id, but merger {name_of('merger', merger)!r} chooses which of several "
                "views of an object is drawn; use merger 'touch' (--merger touch)"
            )
        grid = grid_of(self.pipeline.tiler, image, segmenter, axes, merger)
        return Plan(
            source=source,
            grid=grid,
            segmenter=segmenter,
            merger=merger,
            checkpoint_path=checkpoint,
            workdir=workdir,
            context=context_of(segmenter, image, grid),
            min_size=declared(segmenter, "min_size", 0),
            empty=self.empty,
            same_ids=self.same_ids,
            join_z=chosen_iou(self.join_z, grid),
            on_error=self.on_error,
            retries=self.retries,
        )

    def _through(self, plan: Plan, home: Destination, progress: Progress) -> Result:
        started = datetime.datetime.now(datetime.UTC)
        count = min(self.workers or cpus(), max(1, len(plan.grid)))
        with crew(count, processes=self.processes) as workers:
            self._try_writer(plan, home)  # while processes start
            run = Run(plan=plan, crew=workers, progress=progress)
            run.segment()
            outcome = run.join()
            run.prepare(identity("writer", home.writer))
            sink = home.writer(home.path, label_spec(plan, outcome.dtype, self.name, plan.workdir))
            run.write(sink, outcome)
            provenance = self._provenance(plan, run, home.writer, outcome, started)
            run.finish(sink, provenance)
        plan.checkpoint.close()
        run.plan.checkpoint.close()
        keep = self.keep_stage or run.failed
        for folder in {home.beside, home.checkpoint} - ({home.checkpoint} if keep else set()):
            empty(folder)
        return _result(run, outcome, home, sink, provenance)

    def _try_writer(self, plan: Plan, home: Destination) -> None:
        try:
            try_writer(home.writer, home.path, plan, self.name)
        except TilewrightError:
            if not (plan.checkpoint_path / "packs").exists():  # nothing is done that a run could go on from
                for folder in {home.beside, home.checkpoint}:
                    empty(folder)
            raise

    def _provenance(
        self, plan: Plan, run: Run, writer: Callable[..., Any], outcome: Outcome, started: datetime.datetime
    ) -> dict[str, Any]:
        """What ran, in plain values: enough to run it again, and to know what it ran on."""
        from .. import __version__

        grid = plan.grid
        ran: dict[Kind, Callable[..., Any] | None] = {
            "reader": plan.source.reader,
            "tiler": self.pipeline.tiler,
            "segmenter": plan.segmenter,
            "merger": plan.merger,
            "writer": writer,
        }
        return {
            "tilewright": __version__,
            "python": platform.python_version(),
            "pipeline": {kind: configuration(kind, part) for kind, part in ran.items() if part is not None},
            "source": plan.source.path,
            "channels": plan.source.channels,
            "tiles": {"axes": grid.axes, "largest": grid.largest, "halo": grid.halo, "count": len(grid)},
            "join_z": plan.join_z,
            "n_skipped": run.skipped,
            "failed": run.failed,
            "n_objects": outcome.n_objects,
            "started": started.isoformat(timespec="seconds"),
            "seconds": {step: round(spent, 3) for step, spent in run.seconds.items()},
        }


def _places(source: Source) -> list[str]:
    """Where the pixels lie on disk, as far as is known."""
    places = [source.path, *map(str, files_behind(source.opened))]
    return [place for place in places if place]


def _prepared(segmenter: Callable[..., Any], image: Image) -> Callable[..., Any]:
    """The segmenter with what it fixes once for the whole image, if it fixes anything."""
    prepare = getattr(segmenter, "prepare", None)
    prepared = prepare(image) if prepare else segmenter
    if not callable(prepared):
        raise InvalidOption(
            f"segmenter {name_of('segmenter', segmenter)!r} must return a segmenter from prepare, not {prepared!r}"
        )
    return prepared


def _result(run: Run, outcome: Outcome, home: Destination, sink: Sink, provenance: Mapping[str, Any]) -> Result:
    result = Result(
        path=Path(home.path),
        n_objects=outcome.n_objects,
        n_tiles=len(run.plan.grid),
        n_skipped=run.skipped,
        failed=tuple(run.failed),
        seconds=dict(run.seconds),
        provenance=provenance,
        data=read_back(sink),
    )
    if home.temporary:
        remove_with(result, home.temporary)
    return result
