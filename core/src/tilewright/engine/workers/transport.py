"""A plan on its way to other processes: packed once, opened once in each."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import cloudpickle  # type: ignore[import-untyped]  # it ships no types

from ...errors import InvalidOption, NotReadable
from ..checkpoint.traces import note, traced
from .environment import Needed, WorkerFacts, check_worker, facts, needed_by

__all__ = ["Parcel", "do", "done_by", "drop", "opened", "packed"]

T = TypeVar("T")

# A plan of this size or less goes along with every task; it takes some 2 kB. One with an array in memory goes through
# a file in the checkpoint, which all workers see. Data that dask holds for the workers is gone with the last one that
# has it, and tasks that need it then wait for ever (measured: `scatter`, and every worker killed).
SENT = 2**18  # bytes


class Parcel(NamedTuple):
    """A plan as it travels, with a name under which a worker process keeps it: its data, or the file that has them.

    folder: the checkpoint.
    """

    name: str
    folder: Path
    data: bytes
    file: Path | None
    digest: bytes
    needed: Needed


def packed(plan: Any, folder: Path) -> Parcel:
    """A plan as it travels; a large one lies in the folder, which all workers see.

    InvalidOption, which names the part, for a plan that no pickle holds.
    """
    name, data, needed = secrets.token_hex(8), _pickled(plan), needed_by(plan, folder)
    if len(data) <= SENT:
        return Parcel(name, folder, data, None, b"", needed)
    file = folder / f"{name}.partial"  # a run that is killed leaves it; its like is cleared away with the checkpoint
    file.write_bytes(data)
    return Parcel(name, folder, b"", file, _digest(data), needed)


def _pickled(plan: Any) -> bytes:
    try:
        return bytes(cloudpickle.dumps(plan))
    except Exception as error:
        part = next((f"{name} {_name(value)!r}" for name, value in _parts(plan) if not _travels(value)), "run")
        raise InvalidOption(
            f"the {part} cannot be sent to worker processes ({error}); open what cannot be copied, such as a model, "
            "inside the function, or run on threads: leave processes out, or close the active dask client"
        ) from error


def _parts(plan: Any) -> Iterator[tuple[str, Any]]:
    source = getattr(plan, "source", None)
    yield from (("transform", each.function) for each in getattr(source, "transforms", ()))
    yield from vars(plan).items()


def _name(part: object) -> str:
    return str(getattr(part, "__qualname__", type(part).__qualname__))


def _travels(part: object) -> bool:
    try:
        cloudpickle.dumps(part)
    except Exception:  # noqa: BLE001 - whatever a stranger's object raises
        return False
    return True


_plans: dict[str, Any] = {}
_lock = threading.Lock()


def do(work: Callable[[Any, Any], T], parcel: Parcel, batch: Sequence[int], *, only: bool = False) -> T:
    """Do a task in a worker process, which leaves a trace if it dies; `only` as for `opened`."""
    with traced(parcel.folder, batch):
        plan = opened(parcel, only=only)
        note(work.__name__, batch)
        return work(plan, batch)


def done_by(work: Callable[[Any, Any], T], parcel: Parcel, batch: Sequence[int]) -> tuple[T, WorkerFacts]:
    """Do a task, and tell which worker did it."""
    return do(work, parcel, batch), facts(parcel.needed)


def opened(parcel: Parcel, *, only: bool = False) -> Any:
    """The plan in a parcel, the same one each time. With `only` this process keeps no other.

    WorkerDiffers if this process would not do what the plan names.
    """
    with _lock:
        if parcel.name not in _plans:
            if only:
                _plans.clear()
            check_worker(parcel.needed)
            _plans[parcel.name] = cloudpickle.loads(_data(parcel))
        return _plans[parcel.name]


def drop(name: str) -> None:
    """Forget a plan, and close its files with it."""
    _plans.pop(name, None)


def _data(parcel: Parcel) -> bytes:
    """The plan's bytes; those of a file only if they are what the run wrote, because loading a pickle may run it."""
    if parcel.file is None:
        return parcel.data
    data = parcel.file.read_bytes()
    if _digest(data) != parcel.digest:
        raise NotReadable(f"{parcel.file} is not what the run wrote there; re-run the same command to resume")
    return data


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()
