"""How much memory there is to work with: the machine's, a container's, a batch job's, a GPU's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..storage.machine import gpu_facts

__all__ = ["available_memory", "gpu_memory"]

MIB = 2**20
NO_LIMIT = 2**60  # cgroup v1 writes "no limit" as the largest page-aligned number


def available_memory(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> int:
    """Bytes that this process may still take: what is free, within the limits of its control groups and SLURM job.

    root: where `/proc` and `/sys` are looked for. A limit leaves what is not used of it; a file cache is not used.
    """
    import psutil  # type: ignore[import-untyped]  # it ships no types

    limits = [int(psutil.virtual_memory().available), *_cgroups(root)]
    job = _slurm(environment)
    if job is not None:
        limits.append(job - int(psutil.Process().memory_info().rss))
    return max(1, min(limits))


def gpu_memory() -> int | None:
    """Free bytes of the first GPU, or None if there is none or nothing here can ask it."""
    free = gpu_facts("memory.free")
    return int(free[0]) * MIB if free and free[0].isdigit() else None


def _slurm(environment: Mapping[str, str]) -> int | None:
    """The memory of a SLURM job on this node; its variables are in MiB, and 0 means all of the node's."""
    node, cpu = environment.get("SLURM_MEM_PER_NODE", ""), environment.get("SLURM_MEM_PER_CPU", "")
    if node.isdigit() and int(node):
        return int(node) * MIB
    cpus = environment.get("SLURM_CPUS_ON_NODE") or environment.get("SLURM_CPUS_PER_TASK") or "1"
    return int(cpu) * int(cpus) * MIB if cpu.isdigit() and int(cpu) and cpus.isdigit() else None


def _cgroups(root: Path) -> Iterator[int]:
    """What is left in each control group that holds this process: a group's limit holds for all below it."""
    listed = root / "proc/self/cgroup"
    for line in listed.read_text().splitlines() if listed.exists() else []:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            yield from _left(root / "sys/fs/cgroup", group, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _left(root / "sys/fs/cgroup/memory", group, *names)


def _left(base: Path, group: str, limit: str, usage: str, cache: str) -> Iterator[int]:
    below = base / group.strip("/")
    for folder in [below, *below.parents]:
        if not folder.is_relative_to(base):
            return
        most, used = _number(folder / limit), _number(folder / usage)
        if most is not None and most < NO_LIMIT:
            yield most - max(0, (used or 0) - _statistic(folder / "memory.stat", cache))


def _number(file: Path) -> int | None:
    text = file.read_text().strip() if file.exists() else ""
    return int(text) if text.isdigit() else None


def _statistic(file: Path, name: str) -> int:
    lines = file.read_text().splitlines() if file.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)
