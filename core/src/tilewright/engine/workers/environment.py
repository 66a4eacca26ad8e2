"""What a worker must have to do what the plan names: the same code, and the files that the run works on."""

from __future__ import annotations

import errno
import functools
import hashlib
import importlib.util
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..._version import __version__
from ...components.registry import registry
from ...errors import WorkerDiffers
from ...storage.lock import LOCK
from ...storage.machine import INSTALLED

__all__ = ["Needed", "WorkerFacts", "check_worker", "facts", "needed_by", "worker_name"]

BEGIN = 2**16  # bytes


class Package(NamedTuple):
    """A package that workers need: its import name, its version if it has one, a digest of its code, and its place."""

    name: str
    version: str
    digest: str
    place: str


class Place(NamedTuple):
    """A folder or file that workers must see: what it is to the run, a path that tells it from its like, its state."""

    what: str
    path: str
    mark: str
    state: str


class Needed(NamedTuple):
    """What workers need, and the process that planned the run, which has it."""

    packages: tuple[Package, ...]
    places: tuple[Place, ...]
    planner: str


class WorkerFacts(NamedTuple):
    """A worker of a cluster that was checked: its name and host, and its versions of what the run needs."""

    name: str
    versions: tuple[tuple[str, str], ...]


def needed_by(shared: Any, folder: Path) -> Needed:
    """What workers need for a plan, or for what holds one: its components' code, its folders and its source."""
    plan = getattr(shared, "plan", shared)
    names = dict.fromkeys(("tilewright", *filter(_is_ours_to_check, map(_package_of, _parts(shared)))))
    places = [_held("checkpoint", folder), _held("output", plan.workdir.parent)]
    path = plan.source.path
    if path and Path(path).exists():
        places.append(Place("image", path, path, _state(path, path)))
    return Needed(tuple(filter(None, map(_package, names))), tuple(places), worker_name())


def _held(what: str, folder: Path) -> Place:
    """A folder of the run, by the file that names its holder: another machine may have a folder of that name."""
    mark = str(next(folder.glob(f"{LOCK}/*"), folder))
    return Place(what, str(folder), mark, _state(str(folder), mark))


def _state(path: str, mark: str) -> str:
    """What this process sees at a path; of a file its size and the begin of its content."""
    try:
        if mark != path:
            Path(mark).stat()
            return "the folder that the run holds"
        if Path(path).is_dir():
            return "a folder"
        with Path(path).open("rb") as file:
            begin = hashlib.blake2b(file.read(BEGIN), digest_size=4).hexdigest()
            return f"a file of {os.fstat(file.fileno()).st_size:,} bytes (its begin has the digest {begin})"
    except OSError as error:
        if mark != path and error.errno == errno.ENOENT and Path(path).exists():
            return "another folder of that name"
        return f"nothing ({error.strerror})"


def check_worker(needed: Needed) -> None:
    """WorkerDiffers, which names this worker and both sides, if it lacks something or runs other code."""
    for package in needed.packages:
        here = _package(package.name)
        if here is None:
            raise WorkerDiffers(
                f"{worker_name()} has no {_named(package)}, which the run needs and {needed.planner} has; install it "
                "there"
            )
        if here.digest != package.digest:
            raise WorkerDiffers(
                f"{worker_name()} has {_named(here)} in {here.place}, but the run was planned with the code of "
                f"{_named(package)} in {package.place}; install the same version on all workers, and start them again"
            )
    for place in needed.places:
        state = _state(place.path, place.mark)
        if state != place.state:
            raise WorkerDiffers(
                f"{worker_name()} does not see the {place.what} {place.path!r} as {needed.planner} does: {state} "
                f"there, {place.state} here; use a file system that all workers share (checkpoint_dir, for the "
                "checkpoint)"
            )


def facts(needed: Needed) -> WorkerFacts:
    """What is known of this worker of a cluster once it is checked."""
    from distributed import get_worker

    here = filter(None, (_package(package.name) for package in needed.packages))
    versions = tuple((package.name, package.version) for package in here if package.version)
    return WorkerFacts(f"{get_worker().name} on {socket.gethostname()}", versions)


def worker_name() -> str:
    """The address of this worker of a cluster, or the number of this process, and its host."""
    if "distributed" in sys.modules:
        from distributed import get_worker

        try:
            return f"worker {get_worker().address} on {socket.gethostname()}"
        except ValueError:  # it is not a cluster's
            pass
    return f"process {os.getpid()} on {socket.gethostname()}"


def _parts(shared: Any) -> Iterator[Any]:
    for name, value in vars(shared).items():
        if name in ("plan", "source"):
            yield from _parts(value)
        elif name == "measurers":
            yield from (each.measurer for each in value)
        elif name == "transforms":
            yield from (each.function for each in value)
        else:
            yield value.func if isinstance(value, functools.partial) else value


def _package_of(part: Any) -> str:
    module: str = getattr(part, "__module__", None) or type(part).__module__
    return module.partition(".")[0]


def _is_ours_to_check(name: str) -> bool:
    """Whether it is a plugin's package, or a module of the user's: what is installed otherwise is not read for this."""
    if name in ("__main__", "__mp_main__", *sys.stdlib_module_names):
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return name in _versions() or (file is not None and not INSTALLED & set(Path(file).parts))


@functools.cache
def _package(name: str) -> Package | None:
    """A package as this process would import it; None if there is none, or if it has no file."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.origin:
        return None
    top = Path(spec.origin)
    files = sorted(top.parent.rglob("*.py")) if spec.submodule_search_locations else [top]
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        digest.update(str(file.relative_to(top.parent)).encode() + file.read_bytes())
    return Package(name=name, version=_versions().get(name, ""), digest=digest.hexdigest(), place=str(top.parent))


@functools.cache
def _versions() -> dict[str, str]:
    """The versions of the plugins' packages by their import names."""
    offered = {plugin.target.partition(".")[0]: plugin.version for plugin in registry().plugins if plugin.target}
    return offered | {"tilewright": __version__}


def _named(package: Package) -> str:
    return f"{package.name} {package.version}".strip()
