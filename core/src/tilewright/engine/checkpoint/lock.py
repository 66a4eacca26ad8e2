"""Whose checkpoint it is: one run at a time, and only a run that would give the same labels goes on from it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from ...errors import AlreadyExists, CheckpointMismatch, OutputBusy
from ...storage.disk import discard

__all__ = ["LOCK", "claimed", "empty", "is_busy", "locked", "record_of", "remove", "remove_idle"]

RECORD, LOCK, OWNER = "plan.json", "lock", "owner.json"
TAKEN_AWAY = 5  # times that the folder may go while it is being looked at or locked


@contextmanager
def claimed(checkpoint: Path, record: dict[str, Any], *, resume: bool) -> Iterator[bool]:
    """Hold a checkpoint folder: a new one (then True), or one that a run with the same record left.

    OutputBusy, at once, while another run holds it; the operating system ends its hold when it dies. CheckpointMismatch
    if a run with another record left it (saying what differs), unless `resume` is false: then it is emptied.
    AlreadyExists if the folder was not made by tilewright.
    """
    _check_own(checkpoint)
    try:
        lock = locked(checkpoint)
    except Timeout:
        raise OutputBusy(
            f"another run is at work in {checkpoint} ({_owner(checkpoint)}); wait until it has ended"
        ) from None
    try:
        _write(checkpoint / OWNER, {"process": os.getpid(), "host": socket.gethostname()})
        yield _take(checkpoint, record, resume=resume)
    finally:
        _release(checkpoint, lock)


def _take(checkpoint: Path, record: dict[str, Any], *, resume: bool) -> bool:
    old = record_of(checkpoint)
    if old is not None and not resume:
        empty(checkpoint)
        old = None
    if old is None:
        _write(checkpoint / RECORD, record)
        return True
    differs = _differences(old, record)
    if differs:
        raise CheckpointMismatch(
            f"an unfinished run left its checkpoint in {checkpoint}, with other {differs}; repeat that run, or start "
            "anew with resume=False (--no-resume on the command line), which discards it"
        )
    return False


def record_of(checkpoint: Path) -> dict[str, Any] | None:
    """The record of the run that made a checkpoint; None for a folder that is no checkpoint."""
    try:
        record = json.loads((checkpoint / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there, or not ours
        return None
    return record if isinstance(record, dict) and "tilewright" in record else None


def is_busy(checkpoint: Path) -> bool:
    """Whether a run is at work in a checkpoint."""
    with _held(checkpoint) as held:
        return not held


def remove_idle(checkpoint: Path) -> bool:
    """Remove a checkpoint unless a run is at work in it; whether it was removed."""
    with _held(checkpoint) as held:
        if held:
            empty(checkpoint)
        return held


@contextmanager
def _held(checkpoint: Path) -> Iterator[bool]:
    """Hold a checkpoint's lock for a moment, if nobody else does."""
    lock = FileLock(checkpoint / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        _release(checkpoint, lock)


def locked(checkpoint: Path) -> BaseFileLock:
    """The lock of a checkpoint, which is made if it is not there, held. Timeout if another run holds it."""
    for attempt in range(TAKEN_AWAY, -1, -1):
        lock = FileLock(checkpoint / LOCK)
        try:
            checkpoint.mkdir(parents=True, exist_ok=True)
            lock.acquire(blocking=False)
            return lock
        except (FileNotFoundError, FileExistsError):  # a run that ended took the folder away just now
            if not attempt:
                raise
    raise AssertionError("unreachable")


def _release(checkpoint: Path, lock: BaseFileLock) -> None:
    """Let go of a checkpoint, and take away what is left of one that is done.

    The lock file goes while it is held: removed afterwards, it might be the next run's, and a third one would make
    another. Windows cannot remove it then; there nobody else can have opened it either.
    """
    if os.name == "posix":
        _leave_if_done(checkpoint)
    lock.release()
    if os.name != "posix":
        _leave_if_done(checkpoint)


def _leave_if_done(checkpoint: Path) -> None:
    if record_of(checkpoint) is None:
        leave(checkpoint)


def remove(checkpoint: Path) -> None:
    """Remove what tilewright made in a checkpoint; its record goes last, so that a kill leaves it recognisable.

    Files that are not its own stay, and then so does the folder. A folder that is no checkpoint is left alone.
    """
    if record_of(checkpoint) is not None:
        empty(checkpoint)
        leave(checkpoint)


def empty(checkpoint: Path) -> None:
    """Remove what runs keep in a checkpoint, and then its record: what is left is what holds it."""
    for name in ("packs", "output"):
        discard(checkpoint / name)
    for folder in checkpoint.glob("*.gone"):
        shutil.rmtree(folder, ignore_errors=True)
    for pattern in ("*.npy", "*.partial"):
        for file in checkpoint.glob(pattern):
            file.unlink()
    (checkpoint / RECORD).unlink()


def leave(checkpoint: Path) -> None:
    """Take the lock out of a checkpoint that is no more, and the folder unless it holds something of somebody's."""
    for name in (LOCK, OWNER):
        (checkpoint / name).unlink(missing_ok=True)
    with suppress(OSError):  # it holds something of somebody's, or a new run has taken it
        checkpoint.rmdir()


def _check_own(checkpoint: Path) -> None:
    for _ in range(TAKEN_AWAY):
        if not _is_foreign(checkpoint):
            return
        time.sleep(0.01)  # a run that is just taking its checkpoint away may have been seen half-way
    raise AlreadyExists(f"{checkpoint} is not a checkpoint of tilewright; move it away, or choose another folder")


def _is_foreign(checkpoint: Path) -> bool:
    begun = {LOCK, OWNER, *(f"{name}.partial" for name in (RECORD, OWNER))}  # what a kill in its making leaves
    try:
        found = {each.name for each in checkpoint.iterdir()}
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return checkpoint.exists()
    return bool(found - begun) and record_of(checkpoint) is None


def _owner(checkpoint: Path) -> str:
    try:
        owner = json.loads((checkpoint / OWNER).read_text(encoding="utf-8"))
        return f"process {owner['process']} on {owner['host']}"
    except (OSError, ValueError, KeyError):  # it is just being written
        return "of which nothing is known yet"


def _write(file: Path, record: dict[str, Any]) -> None:
    aside = file.with_name(f"{file.name}.partial")
    aside.write_text(json.dumps(record, indent=1), encoding="utf-8")
    aside.replace(file)


def _differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    return ", ".join(
        f"{key} ({json.dumps(old.get(key))} there, {json.dumps(new.get(key))} now)"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    )
