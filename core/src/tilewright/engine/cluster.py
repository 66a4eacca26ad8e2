"""The workers of a `distributed` client, any of which may die at any time."""

from __future__ import annotations

import functools
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any, NamedTuple, TypeVar

import cloudpickle  # type: ignore[import-untyped]  # it ships no types
from distributed import KilledWorker

__all__ = ["Cluster"]

T = TypeVar("T")

# A plan of this size or less goes along with every task: it cannot be lost with the workers that hold it, and a
# worker that joins late needs nothing that others have. It takes some 2 kB; one with an array in memory is shared.
SENT = 2**18  # bytes


class Packed(NamedTuple):
    """A plan as it travels, with a name under which a worker process keeps it."""

    name: str
    data: bytes


class Cluster:
    """The workers of a client."""

    # Cancelled is what became of a task whose inputs were lost; KilledWorker is one that was there when workers died.
    lost: tuple[type[BaseException], ...] = (CancelledError, KilledWorker)

    def __init__(self, client: Any) -> None:  # a `distributed.Client`, which is not typed
        self._client = client
        self._executor = client.get_executor(pure=False)
        self.count = sum(client.nthreads().values()) or 1

    def submit(self, work: Callable[[Any, Any], T], shared: Any, batch: Any) -> Future[T]:
        task = functools.partial(_unpacked, work) if isinstance(shared, Packed) else work
        future: Future[T] = self._executor.submit(task, shared, batch)
        return future

    def share(self, plan: Any, before: Any = None) -> Any:
        if isinstance(before, Packed):
            return before  # it is on its way with every task
        data = cloudpickle.dumps(plan)
        if len(data) <= SENT:
            return Packed(secrets.token_hex(8), data)
        # Not named by its hash: the plan of the next stage would take the name of the one that is just being let go.
        return self._client.scatter(plan, broadcast=True, hash=False)

    def forget(self, shared: Any) -> None:
        """Have the workers drop it, and close its files with it, before the stage is removed."""
        if isinstance(shared, Packed):
            self._client.run(_drop, shared.name, on_error="ignore")  # one that dies meanwhile drops it too


_plans: dict[str, Any] = {}
_lock = threading.Lock()


def _unpacked(work: Callable[[Any, Any], T], packed: Packed, batch: Any) -> T:
    with _lock:
        if packed.name not in _plans:
            _plans[packed.name] = cloudpickle.loads(packed.data)
        plan = _plans[packed.name]
    return work(plan, batch)


def _drop(name: str) -> None:
    _plans.pop(name, None)
