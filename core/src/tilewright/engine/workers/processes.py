"""Worker processes of a run's own, any of which may die: another takes its place."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from ...errors import InvalidOption, WorkerLost
from ...storage.disk import MACHINE, advice
from ...storage.machine import VISIBLE
from ..lookahead import batch_of
from .environment import WorkerFacts
from .transport import Parcel, do, packed
from .troubles import Troubles

__all__ = ["Processes", "local_processes"]

T = TypeVar("T")

logger = logging.getLogger("tilewright")

FILES, SPARE_FILES = 9, 256  # pipes that this process has open for each other (measured: 8.25), and all other files


class Processes:
    """Processes of this machine, each in a pool of its own: a death takes no other task along.

    With GPUs there is one more process for each of them, which sees no other GPU and predicts; the others see none. A
    network that each of them loaded would fill its memory, and one process of several is as quick as all.
    """

    seen: Collection[WorkerFacts] = ()
    lost: tuple[type[BaseException], ...] = (BrokenProcessPool,)

    def __init__(self, count: int, gpus: Sequence[str] = ()) -> None:
        self.count, self._troubles = count + len(gpus), Troubles()
        self._all = _Alike(["" if gpus else None] * count)
        self._predicting = self._all
        if gpus:
            logger.info("%d processes predict, on GPU %s; %d decode", len(gpus), ", ".join(gpus), count)
            try:
                self._predicting = _Alike(gpus)
            except WorkerLost:
                self.close()
                raise

    def submit(self, work: Callable[[Any, Any], T], shared: Parcel, batch: Any) -> Future[T]:
        group = self._all if batch_of(batch[0]) is None else self._predicting
        return group.submit(work, shared, batch)

    def share(self, plan: Any, folder: Path) -> Parcel:
        return packed(plan, folder)

    def check(self) -> None:
        """Log processes that were stopped, where the system tells; one that is gone says so by itself."""
        stopped = [str(child.pid) for child in multiprocessing.active_children() if _is_stopped(child.pid)]
        self._troubles.log(f"worker process {', '.join(stopped)} was stopped (SIGSTOP)" if stopped else "")

    def forget(self, shared: Parcel) -> None:
        """Processes keep one plan at a time, and the last one no longer than the run."""
        if shared.file:
            shared.file.unlink(missing_ok=True)

    def close(self) -> None:
        """End the processes, which must not outlive the run."""
        self._all.close()
        self._predicting.close()


class _Alike:
    """Processes any of which may do a task. gpus: for each the GPUs that it sees; None: those that this one does."""

    def __init__(self, gpus: Sequence[str | None]) -> None:
        self._threads = ThreadPoolExecutor(len(gpus), thread_name_prefix="tilewright")  # each hands out one at a time
        self._idle: SimpleQueue[tuple[ProcessPoolExecutor, str | None]] = SimpleQueue()
        try:
            for each in gpus:
                self._idle.put((_made(each), each))
        except WorkerLost:
            self.close()
            raise

    def submit(self, work: Callable[[Any, Any], T], shared: Parcel, batch: Any) -> Future[T]:
        return self._threads.submit(self._done, work, shared, batch)

    def _done(self, work: Callable[[Any, Any], T], shared: Parcel, batch: Any) -> T:
        process, gpu = self._idle.get()
        try:
            return process.submit(do, work, shared, batch, only=True).result()
        except BrokenProcessPool:
            process.shutdown()
            process = _made(gpu)
            raise
        finally:
            self._idle.put((process, gpu))

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get()[0].shutdown(cancel_futures=True)


def _is_stopped(pid: int | None) -> bool:
    """Whether Linux says that a process was stopped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:  # another system, or a process that has ended
        return False


def _made(gpu: str | None) -> ProcessPoolExecutor:
    """A pool of one process, and the GPUs that it sees; None: those of this one.

    WorkerLost for what the system refuses: it is not the run's own files that lack room.
    """
    try:
        # A fork of a process with threads may copy a lock that one of them holds, and wait for it for ever.
        process = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_begin)
        with suppress(BrokenProcessPool), _starting, _main_as_it_can_be_read(), _seeing(gpu):
            process.submit(_ready)  # the process is started when there is work for it; whoever submits more is told
    except (OSError, ImportError) as error:  # ImportError where the system has no semaphores at all
        step = "they need some room in the system's shared memory, /dev/shm (docker run --shm-size)"
        if isinstance(error, OSError) and error.errno in MACHINE:
            step = advice(error)
        reason = getattr(error, "strerror", None) or error
        raise WorkerLost(
            f"worker processes cannot be started ({reason}): {step}; or leave processes out (--processes) to run on "
            "threads, and re-run the same command"
        ) from error
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
def _seeing(gpu: str | None) -> Iterator[None]:
    """While processes start: the GPUs that they see. A script is read again, and what it imports, before any task."""
    before = os.environ.get(VISIBLE)
    if gpu is not None:
        os.environ[VISIBLE] = gpu
    try:
        yield
    finally:
        if before is not None:
            os.environ[VISIBLE] = before
        elif gpu is not None:
            del os.environ[VISIBLE]


@contextmanager
def local_processes(count: int, gpus: Sequence[str] = ()) -> Iterator[Processes]:
    """So many processes for as long as the context lasts, and one more for each GPU.

    InvalidOption where no process may be started.
    """
    if multiprocessing.current_process().daemon:
        raise InvalidOption(
            "processes=True cannot be had in a daemonic process, such as a worker of multiprocessing.Pool, which may "
            "not start processes; leave it out, or make those workers with concurrent.futures.ProcessPoolExecutor"
        )
    _raise_limit_of_files(FILES * (count + len(gpus)) + SPARE_FILES)
    processes = Processes(count, gpus)
    try:
        yield processes
    finally:
        processes.close()


def _raise_limit_of_files(count: int) -> None:
    """Let this process have so many files open, as far as it may decide that itself."""
    if sys.platform == "win32":  # there is no such limit
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        most = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


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
