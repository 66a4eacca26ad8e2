"""The command `tilewright work`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..progress.report import reporting
from .errors import debuggable
from .results import show_failed, told
from .scheduler import running
from .terminal import echo

__all__ = ["work"]

ALLOCATED = "SLURM_CPUS_ON_NODE"  # where SLURM gives a job a part of a node and does not bind it to that


@click.command(short_help="Take part in a job that was submitted.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--wait", is_flag=True, help="Stand by until the run has ended, for the case that its last task dies.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@debuggable
def work(checkpoint: Path, wait: bool, quiet: bool) -> None:
    """Take part in the job in CHECKPOINT, which `tilewright submit` prepared: claim blocks of tiles and segment them.

    Any number of these may run at once, on all machines that see the same files. The first that finds all blocks done
    joins the tiles and writes the labels, and the others end then. A block whose task was killed is done by another.
    """
    from ..workflow.job import Job

    job = Job.open(checkpoint)
    if job is None:
        echo(f"there is nothing to do: the job in {checkpoint} has ended, or the path is wrong", err=True)
        return
    workers = int(os.environ[ALLOCATED]) if os.environ.get(ALLOCATED, "").isdecimal() else None
    with running(resume=True, scheduler=None), reporting(quiet=quiet) as report:
        result = job.work(workers=workers, wait=wait, progress=report)
    if result is None:
        echo("no block is left for this task", err=True)
        return
    echo(told(result))
    if result.failed:
        raise SystemExit(show_failed(result.failed))
