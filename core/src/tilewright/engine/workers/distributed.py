"""The workers of a `distributed` client, any of which may die at any time, and so may their scheduler."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from distributed import KilledWorker, SpecCluster

from ..._version import __version__
from ...errors import WorkerDiffers, WorkerLost
from ..lookahead import batch_of
from .environment import WorkerFacts
from .transport import Parcel, done_by, drop, packed
from .troubles import Troubles

__all__ = ["Cluster"]

T = TypeVar("T")

PATIENCE = 5.0  # seconds that a scheduler or a worker may take to answer
SILENCE = 10.0  # seconds without a heartbeat; with 2,000 workers dask has one every 10 s, with fewer more
GPU = "GPU"  # the name that dask's own pages give to this resource of a worker
UNREADABLE = "Error during deserialization"  # in distributed's words
LISTED = 3  # workers in a message
CHECKS_ALONE = 4  # after which a cluster whose workers ended is given up: one that starts a worker does not list it yet


class Cluster:
    """The workers of a client."""

    # Cancelled is what became of a task whose inputs or scheduler were lost; KilledWorker is one that was there when
    # workers died.
    lost: tuple[type[BaseException], ...] = (CancelledError, KilledWorker)

    def __init__(self, client: Any) -> None:  # a `distributed.Client`, which is not typed
        self.seen: set[WorkerFacts] = set()
        self._client, self._address = client, getattr(client.scheduler, "address", "an unknown address")
        self._checks_alone, self._silent_since, self._troubles = 0, 0.0, Troubles()
        self._heartbeats: dict[str, tuple[float, float]] = {}
        self.count, self._has_gpus = _threads(self._present()) or 1, False

    def submit(self, work: Callable[[Any, Any], T], shared: Parcel, batch: Any) -> Future[T]:
        """Not by the client's own executor: a task that fails while it is gathered never ends its future there.

        Where some workers have the resource GPU, only they predict windows.
        """
        where = {"resources": {GPU: 1}} if self._has_gpus and batch_of(batch[0]) is not None else {}
        data = pickle.dumps((done_by, (work, shared, batch)))
        try:
            task, future = (
                self._client.submit(_task, data, f"tilewright {__version__}", pure=False, **where),
                Future[T](),
            )
        except Exception:
            self._check_scheduler()
            raise
        self._client.loop.add_callback(self._settle, task, future)
        future.add_done_callback(lambda done: self._give_up(task) if done.cancelled() else None)
        return future

    def _give_up(self, task: Any) -> None:
        async def cancel() -> None:
            with suppress(Exception):  # without a scheduler there is nothing to cancel
                await task.cancel(asynchronous=True)

        self._client.loop.add_callback(cancel)

    async def _settle(self, task: Any, future: Future[Any]) -> None:
        try:
            result, worker = await self._client.gather(task, asynchronous=True)
            if isinstance(worker, str):
                raise WorkerDiffers(worker)
            self.seen.add(worker)
        except BaseException as error:  # noqa: BLE001 - whatever it is, whoever waits for the future has to know
            self._note_silence()
            if future.set_running_or_notify_cancel():
                future.set_exception(self._in_plain_words(error))
        else:
            if future.set_running_or_notify_cancel():
                future.set_result(result)

    def _in_plain_words(self, error: BaseException) -> BaseException:
        """WorkerDiffers for a scheduler that cannot read what it is sent; any other error as it is."""
        if not (isinstance(error, RuntimeError) and UNREADABLE in str(error)):
            return error
        return WorkerDiffers(
            f"the dask scheduler at {self._address} cannot read the run's tasks ({error.__cause__ or error}); use the "
            "same versions of Python, dask and cloudpickle for it, for the workers and here"
        )

    def share(self, plan: Any, folder: Path) -> Parcel:
        self._has_gpus = any(GPU in worker["resources"] for worker in self._present().values())
        return packed(plan, folder)

    def check(self) -> None:
        """Log who does not answer, or a cluster without workers. WorkerLost if that is for good."""
        self._check_scheduler()
        workers = self._workers()
        self._checks_alone = self._checks_alone + 1 if workers is not None and not _threads(workers) else 0
        self._troubles.log(self._trouble(workers))
        if self._checks_alone and self._is_deserted():
            raise WorkerLost(
                f"all workers of the cluster at {self._address} are gone, and none is asked for; what is done is kept: "
                "scale the cluster up, or run without one, and re-run the same command to resume"
            )

    def _trouble(self, workers: Mapping[str, Any] | None) -> str:
        """What keeps tasks from ending, as far as the scheduler knows; empty if it knows nothing."""
        if workers is None:
            return f"the dask scheduler at {self._address} does not answer"
        if not _threads(workers):
            return "the cluster has no workers"
        silent = [f"{workers[each]['name']} at {each}" for each in self._silent(workers)]
        more = f" and {len(silent) - LISTED:,} more" if len(silent) > LISTED else ""
        names = f"{', '.join(silent[:LISTED])}{more}"
        return f"worker {names} does not answer (stopped, or in code that lets nothing else run)" if silent else ""

    def _silent(self, workers: Mapping[str, Any]) -> list[str]:
        """The addresses of workers of which the scheduler has heard nothing new for a while."""
        now, before = time.monotonic(), self._heartbeats
        self._heartbeats = {
            each: before[each]
            if each in before and before[each][0] == facts["last_seen"]
            else (facts["last_seen"], now)
            for each, facts in workers.items()
        }
        return [each for each, (_, since) in self._heartbeats.items() if now - since > SILENCE]

    def _is_deserted(self) -> bool:
        """Whether nobody starts workers any more, as far as this process knows: others may come from a queue."""
        cluster = self._client.cluster
        if not isinstance(cluster, SpecCluster) or getattr(cluster, "_adaptive", None) is not None:
            return False
        return not cluster.plan or (not cluster.workers and self._checks_alone >= CHECKS_ALONE)

    def _present(self) -> Mapping[str, Any]:
        """What the scheduler knows of its workers, once it answers. WorkerLost if it has gone."""
        while (workers := self._workers()) is None:
            self._check_scheduler()
            self._troubles.log(self._trouble(workers))
            time.sleep(1)  # one to which there is no connection does not take the time that it may take
        return workers

    def _workers(self) -> Mapping[str, Any] | None:
        """What the scheduler knows of its workers, by their addresses; None if it does not answer."""
        try:
            ask = self._client.scheduler.identity
            found: Mapping[str, Any] = self._client.sync(ask, n_workers=-1, callback_timeout=PATIENCE)["workers"]
        except (OSError, AttributeError):  # it is gone, or the client has closed
            return None
        return found

    def _note_silence(self) -> None:
        """Note since when there is no connection to the scheduler."""
        if self._client.status == "running":
            self._silent_since = 0.0
        elif not self._silent_since:
            self._silent_since = time.monotonic()

    def _check_scheduler(self) -> None:
        """WorkerLost once the client has given up; it tries to connect again as long as its timeout says."""
        self._note_silence()
        if self._client.status in ("closing", "closed"):
            raise WorkerLost(
                f"the dask scheduler at {self._address} is gone, and did not come back within "
                f"{time.monotonic() - self._silent_since:.0f} s; what is done is kept: start a scheduler and workers, "
                "or run without, and re-run the same command to resume"
            )

    def forget(self, shared: Parcel) -> None:
        """Have the workers drop it, and close its files with it, before the checkpoint is removed.

        A worker that has just died is not told, and is waited for no longer than PATIENCE.
        """
        if self._client.status == "running":
            telling = threading.Thread(target=self._tell, args=(shared.name,), daemon=True)
            telling.start()
            telling.join(PATIENCE)
        if shared.file:
            shared.file.unlink(missing_ok=True)

    def _tell(self, name: str) -> None:
        with suppress(Exception):  # the client may be closed by then: its workers forget more than this
            self._client.run(drop, name, on_error="ignore")


def _threads(workers: Mapping[str, Any]) -> int:
    """The number of threads that all workers have."""
    return sum(worker["nthreads"] for worker in workers.values())


def _task(data: bytes, needed: str) -> tuple[Any, Any]:
    """Do a task: what comes of it, and which worker did it; None and a text if the worker cannot read the task."""
    # It is sent as code, because neither a scheduler nor a worker without tilewright could import it, and dask ends a
    # worker that cannot read its task without a word. So it has no names from this module.
    import pickle
    import socket
    import sys

    from distributed import get_worker

    try:
        done_by, arguments = pickle.loads(data)
    except (ImportError, AttributeError) as error:
        worker = f"worker {get_worker().address} on {socket.gethostname()}"
        return None, f"{worker} ({sys.executable}) cannot load {needed}, which the run needs: {error}; install it there"
    result: tuple[Any, Any] = done_by(*arguments)
    return result


_task.__module__ = "__main__"  # of which pickles keep the code
