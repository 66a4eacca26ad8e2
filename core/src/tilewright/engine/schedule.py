"""Running many tasks at once: a window over an executor, so that a million tiles are never a million live tasks."""

from __future__ import annotations

import functools
import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["Crew", "crew"]

T = TypeVar("T")


class Crew:
    """Workers to share tasks: threads of this process, or the workers of a `distributed` client."""

    def __init__(self, executor: Executor, workers: int, share: Callable[[Any], Any]) -> None:
        self._executor, self.workers, self._share = executor, workers, share

    def each(self, work: Callable[..., T], plan: Any, batches: Iterable[Any]) -> Iterator[T]:
        """Yield `work(plan, batch)` for every batch as they finish, a few for each worker under way at a time.

        The plan travels to each worker once. The first error is raised once what is running has ended: those tasks
        keep what they have done.
        """
        rest, plan = iter(batches), self._share(plan)
        running: set[Future[T]] = set()
        try:
            while True:
                for batch in itertools.islice(rest, 3 * self.workers - len(running)):
                    running.add(self._executor.submit(work, plan, batch))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in running:
                future.cancel()
            wait(running)


@contextmanager
def crew(workers: int | None) -> Iterator[Crew]:
    """The active `distributed` client's workers if there is one, else `workers` threads (one for each CPU)."""
    client = _active_client()
    if client is not None:
        threads = sum(client.nthreads().values()) or 1
        # Not named by its hash: the plan of the next stage would take the name of the one that is just being let go.
        share = functools.partial(client.scatter, broadcast=True, hash=False)
        yield Crew(client.get_executor(pure=False), threads, share)
        return
    count = workers or cpus()
    with ThreadPoolExecutor(count, thread_name_prefix="tilewright") as pool:
        yield Crew(pool, count, lambda plan: plan)


def cpus() -> int:
    """The number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def batched(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Stretches of `size` items, in order."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _active_client() -> Any:
    # A client that is active has been imported; a run without one should not pay for the import.
    if "distributed" not in sys.modules:
        return None
    from distributed import get_client

    try:
        return get_client()
    except ValueError:
        return None
