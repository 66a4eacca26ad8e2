"""Traces: what each worker process is at, in a small file that a process which dies leaves behind."""

from __future__ import annotations

import os
import secrets
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

__all__ = ["TRACES", "Trace", "note", "traced", "traces"]

TRACES = "at_work"  # a folder of the checkpoint
WIDTH = 64  # bytes, so that a shorter text leaves nothing of a longer one

_own = threading.local()


class Trace(NamedTuple):
    """What a worker is at: `start` (it opens the plan), `read`, or a step; and the first and last tile or block."""

    doing: str
    first: int
    last: int


@contextmanager
def traced(checkpoint: Path, numbers: Sequence[int]) -> Iterator[None]:
    """Keep a file of what this thread is at for as long as the context lasts, if one can be made."""
    file = checkpoint / TRACES / secrets.token_hex(8)
    try:
        file.parent.mkdir(exist_ok=True)
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:  # the run fails for the same reason, and says it
        yield
        return
    before, _own.file = getattr(_own, "file", None), opened
    try:
        note("start", numbers)
        yield
    finally:
        _own.file = before
        os.close(opened)
        file.unlink(missing_ok=True)


def note(doing: str, numbers: Sequence[int]) -> None:
    """Note what this thread is at. Outside of `traced` this does nothing: nobody outlives a run of threads."""
    file = getattr(_own, "file", None)
    if file is not None:
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, f"{doing} {numbers[0]} {numbers[-1]}".ljust(WIDTH).encode())


def traces(checkpoint: Path) -> Counter[Trace]:
    """What processes died over or are at now, and how many of them."""
    return Counter(trace for file in (checkpoint / TRACES).glob("*") if (trace := _read(file)))


def _read(file: Path) -> Trace | None:
    try:
        doing, first, last = file.read_text(encoding="utf-8").split()
    except (OSError, ValueError):  # its process has just ended, or has just begun
        return None
    return Trace(doing, int(first), int(last))
