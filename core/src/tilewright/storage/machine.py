"""The machine: the number of its CPUs, the id of its last start, the folders of installed packages."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["INSTALLED", "boot_id", "cpus"]

INSTALLED = {"site-packages", "dist-packages"}
"""The folders in which packages are installed."""

BOOT = Path("/proc/sys/kernel/random/boot_id")


def cpus() -> int:
    """The number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def boot_id() -> str:
    """What names the time since this machine was started, on Linux; empty where the system has no name for it."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""
