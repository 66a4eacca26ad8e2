"""A folder that one process holds at a time, on any file system, and that a dead process does not hold.

The system is not asked for a lock: some file systems have none (Lustre, FUSE), some keep that of a machine that died,
and some keep it from other machines. A folder in the held folder names the holder: renaming it into place is one step,
which fails while there is another. On the same machine, the process and its start tell whether the holder lives;
elsewhere, that its file is touched every `BEAT` seconds.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import AlreadyExists, OutputBusy
from .machine import is_alive, this_process

__all__ = ["LOCK", "Hold", "Holder", "Pulse", "held", "hold", "holder_of", "leave", "released"]

LOCK = "lock"
BEAT, LEASE = 1.5, 15.0  # seconds: a holder of another machine that is not seen to touch its file for LEASE is dead
LONG_DEAD = 10 * LEASE  # seconds after which nobody watches for another LEASE, whatever the clocks of two machines
PAUSE = 0.05
TAKEN = {errno.EEXIST, errno.ENOTEMPTY}

logger = logging.getLogger("tilewright")


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a folder: the name of its file, when it touched the file (ns), and what it wrote into the file."""

    token: str
    touched: int
    process: dict[str, Any]

    def __str__(self) -> str:
        if not self.process:
            return "a process that left no name"
        return f"process {self.process.get('process')} on {self.process.get('host')}"


class Hold:
    """A folder that this process holds until `release`, or until it dies."""

    def __init__(self, file: Path) -> None:
        self._file, self._pulse = file, Pulse(file, BEAT)

    def check(self) -> None:
        """OutputBusy if another process took the folder, because this one was stopped for too long."""
        if not self._file.exists():
            raise OutputBusy(
                f"another run has taken over {self._file.parents[1]}, because this process was stopped for more than "
                f"{LEASE:.0f} s; let that run end"
            )

    def release(self) -> None:
        self._pulse.stop()
        self._file.unlink(missing_ok=True)
        with suppress(OSError):  # the next holder's already
            self._file.parent.rmdir()


class Pulse:
    """Touches a file every `beat` seconds until it is stopped, so that others see that this process lives."""

    def __init__(self, file: Path, beat: float) -> None:
        self._ended = threading.Event()
        threading.Thread(target=self._touch, args=(file, beat), daemon=True, name="tilewright-lock").start()

    def stop(self) -> None:
        self._ended.set()

    def _touch(self, file: Path, beat: float) -> None:
        while not self._ended.wait(beat):
            with suppress(OSError):  # the folder was taken, or the file system is away for a moment
                os.utime(file)


@contextmanager
def held(folder: Path) -> Iterator[Hold]:
    """Hold a folder, which is made if it is not there, after everybody else; it goes again if it is empty."""
    taken = hold(folder, wait=True)
    try:
        yield taken
    finally:
        released(folder, taken)


def hold(folder: Path, *, wait: bool = False) -> Hold:
    """Hold a folder, which is made if it is not there. OutputBusy while a living process holds it, unless `wait`.

    AlreadyExists if it is a link, a file, or a folder of another user. FileNotFoundError if no folder is above it.
    """
    token, watch = secrets.token_hex(8), _Watch()
    while True:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        _check_own(folder)
        if _put(folder, token):
            return Hold(folder / LOCK / token)
        holder = _holder(folder / LOCK)
        if holder is None:
            continue
        if watch.dead(holder, folder):
            (folder / LOCK / holder.token).unlink(missing_ok=True)  # that holder's and no other's
        elif not wait and watch.alive:
            raise OutputBusy(f"another run is at work in {folder} ({holder}); wait until it has ended")
        else:
            time.sleep(PAUSE)


def released(folder: Path, taken: Hold) -> None:
    """Let go of a folder, and remove it if nothing else is in it."""
    leave(folder)
    taken.release()
    with suppress(OSError):  # it holds something of somebody's, or another process has taken it
        folder.rmdir()


def leave(folder: Path) -> None:
    """Remove what processes left that died while they tried to hold a folder; those that still try begin again."""
    with suppress(FileNotFoundError):  # somebody removed it
        for entry in folder.iterdir():
            if entry.name.startswith(f"{LOCK}."):
                shutil.rmtree(entry, ignore_errors=True)


class _Watch:
    """Whether the holder of a folder lives, as far as it has been watched."""

    def __init__(self) -> None:
        self.alive = False
        self._seen: tuple[str, int] | None = None
        self._since = 0.0

    def dead(self, holder: Holder, folder: Path) -> bool:
        """Whether the holder is known to be dead. `alive` then tells whether it is known to live."""
        living = is_alive(holder.process)
        if living is not None:
            self.alive = living
            return not living
        seen = (holder.token, holder.touched)
        if self._seen is None:
            logger.info("watching for at most %.0f s whether %s, which holds %s, lives", LEASE, holder, folder)
        if seen != self._seen:
            self.alive = self._seen is not None and self._seen[0] == holder.token
            self._seen, self._since = seen, time.monotonic()
        # Where both times are the file system's own, no clock of a machine has a say.
        silent = (_now(folder) - holder.touched) / 1e9
        return silent > LONG_DEAD or time.monotonic() - self._since > LEASE


def _put(folder: Path, token: str) -> bool:
    """Put a folder with this process's file into place; whether nobody else's was there."""
    lock, aside = folder / LOCK, folder / f"{LOCK}.{token}"
    try:
        aside.mkdir(mode=0o700)
        (aside / token).write_text(json.dumps(this_process()), encoding="utf-8")
        with suppress(OSError):
            lock.rmdir()  # of a holder that died while it let go
        aside.rename(lock)
    except FileNotFoundError:  # a holder that let go has cleared up, or the folder above is gone, which `mkdir` tells
        return False
    except NotADirectoryError:  # a lock file of an earlier version, or a link
        lock.unlink(missing_ok=True)
        return False
    except OSError as error:
        if error.errno not in TAKEN:
            raise
        return False
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return True


def _holder(lock: Path) -> Holder | None:
    """Who holds a folder; None if it was let go just now."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for file in lock.iterdir():
            return holder_of(file)
    return None


def holder_of(file: Path) -> Holder:
    """Who wrote a file that holds something, and when it was touched."""
    # Opened and not only looked at: a network file system shows a cached time otherwise.
    opened = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        touched, text = os.fstat(opened).st_mtime_ns, os.read(opened, 4096)
    finally:
        os.close(opened)
    return Holder(token=file.name, touched=touched, process=_parsed(text))


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        process = json.loads(text)
    except ValueError:
        return {}
    return process if isinstance(process, dict) else {}


def _now(folder: Path) -> int:
    """The file system's time, in ns: `_put` has just made and removed something in the folder."""
    return folder.stat().st_mtime_ns


def _check_own(folder: Path) -> None:
    """AlreadyExists for what another user may have put there: whoever can write to it could lead writes elsewhere."""
    try:
        state = folder.lstat()
    except FileNotFoundError:  # it was removed just now
        return
    if not stat.S_ISDIR(state.st_mode):
        raise AlreadyExists(f"{folder} is a link or a file, and not a folder of tilewright; move it away")
    if hasattr(os, "geteuid") and state.st_uid != os.geteuid():
        raise AlreadyExists(
            f"{folder} belongs to another user (number {state.st_uid}); have it removed, or write elsewhere"
        )
