"""The workers of a `distributed` client, any of which may die at any time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from distributed import KilledWorker, LocalCluster

from ...errors import WorkerLost
from .transport import Parcel, do, drop, packed

__all__ = ["Cluster"]

T = TypeVar("T")

logger = logging.getLogger("tilewright")

PATIENCE = 5.0  # seconds
CHECKS_ALONE = 4  # after which a cluster of this machine is given up: a process starts in far less


class Cluster:
    """The workers of a client."""

    # Cancelled is what became of a task whose inputs were lost; KilledWorker is one that was there when workers died.
    lost: tuple[type[BaseException], ...] = (CancelledError, KilledWorker)

    def __init__(self, client: Any) -> None:  # a `distributed.Client`, which is not typed
        self._client = client
        self.count = sum(client.nthreads().values()) or 1
        self._checks_alone = 0

    def submit(self, work: Callable[[Any, Any], T], shared: Parcel, batch: Any) -> Future[T]:
        """Not by the client's own executor: a task that fails while it is gathered never ends its future there."""
        task, future = self._client.submit(do, work, shared, batch, pure=False), Future[T]()
        self._client.loop.add_callback(self._settle, task, future)
        future.add_done_callback(lambda done: self._give_up(task) if done.cancelled() else None)
        return future

    def _give_up(self, task: Any) -> None:
        self._client.loop.add_callback(task.cancel, asynchronous=True)

    async def _settle(self, task: Any, future: Future[Any]) -> None:
        try:
            result = await self._client.gather(task, asynchronous=True)
        except BaseException as error:  # noqa: BLE001 - whatever it is, whoever waits for the future has to know
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
        else:
            if future.set_running_or_notify_cancel():
                future.set_result(result)

    def share(self, plan: Any, folder: Path) -> Parcel:
        return packed(plan, folder)

    def check(self) -> None:
        """Say so if there is no worker at all. WorkerLost on a cluster of this machine that starts none again.

        Any other cluster may get workers from its queue at any time, and is waited for.
        """
        self._checks_alone = 0 if self._client.nthreads() else self._checks_alone + 1
        if not self._checks_alone:
            return
        logger.warning("the cluster has no workers; waiting for one. A stopped run resumes when it is re-run")
        if self._checks_alone >= CHECKS_ALONE and isinstance(self._client.cluster, LocalCluster):
            raise WorkerLost(
                "all worker processes are gone, and none was started again; what is done is kept: make a new cluster, "
                "or run without one, and re-run the same command to resume"
            )

    def forget(self, shared: Parcel) -> None:
        """Have the workers drop it, and close its files with it, before the checkpoint is removed.

        A worker that has just died is not told, and is waited for no longer than PATIENCE.
        """
        telling = threading.Thread(target=self._tell, args=(shared.name,), daemon=True)
        telling.start()
        telling.join(PATIENCE)
        if shared.file:
            shared.file.unlink(missing_ok=True)

    def _tell(self, name: str) -> None:
        with suppress(Exception):  # the client may be closed by then: its workers forget more than this
            self._client.run(drop, name, on_error="ignore")
