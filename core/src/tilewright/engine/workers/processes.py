"""Worker processes of a run's own, any of which may die: another takes its place."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from .environment import WorkerFacts
from .transport import Parcel, do, packed

__all__ = ["Processes", "local_processes"]

T = TypeVar("T")


class Processes:
    """Processes of this machine, each in a pool of its own: a death takes no other task along."""

    seen: Collection[WorkerFacts] = ()
    lost: tuple[type[BaseException], ...] = (BrokenProcessPool,)

    def __init__(self, count: int) -> None:
        self.count = count
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="tilewright")  # each hands out one task at a time
        self._idle: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
        for _ in range(count):
            self._idle.put(_made())

    def submit(self, work: Callable[[Any, Any], T], shared: Parcel, batch: Any) -> Future[T]:
        return self._threads.submit(self._done, work, shared, batch)

    def _done(self, work: Callable[[Any, Any], T], shared: Parcel, batch: Any) -> T:
        process = self._idle.get()
        try:
            return process.submit(do, work, shared, batch, only=True).result()
        except BrokenProcessPool:
            process.shutdown()
            process = _made()
            raise
        finally:
            self._idle.put(process)

    def share(self, plan: Any, folder: Path) -> Parcel:
        return packed(plan, folder)

    def check(self) -> None:
        """A process that is gone says so by itself."""

    def forget(self, shared: Parcel) -> None:
        """Processes keep one plan at a time, and the last one no longer than the run."""
        if shared.file:
            shared.file.unlink(missing_ok=True)

    def close(self) -> None:
        """End the processes, which must not outlive the run."""
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().shutdown(cancel_futures=True)


def _made() -> ProcessPoolExecutor:
    # A fork of a process with threads may copy a lock that one of them holds, and wait for it for ever.
    process = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_begin)
    with suppress(BrokenProcessPool), _starting, _main_as_it_can_be_read():  # whoever submits a task is told
        process.submit(_ready)  # the process is started when there is work for it
    return process


_starting = threading.Lock()


@contextmanager
def _main_as_it_can_be_read() -> Iterator[None]:
    """While processes start: a script that came from stdin claims a file `<stdin>`, which they could not read again."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if file is None or Path(file).exists():
        yield
        return
    del main.__file__
    try:
        yield
    finally:
        main.__file__ = file


@contextmanager
def local_processes(count: int) -> Iterator[Processes]:
    """So many processes for as long as the context lasts."""
    processes = Processes(count)
    try:
        yield processes
    finally:
        processes.close()


def _begin() -> None:
    """What a new process does first: it leaves Ctrl-C to the one that started it, and ends with that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _ready() -> None:
    """What a process can do before it is told anything: import the steps."""
    from ..steps import join, segment, write  # noqa: F401


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # whatever is under way: a killed run must leave nothing behind that works on
