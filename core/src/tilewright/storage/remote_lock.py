"""An object that one run at a time holds, so that two machines do not write the same labels to a bucket."""

from __future__ import annotations

import datetime
import json
import os
import secrets
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..errors import OutputBusy
from .location import Location
from .machine import is_alive, this_process
from .object_store import NEW, Conflict, Objects, location_objects
from .remote_errors import remote

__all__ = ["RemoteHold", "held_object"]

BEAT, LEASE = 60.0, 600.0  # seconds: a run of another machine that did not renew its object for LEASE is dead

_HELD: set[str] = set()
"""The tokens of what runs of this process hold."""


class RemoteHold:
    """The object of an output, held until `release`."""

    def __init__(self, objects: Objects, key: str, where: Location) -> None:
        self._objects, self._key, self._where = objects, key, where
        self._token, self._ended = secrets.token_hex(8), threading.Event()
        self._put(self._free_state())
        if not objects.conditional:
            warnings.warn(
                f"the store of {where} cannot make a write depend on what is there, so two runs that begin at "
                "the same time would not notice each other; start one run at a time",
                UserWarning,
                stacklevel=2,
            )
        _HELD.add(self._token)
        threading.Thread(target=self._renew, daemon=True, name="tilewright-remote-lock").start()

    def check(self) -> None:
        """OutputBusy if another run has taken the object over, because this one did not renew it for too long."""
        if self._own() is None:
            raise OutputBusy(f"another run has taken over {self._where}; let that run end")

    def release(self) -> None:
        self._ended.set()
        _HELD.discard(self._token)
        with suppress(Exception):  # a run that ends is not made to fail by a service that has gone
            if self._own() is not None:
                self._objects.delete([self._key])

    def _own(self) -> str | None:
        """The state of the object, if it is this run's."""
        with remote(self._where):
            found = self._objects.read(self._key)
        return found[1] if found is not None and json.loads(found[0]).get("token") == self._token else None

    def _free_state(self) -> str:
        """The state of the object, once nobody lives who holds it. OutputBusy while somebody does."""
        found = self._objects.read(self._key)
        if found is None:
            return NEW
        holder = json.loads(found[0])
        living = is_alive(holder)
        if living and holder["process"] == os.getpid():  # an earlier run of this process could not let go
            living = holder["token"] in _HELD
        seen = datetime.datetime.fromisoformat(holder["seen"])
        if living is None:  # of another machine
            living = self._age(seen).total_seconds() < LEASE
        if living:
            raise OutputBusy(
                f"another run writes {self._where} (process {holder.get('process')} on {holder.get('host')}, last seen "
                f"{seen:%H:%M} UTC); wait until it has ended. If it was killed there, wait {LEASE / 60:.0f} minutes"
            )
        return found[1]

    def _age(self, seen: datetime.datetime) -> datetime.timedelta:
        """How long ago the object was renewed, by the clock of the store: those of two machines may differ.

        The store's time is that of an object that is put there and removed. Without one, this machine's clock counts.
        """
        probe = f"{self._key}.{self._token}"
        self._objects.write(probe, b"")
        renewed, now = self._objects.modified(self._key), self._objects.modified(probe)
        self._objects.delete([probe])
        return datetime.datetime.now(datetime.UTC) - seen if renewed is None or now is None else now - renewed

    def _put(self, state: str) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat()
        text = json.dumps({**this_process(), "token": self._token, "seen": now})
        try:
            with remote(self._where, "written"):
                self._objects.write(self._key, text.encode(), state if self._objects.conditional else None)
        except Conflict as error:
            if self._own() is not None:  # the answer was lost, and the request sent again
                return
            raise OutputBusy(f"another run has begun to write {self._where}; wait until it has ended") from error

    def _renew(self) -> None:
        while not self._ended.wait(BEAT):
            with suppress(Exception):  # the service is away for a moment; `check` tells in the end
                if (state := self._own()) is not None:
                    self._put(state)


@contextmanager
def held_object(where: Location) -> Iterator[RemoteHold]:
    """Hold the object beside a store that stands for an output in it. OutputBusy while another run holds it.

    NotWritable if nothing can be written there: before any work.
    """
    with remote(where, "written"):
        objects, place = location_objects(where)
        parts = place.split("/")
        first = next((i for i, part in enumerate(parts) if ".zarr" in part), len(parts) - 1)
        hold = RemoteHold(objects, "/".join([*parts[:first], f".{'.'.join(parts[first:])}.tilewright"]), where)
    try:
        yield hold
    finally:
        hold.release()
