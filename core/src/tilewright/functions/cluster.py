"""`make_local_cluster`: worker processes on this machine, with a GPU each where there are some."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..components.extras import library
from ..components.options import checked_arguments
from ..components.quantities import whole_number
from ..engine.workers.main_guard import check_guarded
from ..storage.machine import cpus, gpus

__all__ = ["make_local_cluster"]

MOST_WORKERS = 8


@checked_arguments
def make_local_cluster(
    use_gpu: bool = False,
    n_workers: int | None = None,
    threads_per_worker: int = 1,
    memory_limit: str | None = None,
    **cluster_kwargs: Any,
) -> tuple[Any, Any]:
    """Start a dask cluster of processes on this machine; returns its client and itself, both to be closed.

    The client is the active one from here on, so a run uses its workers without being told.

    use_gpu: one worker for each GPU, which is the only one that it sees (`CUDA_VISIBLE_DEVICES`), so that one model is
        on a GPU at a time; one worker if there is none. More of them take turns with the GPUs. Otherwise a worker for
        each CPU, at most 8.
    memory_limit: of each worker, as in `"8GB"`; None for no limit.
    cluster_kwargs: for `dask.distributed.LocalCluster`.

    InvalidOption in a script that calls this outside `if __name__ == "__main__":`. Each worker process reads the
    script again, and would start a cluster of its own. PluginError without the package `distributed`.
    """
    distributed = library("distributed", extra="cluster", use="make_local_cluster")
    for what, value in (("n_workers", n_workers), ("threads_per_worker", threads_per_worker)):
        if value is not None:
            whole_number(what, value, least=1)
    check_guarded(sys._getframe(1), "leave the cluster out: a run uses threads by itself")
    settings = {"processes": True, "threads_per_worker": threads_per_worker, "memory_limit": memory_limit}
    devices = gpus() if use_gpu else []
    if devices:
        return _pinned(distributed, devices, n_workers or len(devices), settings | cluster_kwargs)
    workers = n_workers or (1 if use_gpu else min(MOST_WORKERS, cpus()))
    cluster = distributed.LocalCluster(n_workers=workers, **(settings | cluster_kwargs))
    return distributed.Client(cluster), cluster


def _pinned(distributed: Any, devices: Sequence[str], count: int, settings: Mapping[str, Any]) -> tuple[Any, Any]:
    """A cluster of so many workers, each with the next of the devices as the only one that it sees."""

    class Pinned(distributed.LocalCluster):  # type: ignore[misc]  # it is not typed
        """Asked by dask for one worker after another, also when it is scaled later."""

        _devices = itertools.cycle(devices)

        def new_worker_spec(self) -> dict[Any, Any]:
            told: dict[Any, Any] = super().new_worker_spec()
            seen = {"CUDA_VISIBLE_DEVICES": next(self._devices)}
            return {name: spec | {"options": spec["options"] | {"env": seen}} for name, spec in told.items()}

    cluster = Pinned(n_workers=0, **settings)
    client = distributed.Client(cluster)
    cluster.scale(count)
    client.wait_for_workers(count)
    return client, cluster
