"""The cluster that a run is sent to: a connection to a dask scheduler."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..errors import InvalidOption
from .errors import one_line
from .terminal import echo

__all__ = ["connected"]


@contextlib.contextmanager
def connected(address: str | None, *, timeout: float = 10) -> Iterator[None]:
    """Connect to the scheduler at an address for as long as the context lasts; nothing is done for None.

    timeout: seconds. InvalidOption if nobody answers within it, or if the address is none. A scheduler without
    workers is no error, because a cluster may start some when there is work; it is said on stderr.
    """
    if address is None:
        yield
        return
    from distributed import Client
    from distributed.comm.addressing import parse_address, parse_host_port

    try:
        protocol, location = parse_address(address)
        if protocol in ("tcp", "tls"):
            parse_host_port(location)  # a client that fails over it would fail once more when it is collected
        client = Client(address, timeout=timeout)  # type: ignore[no-untyped-call]  # it is not typed
    except (OSError, ValueError) as error:
        raise InvalidOption(
            f"no dask scheduler answers at {address!r} ({one_line(error)}); start one with 'dask scheduler', "
            "or leave --scheduler out to run on this machine"
        ) from error
    with client:
        if not client.nthreads():  # type: ignore[no-untyped-call]  # likewise
            echo(f"the scheduler at {address} has no workers yet; the run waits for some", err=True)
        yield
