"""Holding a checkpoint: one run at a time, and only a run that would give the same labels resumes from it."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import AlreadyExists, CheckpointMismatch, OutputBusy
from ...storage.disk import discard, read_whole, write_whole
from ...storage.lock import LOCK, Hold, hold, released
from .claims import JOB, TASKS, task_at_work
from .differences import differences, same
from .log import Checkpoint
from .predictions import PREDICTIONS
from .traces import TRACES

if TYPE_CHECKING:
    from ...storage.remote_lock import RemoteHold

__all__ = [
    "Claim",
    "claimed",
    "empty",
    "has_record",
    "is_busy",
    "is_placing",
    "keep",
    "note_placing",
    "record_of",
    "remove_idle",
]

logger = logging.getLogger("tilewright")

RECORD = "plan.json"
PLACING = "placing"  # in the record of a run that puts its output into place: what is there is this run's


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The folders that a run holds. new: whether no earlier run left a checkpoint that this one resumes from."""

    new: bool
    holds: tuple[Hold | RemoteHold, ...]

    def check(self) -> None:
        """OutputBusy if another run has taken over one of the folders."""
        for each in self.holds:
            each.check()


@contextmanager
def claimed(
    folders: Sequence[Path],
    record: dict[str, Any],
    *,
    resume: bool,
    lasting: Callable[[Mapping[str, Any]], Any] | None = None,
    task: bool = False,
) -> Iterator[Claim]:
    """Hold the folders of a run, of which the last is its checkpoint; a folder is made if it is not there.

    OutputBusy while another run that lives holds one, and while tasks of a job are at work there, unless this is one
    of them (`task`). AlreadyExists for a folder that tilewright did not make, that
    another user made, or that holds a link. CheckpointMismatch, which says what differs, if a run with another record
    left tiles there. The folders are emptied if there is no tile, without `resume`, and if what outlasts a checkpoint
    is the same for both records, and kept elsewhere (`lasting`).
    """
    folders = tuple(dict.fromkeys(folders))
    with ExitStack() as stack:
        for folder in folders:
            folder.parent.mkdir(parents=True, exist_ok=True)  # what may be made was checked before
        holds = tuple(stack.enter_context(_held(folder, task=task)) for folder in folders)
        for folder in folders:
            _check_own(folder)
        yield Claim(new=_take(folders, record, resume=resume, lasting=lasting), holds=holds)


@contextmanager
def _held(folder: Path, *, task: bool = False) -> Iterator[Hold]:
    taken = hold(folder)
    try:
        if not task and (holder := task_at_work(folder)) is not None:
            raise OutputBusy(
                f"a task of a job is at work in {folder} ({holder}); wait until the job has ended, or cancel its tasks"
            )
        yield taken
    finally:
        released(folder, taken)


def _take(
    folders: Sequence[Path],
    record: dict[str, Any],
    *,
    resume: bool,
    lasting: Callable[[Mapping[str, Any]], Any] | None,
) -> bool:
    left = {folder: _plain(old) for folder in folders if (old := record_of(folder)) is not None}
    other = {folder: old for folder, old in left.items() if not same(old, record)}
    for folder, old in other.items():
        if resume and _has_work(folder) and (lasting is None or not same(lasting(old), lasting(record))):
            raise CheckpointMismatch(
                f"the checkpoint in {folder} is that of another run: {differences(old, record)}. Repeat that run, or "
                "start anew with resume=False (--no-resume on the command line), which discards it"
            )
    for folder in other if resume else left:
        empty(folder)
    new = [folder for folder in folders if record_of(folder) is None]
    for folder in new:
        write_whole(folder / RECORD, json.dumps(record, indent=1))
    return folders[-1] in new


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != PLACING}


def _has_work(folder: Path) -> bool:
    return any(record.kind in ("tile", "parts") for record in Checkpoint(folder).records())


def keep(folder: Path, record: dict[str, Any]) -> None:
    """Have a folder for what a network says in runs with this record; what it holds of others is removed."""
    if has_record(folder, record):
        return
    folder.mkdir(exist_ok=True)
    _check_own(folder)
    old = record_of(folder)
    if old is not None:
        logger.info("the predictions in %s are of another run: %s; they are replaced", folder, differences(old, record))
        empty(folder)
    write_whole(folder / RECORD, json.dumps(record, indent=1))


def has_record(folder: Path, record: Mapping[str, Any]) -> bool:
    """Whether a folder is that of a run with the same labels, or with the same predictions."""
    old = record_of(folder)
    return old is not None and same(old, record)


def record_of(checkpoint: Path) -> dict[str, Any] | None:
    """The record of the run that made a checkpoint; None for a folder that is not a checkpoint."""
    try:
        record = json.loads(read_whole(checkpoint / RECORD))
    except (OSError, ValueError):  # not there, or not ours
        return None
    return record if isinstance(record, dict) and "tilewright" in record else None


def note_placing(checkpoint: Path, *, placing: bool) -> None:
    """Record in a checkpoint that its run moves its output into place from now on, or that this is over."""
    record = _plain(record_of(checkpoint) or {})
    write_whole(checkpoint / RECORD, json.dumps(record | ({PLACING: True} if placing else {}), indent=1))


def is_placing(checkpoint: Path) -> bool:
    """Whether a run was killed while it moved its output to a path where nothing was before."""
    return PLACING in (record_of(checkpoint) or {})


def is_busy(checkpoint: Path) -> bool:
    """Whether a run is at work in a checkpoint."""
    try:
        with _held(checkpoint):
            return False
    except OutputBusy:
        return True


def remove_idle(checkpoint: Path) -> bool:
    """Remove a checkpoint unless a run is at work in it; whether it was removed."""
    try:
        with _held(checkpoint):
            if record_of(checkpoint) is not None:
                empty(checkpoint)
            return True
    except OutputBusy:
        return False


def empty(checkpoint: Path) -> None:
    """Remove what runs keep in a checkpoint, and then its record: what is left is what holds it.

    Files that are not of a run stay, and then so does the folder.
    """
    (checkpoint / JOB).unlink(missing_ok=True)  # first, so that no task of a job begins what is half removed
    for name in ("packs", "output", TRACES, PREDICTIONS, TASKS):
        discard(checkpoint / name)
    for folder in checkpoint.glob("*.gone"):
        shutil.rmtree(folder, ignore_errors=True)
    for pattern in ("*.npy", "*.partial"):
        for file in checkpoint.glob(pattern):
            file.unlink()
    (checkpoint / RECORD).unlink()


def _check_own(checkpoint: Path) -> None:
    """AlreadyExists for a folder of somebody's files, and for links, which would lead what is written elsewhere."""
    entries = [entry for entry in checkpoint.iterdir() if entry.name.partition(".")[0] != LOCK]
    foreign = [entry.name for entry in entries if entry.suffix not in (".partial", ".gone")]  # which a kill leaves
    links = [entry.name for entry in entries if entry.is_symlink()]
    if foreign and record_of(checkpoint) is None:
        raise AlreadyExists(f"{checkpoint} is not a checkpoint of tilewright; move it away, or choose another folder")
    if links:
        raise AlreadyExists(f"{checkpoint} holds a link, {links[0]}, which no run made; remove the link")
