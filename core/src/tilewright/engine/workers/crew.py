"""Running many tasks at once: a window over an executor, so that a million tiles are never a million live tasks."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ...errors import InvalidOption, WorkerLost
from ..checkpoint.traces import traces
from .environment import WorkerFacts

__all__ = ["Crew", "Workers", "batched", "crew", "in_task", "threads"]

T = TypeVar("T")

# Deaths over one tile, as its traces tell, that end a run; and losses of a task without any such evidence. A scheduler
# gives up on a task after four deaths, each of which counts against all tasks that were waiting on that worker. A
# cluster that takes workers away is not to end a run, one bad tile is.
LOSSES = 3
PULSE = 5.0  # seconds
LONGEST = 4  # tiles that are named: those of the threads of one worker die together


class Workers(Protocol):
    """Who does the tasks: threads of this process, or the workers of a cluster.

    count: of tasks at a time. lost: what a task's future raises if its worker died, or what it had to know was lost.
    """

    count: int
    lost: tuple[type[BaseException], ...]

    @property
    def seen(self) -> Collection[WorkerFacts]:
        """The workers of a cluster that have done tasks."""

    def submit(self, work: Callable[[Any, Any], T], shared: Any, batch: Any) -> Future[T]: ...
    def share(self, plan: Any, folder: Path) -> Any:
        """Make a plan known to all; what comes back is handed to `submit`. All see the folder."""

    def check(self) -> None:
        """Called every `PULSE` in which no task ends. WorkerLost if none ever will."""

    def forget(self, shared: Any) -> None:
        """The plan is not needed any more."""


class Crew:
    """Workers, and how tasks are handed to them."""

    def __init__(self, hands: Workers) -> None:
        self._hands, self.workers = hands, hands.count

    @property
    def seen(self) -> Collection[WorkerFacts]:
        """The workers of a cluster that have done tasks so far."""
        return self._hands.seen

    def each(self, work: Callable[[Any, Any], T], plan: Any, batches: Iterable[Any], folder: Path) -> Iterator[T]:
        """Yield `work(plan, batch)` for every batch as they finish, a few for each worker under way at a time.

        Batches that are None say that one that is under way has to end before there are more.

        A batch whose worker was lost is done again. The first error is raised once what is running has ended: those
        tasks keep what they have done. WorkerLost if a batch loses every worker that it is given to, with what the
        workers that died were at.
        """
        rest, shared = iter(batches), self._hands.share(plan, folder)
        running: dict[Future[T], tuple[Any, int]] = {}
        try:
            while True:
                for batch in itertools.islice(rest, 3 * self.workers - len(running)):
                    if batch is None:
                        break
                    running[self._hands.submit(work, shared, batch)] = batch, 0
                if not running:
                    return
                for future in self._ended(running):
                    batch, losses = running.pop(future)
                    try:
                        done = future.result()
                    except self._hands.lost as error:
                        _check_losses(plan, batch, losses + 1, folder, error)
                        running[self._hands.submit(work, shared, batch)] = batch, losses + 1
                        continue
                    yield done
        finally:
            # Not for those that are cancelled: if one ends on a cluster at that instant, nobody is ever told.
            wait([future for future in running if not future.cancel()])
            self._hands.forget(shared)

    def _ended(self, running: Iterable[Future[T]]) -> list[Future[T]]:
        """The tasks that have ended, one at least, in the order in which they were handed out: of several errors the
        first is told. WorkerLost if there is nobody left who could end one.
        """
        while not (ended := wait(running, PULSE, FIRST_COMPLETED).done):
            self._hands.check()
        return [future for future in running if future in ended]


def _check_losses(plan: Any, batch: Sequence[int], losses: int, folder: Path, error: BaseException) -> None:
    """WorkerLost if a tile of the batch killed several workers, or if nothing else explains that the batch is lost."""
    deadly = [trace for trace, deaths in traces(folder).items() if deaths >= LOSSES]
    own = [trace for trace in deadly if batch[0] <= trace.first <= batch[-1]]
    if not own and losses < LOSSES:
        return
    if own or deadly:
        from ..steps.culprit import culprit  # when a worker has died

        what = "; or ".join(culprit(plan, trace) for trace in sorted(own or deadly)[:LONGEST])
        happened = f"{LOSSES} worker processes or more died, each in {what}"
    else:
        reason = str(error).split("\n", maxsplit=1)[0] or type(error).__name__
        happened = f"tiles or blocks {batch[0]} to {batch[-1]} lost every worker that they were given to ({reason})"
    raise WorkerLost(
        f"{happened}. That code crashed (the workers' log may say more), or the machine had no memory left for it: "
        "give smaller tiles, or workers more memory. What is done is kept: re-run the same command to resume"
    ) from error


class _Threads:
    seen: Collection[WorkerFacts] = ()
    lost: tuple[type[BaseException], ...] = ()

    def __init__(self, pool: ThreadPoolExecutor, count: int) -> None:
        self._pool, self.count = pool, count

    def submit(self, work: Callable[[Any, Any], T], shared: Any, batch: Any) -> Future[T]:
        return self._pool.submit(work, shared, batch)

    def share(self, plan: Any, folder: Path) -> Any:  # noqa: ARG002 - threads share what there is
        return plan

    def check(self) -> None:
        """Threads are there as long as this process is."""

    def forget(self, shared: Any) -> None:
        """Threads of this process have no copy of it."""


@contextmanager
def crew(count: int, *, processes: bool = False, gpus: Sequence[str] = ()) -> Iterator[Crew]:
    """The active `distributed` client's workers if there is one, else so many threads or processes.

    gpus: with processes there is one more for each of these, which predicts.
    """
    client = _active_client()
    if client is not None:
        from .distributed import Cluster

        yield Crew(Cluster(client))
        return
    if processes:
        from .processes import local_processes

        with local_processes(count, gpus) as hands:
            yield Crew(hands)
        return
    with threads(count) as here:
        yield here


@contextmanager
def threads(count: int) -> Iterator[Crew]:
    """So many threads of this process."""
    with ThreadPoolExecutor(count, thread_name_prefix="tilewright") as pool:
        yield Crew(_Threads(pool, count))


def in_task() -> bool:
    """Whether this is a task of a cluster, which has one thread of its worker to itself."""
    if "distributed" not in sys.modules:
        return False
    from distributed import get_worker

    try:
        get_worker()
    except ValueError:
        return False
    return True


def batched(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Stretches of `size` items, in order."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _active_client() -> Any:
    """The client of this process; None within a task of a cluster, whose workers may all wait for such tasks."""
    # A client that is active has been imported; a run without one should not pay for the import.
    if "distributed" not in sys.modules or in_task():
        return None
    from distributed import get_client

    try:
        client = get_client()
    except ValueError:
        return None
    if client.asynchronous:
        raise InvalidOption(
            "the active dask client is asynchronous, and a run waits for its workers; make one with "
            "asynchronous=False, or close this one to run on threads"
        )
    return client
