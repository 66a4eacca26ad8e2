"""Claims: which task of a job is at which block of tiles, as files in the checkpoint that all tasks see.

A claim saves work and is never needed for right labels: a tile that two tasks segment is one tile. So nothing is
locked. The first task that begins block 7 makes the file `7.0`, which only one can, and touches it every `BEAT`
seconds. When the file has not been touched for `LEASE`, by the clock of the file system, another task makes `7.1`. A
block that is done has the file `7.done` too. No claim is removed before the job ends: a network file system may show a
folder as it was a while ago, and what was begun must not look as if it were not.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ...errors import WorkerLost
from ...storage.lock import Holder, Pulse, holder_of
from ...storage.machine import is_alive, this_process

__all__ = ["JOB", "TASKS", "Claims", "Counts", "TaskClaim", "task_at_work"]

JOB = "job.json"  # in the checkpoint: what the tasks are to do, for as long as there is something to do
TASKS = "tasks"  # a folder of the checkpoint
BEAT, LEASE = 5.0, 30.0  # seconds
LOSSES = 3  # tasks that began a block and did not end it, from which on nobody begins it
DONE = LOSSES + 1  # in place of how many tasks began a block


class TaskClaim(NamedTuple):
    """A block that a task has claimed, and how many tasks began it before."""

    block: int
    before: int


class Counts(NamedTuple):
    """How many blocks are done, how many living tasks are at, and how many are open.

    ending: whether a living task is at the end of the run.
    """

    done: int
    claimed: int
    open: int
    ending: bool


class Claims:
    """The claims of a job's blocks. The block after the last is the end of the run: to join and to write."""

    def __init__(self, checkpoint: Path, blocks: int) -> None:
        self.folder, self.end = checkpoint / TASKS, blocks
        self._next = secrets.randbelow(max(1, blocks))  # tasks that start together do not want the same block

    def take(self) -> TaskClaim | None:
        """Claim a block that no task has begun, or whose task has died; the end, once all blocks are done.

        None if living tasks are at all that is left. WorkerLost if all that is left has lost `LOSSES` tasks.
        """
        begun = self._begun()
        left = [block for block in self._order() if begun.get(block) != DONE] or [self.end]
        for block in left:  # most are claimed so, without a look at what the other tasks do
            if block not in begun and self._make(block, 0):
                return TaskClaim(block, 0)
        dead = [block for block in left if block in begun and not self._is_busy(block, begun)]
        for block in dead:
            if begun[block] < LOSSES and self._make(block, begun[block]):
                return TaskClaim(block, begun[block])
        if dead == left and all(begun[block] == LOSSES for block in left):
            raise WorkerLost(
                f"{LOSSES} tasks began {self._named(left[0])} and did not end it; their logs say why. What is done is "
                "kept: submit the same job again, or give `tilewright run` its arguments, to resume"
            )
        return None

    def is_over(self, *, wait: bool) -> bool:
        """Whether a task that has found nothing to claim can end: the run has ended, or a task is at its end.

        wait: whether it is to stand by until the run has ended.
        """
        ending = self._begun().get(self.end, 0)
        return ending == DONE or (ending > 0 and not wait)

    @contextmanager
    def held(self, claim: TaskClaim) -> Iterator[None]:
        """Keep a claim for as long as the context lasts. Its block is done if the context ends without an error."""
        file = self._file(claim.block, claim.before)
        pulse = Pulse(file, BEAT)
        try:
            yield
        except BaseException:
            pulse.stop()
            with suppress(OSError):  # the job has ended
                os.utime(file, (0, 0))  # nobody need wait for this one
            raise
        pulse.stop()
        with suppress(FileNotFoundError):  # likewise
            self._file(claim.block, "done").touch()

    def done(self) -> int:
        """How many blocks are done."""
        return sum(count == DONE and block != self.end for block, count in self._begun().items())

    def counts(self) -> Counts:
        """How far the job is."""
        begun, done = self._begun(), self.done()
        claimed = sum(block != self.end and self._is_busy(block, begun) for block in begun)
        return Counts(done, claimed, self.end - done - claimed, self._is_busy(self.end, begun))

    def holder(self) -> Holder | None:
        """A task that lives and is at a block, if there is one."""
        begun = self._begun()
        return next((self._holder(block, begun) for block in begun if self._is_busy(block, begun)), None)

    def _order(self) -> Iterator[int]:
        yield from range(self._next, self.end)
        yield from range(min(self._next, self.end))

    def _begun(self) -> dict[int, int]:
        """By block how many tasks began it; `DONE` for one that is done."""
        begun: dict[int, int] = {}
        for file in self.folder.iterdir():
            block, _, which = file.name.partition(".")
            if block.isdecimal():  # the others are folders of tasks
                count = DONE if which == "done" else int(which) + 1
                begun[int(block)] = max(begun.get(int(block), 0), count)
        return begun

    def _is_busy(self, block: int, begun: dict[int, int]) -> bool:
        """Whether a task that lives is at a block."""
        if not 0 < begun.get(block, 0) < DONE:
            return False
        holder = self._holder(block, begun)
        os.utime(self.folder)  # both times are the file system's own
        silent = (self.folder.stat().st_mtime_ns - holder.touched) / 1e9
        return silent < LEASE and is_alive(holder.process) is not False

    def _holder(self, block: int, begun: dict[int, int]) -> Holder:
        return holder_of(self._file(block, begun[block] - 1))

    def _named(self, block: int) -> str:
        return "the end of the run" if block == self.end else f"block {block + 1} of {self.end}"

    def _make(self, block: int, before: int) -> bool:
        """Make the file of a claim; whether nobody else had."""
        try:
            with self._file(block, before).open("x", encoding="utf-8") as file:
                file.write(json.dumps(this_process()))
        except FileExistsError:
            return False
        self._next = block + 1
        return True

    def _file(self, block: int, which: int | str) -> Path:
        return self.folder / f"{block}.{which}"


def task_at_work(checkpoint: Path) -> Holder | None:
    """A task that is at work in a checkpoint, if there is one."""
    try:
        return Claims(checkpoint, 0).holder()
    except FileNotFoundError:  # no job was submitted there
        return None
