"""A whole SLURM on this machine, on loopback only: munged, slurmctld and slurmd as processes of this one."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["Unavailable", "queue", "slurm"]

PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])  # where distributions put what root starts
WAIT = 60.0  # seconds until a node must be there
CONFIGURATION = """
ClusterName=tilewright
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=5
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:8
"""


class Unavailable(Exception):
    """Why there can be no SLURM on this machine."""


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Start it, with its files in a folder; the variables with which its commands find it. Unavailable if it cannot be.

    Up to eight tasks share a CPU.
    """
    for program in ("munged", "slurmctld", "slurmd", "sbatch"):
        if shutil.which(program, path=PATH) is None:
            raise Unavailable(f"{program} is not installed; apt-get install slurm-wlm munge")
    if os.geteuid():
        raise Unavailable("slurmd runs jobs as other users, so it needs root")
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    key, configuration = folder / "munge.key", folder / "slurm.conf"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    controller, node = _free_ports()
    configuration.write_text(
        CONFIGURATION.format(folder=folder, controller=controller, node=node, cpus=os.cpu_count() or 1)
    )
    variables = {**os.environ, "PATH": PATH, "SLURM_CONF": str(configuration)}
    options = {"key-file": key, "socket": "munge.socket", "pid-file": "munged.pid", "seed-file": "munge.seed"}
    munged = ["munged", "--foreground", "--force", *(f"--{name}={folder / value}" for name, value in options.items())]
    with contextlib.ExitStack() as stack:
        stack.enter_context(_started(munged, folder, variables))
        while not (folder / "munge.socket").exists():
            time.sleep(0.1)
        stack.enter_context(_started(["slurmctld", "-D"], folder, variables))
        stack.enter_context(_started(["slurmd", "-D", "-N", "localhost"], folder, variables))
        _wait_for_node(folder, variables)
        yield variables
        subprocess.run(["scancel", "--quiet", "--user=root"], env=variables, check=False)


def queue(variables: Mapping[str, str]) -> list[str]:
    """The tasks that wait or run, as `7_0 RUNNING`."""
    words = ["squeue", "--noheader", "--array", "--format=%i %T"]
    return subprocess.run(words, env=variables, check=True, capture_output=True, text=True).stdout.splitlines()


@contextlib.contextmanager
def _started(words: list[str], folder: Path, variables: Mapping[str, str]) -> Iterator[None]:
    with (folder / f"{words[0]}.log").open("wb") as log:
        process = subprocess.Popen(words, env=variables, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def _wait_for_node(folder: Path, variables: Mapping[str, str]) -> None:
    """Unavailable, with what the daemons say, if the node does not answer."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        words = ["sinfo", "--noheader", "--format=%T"]
        if "idle" in subprocess.run(words, env=variables, capture_output=True, text=True, check=False).stdout:
            return
        time.sleep(0.5)
    last = [log.read_text().splitlines()[-1:] for log in sorted(folder.glob("*.log"))]
    raise Unavailable(f"no node answers within {WAIT:.0f} s: {last}")


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
