"""The machine: its CPUs, its last start, the folders of installed packages, and which of its processes live."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["INSTALLED", "boot_id", "cpus", "is_alive", "open_standard_streams", "this_process"]

INSTALLED = {"site-packages", "dist-packages"}
"""The folders in which packages are installed."""

STDERR = 2
BOOT = Path("/proc/sys/kernel/random/boot_id")


def cpus() -> int:
    """The number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_standard_streams() -> None:
    """Have something behind the numbers 0, 1 and 2, where a process was started without them or has closed them.

    The next file that is opened would get such a number, and what a library prints to stderr would go into it.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        os.set_inheritable(opened, True)
    os.close(opened)


def boot_id() -> str:
    """What names the time since this machine was started, on Linux; empty where the system has no name for it."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""


def this_process() -> dict[str, Any]:
    """What names this process among those of all machines: `is_alive` is asked with it."""
    return {"process": os.getpid(), "start": _start(os.getpid()), "host": socket.gethostname(), "boot": _boot()}


def is_alive(process: Mapping[str, Any]) -> bool | None:
    """Whether a process lives; None if it is not one of this machine, as far as can be known here."""
    number = process.get("process")
    if not isinstance(number, int) or (process.get("host"), process.get("boot")) != (socket.gethostname(), _boot()):
        return None
    start = _start(number)
    if start or process.get("start"):
        return start == process.get("start")
    if os.name != "posix":  # there a signal ends a process
        return None
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _boot() -> str:
    """What names the processes that this one can see: the machine's start, and the container."""
    try:
        return f"{boot_id()} {Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _start(number: int) -> str:
    """When a process was started, so that another of its number is not taken for it; empty if that is not known."""
    try:
        text = Path(f"/proc/{number}/stat").read_text(errors="replace")
    except OSError:
        return ""
    state, *fields = text.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]
