"""What a worker must have to do what the plan names: the same code, and the files that the run works on."""

from __future__ import annotations

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
from ...storage.machine import INSTALLED

__all__ = ["Needed", "check_worker", "needed_by", "worker_name"]


class Package(NamedTuple):
    """A package that workers need: its import name, its version if it has one, a digest of its code, and its place."""

    name: str
    version: str
    digest: str
    place: str


class Needed(NamedTuple):
    """What workers need. folders: what they must see, which are all local paths."""

    packages: tuple[Package, ...]
    folders: tuple[str, ...]


def needed_by(shared: Any, folder: Path) -> Needed:
    """What workers need for a plan, or for what holds one: its components' code, its checkpoint and its source."""
    source = getattr(shared, "source", None)
    paths = [str(folder), *([source.path] if source and source.path and Path(source.path).exists() else [])]
    names = dict.fromkeys(("tilewright", *filter(_is_ours_to_check, map(_package_of, _parts(shared)))))
    return Needed(packages=tuple(filter(None, map(_package, names))), folders=tuple(paths))


def check_worker(needed: Needed) -> None:
    """WorkerDiffers, which names this worker and both sides, if it lacks something or runs other code."""
    for package in needed.packages:
        here = _package(package.name)
        if here is None:
            raise WorkerDiffers(f"{worker_name()} has no {_named(package)}, which the run needs; install it there")
        if here.digest != package.digest:
            raise WorkerDiffers(
                f"{worker_name()} has {_named(here)} in {here.place}, but the run was planned with the code of "
                f"{_named(package)} in {package.place}; install the same version on all workers, and start them again"
            )
    for folder in needed.folders:
        if not Path(folder).exists():
            raise WorkerDiffers(
                f"{worker_name()} does not see {folder!r}; use a file system that all workers share (checkpoint_dir, "
                "for the checkpoint)"
            )


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
