"""The cluster that a run is sent to: a connection to a dask scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any

from ..components.extras import library
from ..errors import InvalidOption
from .errors import one_line
from .interrupt import interruptible
from .terminal import echo

__all__ = ["connected", "running"]

SLACK = 1.0  # seconds: a connection that fails by itself has a reason, which one that is cut off has not


@contextlib.contextmanager
def connected(address: str | None, *, timeout: float = 10) -> Iterator[None]:
    """Connect to the scheduler at an address for as long as the context lasts; nothing is done for None.

    timeout: seconds. InvalidOption if nobody answers within it, or if the address is none; PluginError without the
    package `distributed`. A scheduler without workers is no error, because a cluster may start some when there is
    work; it is said on stderr.
    """
    if address is None:
        yield
        return
    distributed = library("distributed", extra="cluster", use="--scheduler")
    try:
        asyncio.run(_asked(distributed, address, timeout))
        client = distributed.Client(address, timeout=timeout)
    except Exception as error:  # whatever comes from a stranger's port
        reason = one_line(error) or "what answers there is not a scheduler"
        raise InvalidOption(
            f"no dask scheduler answers at {address!r} within {timeout:g} s ({reason}); start one with 'dask "
            "scheduler', or leave --scheduler out to run on this machine, and re-run the same command"
        ) from error
    for name in ("distributed", "distributed.client", "tornado"):  # the run itself says what is lost
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with client:
        if not client.nthreads():
            echo(f"the scheduler at {address} has no workers yet; the run waits for some", err=True)
        yield


@contextlib.contextmanager
def running(*, resume: bool, scheduler: str | None) -> Iterator[None]:
    """What a run is in: a cluster, if it is sent to one, Ctrl-C that says how to resume, and stdout for the result."""
    again = "re-run the same command" if resume else "leave --no-resume out"
    with (
        connected(scheduler),
        interruptible(f"{again} to resume"),
        contextlib.redirect_stdout(sys.stderr),  # what models print
    ):
        yield


async def _asked(distributed: Any, address: str, timeout: float) -> None:
    """Have a scheduler say who it is: a client itself waits for ever for an answer of something else on that port."""
    arguments = distributed.Security().get_connection_args("client")
    asked = distributed.rpc(address, timeout=timeout, connection_args=arguments)
    async with asyncio.timeout(timeout + SLACK), asked as scheduler:
        await scheduler.identity()
