"""The workers of a `distributed` client, any of which may die at any time, and some of a run's own."""

from __future__ import annotations

import functools
import hashlib
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import cloudpickle  # type: ignore[import-untyped]  # it ships no types
from distributed import Client, KilledWorker, LocalCluster

from ..errors import NotReadable, WorkerLost

__all__ = ["Cluster", "local_processes"]

T = TypeVar("T")

logger = logging.getLogger("tilewright")

# A plan of this size or less goes along with every task; it takes some 2 kB. One with an array in memory goes through
# a file in the stage, which all workers see. Data that dask holds for the workers is gone with the last one that has
# it, and tasks that need it then wait for ever (measured: `scatter`, and every worker killed).
SENT = 2**18  # bytes
PATIENCE = 5.0  # seconds
CHECKS_ALONE = 4  # after which a cluster of this machine is given up: a process starts in far less


class Packed(NamedTuple):
    """A plan as it travels, with a name under which a worker process keeps it: its data, or the file that has them."""

    name: str
    data: bytes
    file: Path | None
    digest: bytes


class Cluster:
    """The workers of a client."""

    # Cancelled is what became of a task whose inputs were lost; KilledWorker is one that was there when workers died.
    lost: tuple[type[BaseException], ...] = (CancelledError, KilledWorker)

    def __init__(self, client: Any) -> None:  # a `distributed.Client`, which is not typed
        self._client = client
        self._executor = client.get_executor(pure=False)
        self.count = sum(client.nthreads().values()) or 1
        self._checks_alone = 0

    def submit(self, work: Callable[[Any, Any], T], shared: Packed, batch: Any) -> Future[T]:
        future: Future[T] = self._executor.submit(functools.partial(_unpacked, work), shared, batch)
        return future

    def share(self, plan: Any, folder: Path) -> Packed:
        name, data = secrets.token_hex(8), cloudpickle.dumps(plan)
        if len(data) <= SENT:
            return Packed(name, data, None, b"")
        file = folder / f"{name}.partial"  # a run that is killed leaves it; its like is cleared away with the stage
        file.write_bytes(data)
        return Packed(name, b"", file, _digest(data))

    def check(self) -> None:
        """Say so if there is no worker at all. WorkerLost on a cluster of this machine that starts none again.

        Any other cluster may get workers from its queue at any time, and is waited for.
        """
        self._checks_alone = 0 if self._client.nthreads() else self._checks_alone + 1
        if not self._checks_alone:
            return
        logger.warning("the cluster has no workers; waiting for one. A run that is stopped goes on when it is repeated")
        if self._checks_alone >= CHECKS_ALONE and isinstance(self._client.cluster, LocalCluster):
            raise WorkerLost(
                "all worker processes are gone, and none was started again; what is done is kept: make a new cluster, "
                "or run without one, and repeat the run to go on"
            )

    def forget(self, shared: Packed) -> None:
        """Have the workers drop it, and close its files with it, before the stage is removed.

        A worker that has just died is not told, and is waited for no longer than PATIENCE.
        """
        telling = threading.Thread(target=self._tell, args=(shared.name,), daemon=True)
        telling.start()
        telling.join(PATIENCE)
        if shared.file:
            shared.file.unlink(missing_ok=True)

    def _tell(self, name: str) -> None:
        with suppress(Exception):  # the client may be closed by then: its workers forget more than this
            self._client.run(_drop, name, on_error="ignore")


@contextmanager
def local_processes(count: int) -> Iterator[Cluster]:
    """Worker processes of this machine for as long as the context lasts. They are nobody's default client."""
    settings = {"processes": True, "threads_per_worker": 1, "memory_limit": None, "dashboard_address": None}
    with (
        LocalCluster(n_workers=count, **settings) as cluster,  # type: ignore[no-untyped-call]  # it is not typed
        Client(cluster, set_as_default=False) as client,  # type: ignore[no-untyped-call]  # likewise
    ):
        yield Cluster(client)


_plans: dict[str, Any] = {}
_lock = threading.Lock()


def _unpacked(work: Callable[[Any, Any], T], packed: Packed, batch: Any) -> T:
    with _lock:
        if packed.name not in _plans:
            _plans[packed.name] = cloudpickle.loads(_data(packed))
        plan = _plans[packed.name]
    return work(plan, batch)


def _data(packed: Packed) -> bytes:
    """The plan's bytes; those of a file only if they are what the run wrote, because loading a pickle may run it."""
    if packed.file is None:
        return packed.data
    data = packed.file.read_bytes()
    if _digest(data) != packed.digest:
        raise NotReadable(f"{packed.file} is not what the run wrote there; repeat the run to go on")
    return data


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


def _drop(name: str) -> None:
    _plans.pop(name, None)
