"""The job: one run that several processes do, each with blocks of tiles that it claims in the checkpoint."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..components.files import read_record
from ..engine.checkpoint.claims import JOB, TASKS, Claims, TaskClaim
from ..engine.execution import Execution
from ..errors import InvalidOption, TilewrightError
from ..pipeline import Pipeline
from ..run_options import Progress, RunOptions
from ..storage.disk import discard, write_whole

if TYPE_CHECKING:
    from ..engine.plan import Plan
    from ..engine.result import Result

__all__ = ["Job"]

BLOCKS = 16  # for each task, so that all end at about the same time and a task that dies leaves little
LONGEST = 4.0  # seconds between two looks at what other tasks do


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run that several processes do: what `tilewright submit` leaves in the checkpoint, as plain values.

    folder: the one in which the job was submitted, to which its paths are relative.
    pipeline, options: as `Pipeline.to_dict` makes them, and as `Pipeline.run` takes them.
    tiles: how many there are to segment. size: how many of them make a block. resumed: whether some may be recorded
        from before.
    """

    checkpoint: Path
    folder: str
    image: str
    output: str | None
    pipeline: Mapping[str, Any]
    options: Mapping[str, Any]
    tiles: int
    size: int
    resumed: bool

    @classmethod
    def submit(
        cls, pipeline: Pipeline, image: str, output: str | None, options: Mapping[str, Any], *, tasks: int
    ) -> Self:
        """Check and plan a run as `Pipeline.run` does, and leave in its checkpoint what its tasks need to know.

        Tiles that an earlier run or job has recorded are not done again. OutputBusy while a run, or a task of a job, is
        at work there. InvalidOption for a limit on the predictions that are kept: each task would remove what others
        need.
        """
        chosen = RunOptions(**options)
        if chosen.most_kept is not None:
            raise InvalidOption(
                f"keep_predictions is {chosen.keep_predictions!r}, but the tasks of a job keep all predictions or "
                "none; give it without a size, or leave it out"
            )
        with Execution(parts=pipeline, options=chosen).submitting(image, output) as plan:
            job = cls(
                checkpoint=plan.checkpoint_path,
                folder=str(Path.cwd()),
                image=image,
                output=output,
                pipeline=pipeline.to_dict(),
                options={**options, "resume": True},  # the tasks resume from what is there now
                tiles=len(plan.wanted),
                size=_block(plan, tasks),
                resumed=(plan.checkpoint_path / "packs").exists(),
            )
            discard(job.checkpoint / TASKS)
            (job.checkpoint / TASKS).mkdir()
            record = {name: value for name, value in vars(job).items() if name != "checkpoint"}
            write_whole(job.checkpoint / JOB, json.dumps(record, indent=1))
        return job

    @classmethod
    def open(cls, checkpoint: Path) -> Self | None:
        """The job of a checkpoint; None if it has ended. InvalidOption for a path that no checkpoint can have."""
        if checkpoint.suffix != ".tilewright":
            raise InvalidOption(f"{checkpoint} is not a checkpoint; give the path that `tilewright submit` prints")
        if not (checkpoint / JOB).exists():
            return None
        record = read_record(checkpoint / JOB, "job")
        try:
            return cls(checkpoint=checkpoint.absolute(), **record)
        except TypeError as error:  # it has other fields
            raise InvalidOption(
                f"{checkpoint / JOB} is not a job of this version of tilewright ({error}); submit it again"
            ) from error

    @property
    def claims(self) -> Claims:
        """The claims of the blocks."""
        return Claims(self.checkpoint, math.ceil(self.tiles / self.size))

    def work(
        self, *, workers: int | None = None, wait: bool = False, progress: Progress | None = None
    ) -> Result | None:
        """Take part, in the job's folder: segment blocks, and end the run if no other task does.

        The result is that of the run, if this task ended it. A task that finds no block waits for those of the others,
        and takes over what a dead one leaves. It is over when a task ends the run; with `wait` it stands by until that
        has ended.
        workers: threads or processes, unless the job says how many.
        """
        os.chdir(self.folder)
        chosen = {name: value for name, value in self.options.items() if value is not None}
        options = RunOptions(**{"workers": workers, **chosen, "progress": progress})
        execution = Execution(parts=Pipeline.from_dict(self.pipeline), options=options)
        claims = self.claims
        try:
            end = self._segmented(execution, claims, wait=wait)
        except (TilewrightError, OSError):
            if (self.checkpoint / JOB).exists():
                raise
            return None  # the run has just ended, and what this task needed is removed
        if end is None:
            return None
        with claims.held(end):
            return execution.run(self.image, self.output, task=True)

    def _segmented(self, execution: Execution, claims: Claims, *, wait: bool) -> TaskClaim | None:
        """Segment the blocks that this task claims. Returns its claim on the end of the run, if it has that."""
        with ExitStack() as stack:
            begin = run = None
            for claim in _taken(claims, wait=wait):
                if claim.block == claims.end:
                    return claim
                if execution.options.progress is not None:
                    done = min(claims.done() * self.size, self.tiles)
                    execution.options.progress("segment", done, self.tiles)
                with claims.held(claim):
                    begin = begin or stack.enter_context(execution.segmenting(self.image, self.output, self.checkpoint))
                    if run is None or claim.before:  # what a dead task has recorded is not done again
                        run = begin(resuming=self.resumed or claim.before > 0)
                    first = claim.block * self.size
                    run.segment_block(run.plan.wanted[first : first + self.size])
        return None


def _taken(claims: Claims, *, wait: bool) -> Iterator[TaskClaim]:
    """Blocks to do, as long as there are some. It waits while other tasks are at all that is left."""
    pause = 0.1
    while True:
        claim = claims.take()
        if claim is not None:
            pause = 0.1
            yield claim
        elif claims.is_over(wait=wait):
            return
        else:
            time.sleep(pause)
            pause = min(2 * pause, LONGEST)


def _block(plan: Plan, tasks: int) -> int:
    """Tiles to a block. A network's are whole rows: windows that two blocks need are predicted for each of them."""
    size = max(1, len(plan.wanted) // (BLOCKS * tasks))
    row = math.prod(plan.grid.counts[1:]) if plan.windows else 1
    return max(1, size // row) * row
