"""The machine: its CPUs and GPUs, its last start, folders of installed packages, and which of its processes live."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "INSTALLED",
    "VISIBLE",
    "boot_id",
    "cpus",
    "gpu_facts",
    "gpus",
    "is_alive",
    "open_standard_streams",
    "this_process",
]

logger = logging.getLogger("tilewright")

INSTALLED = {"site-packages", "dist-packages"}
"""The folders in which packages are installed."""

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The variable of the environment that says which GPUs a process sees."""

STDERR = 2
BOOT = Path("/proc/sys/kernel/random/boot_id")


def cpus() -> int:
    """The number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them; else all that there are."""
    named = environment.get(VISIBLE)
    if named is None:
        return gpu_facts("index")
    names = [name.strip() for name in named.split(",")]
    return list(itertools.takewhile(lambda name: name not in ("", "-1"), names))  # CUDA too stops at one that is none


def gpu_facts(what: str) -> list[str]:
    """What `nvidia-smi` says of each GPU; nothing where it is not installed or cannot answer."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if asked.returncode:
        logger.info("nvidia-smi does not tell of the GPUs: %s", (asked.stderr or asked.stdout).strip())
        return []
    return asked.stdout.split()


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
