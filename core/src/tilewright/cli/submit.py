"""The command `tilewright submit`."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .choices import run_options, submitting
from .collection import collection_of
from .errors import debuggable, one_line
from .parts import pipeline_of
from .results import counted
from .terminal import echo

__all__ = ["submit"]


@click.command(short_help="Have SLURM do a run in several tasks.")
@click.argument("image", required=False)
@click.argument("output", required=False)
@submitting
@click.option("--tasks", type=click.IntRange(1), metavar="N", help="Tasks of the job array.")
@click.option("--sbatch", default="", metavar="TEXT", help="Options for sbatch, such as '--mem=32G --time=4:00:00'.")
@click.option("--dry-run", is_flag=True, help="Prepare the job, and print the commands that would start its tasks.")
@click.option("--status", metavar="CHECKPOINT", help="Say how far a job is, instead.")
@debuggable
def submit(image: str | None, output: str | None, **choices: Any) -> None:
    """Have SLURM do a run on IMAGE in a job array of N tasks, which share the work through the checkpoint.

    Parts and options are those of `tilewright run`. All machines must see the same files at the same paths. A job of
    one more task follows the array and ends the run if tasks were killed; `tilewright run` with the same arguments does
    so too. Without SLURM, give --dry-run, and start `tilewright work CHECKPOINT` in several shells or containers.

    \b
    tilewright submit cells.ome.zarr --segmenter threshold --tasks 20 --sbatch "--cpus-per-task=8 --mem=32G"
    tilewright submit --status cells.ome.zarr.labels.labels.tilewright
    """
    if choices["status"] is not None:
        echo(_status(Path(choices["status"])))
        return
    if image is None or choices["tasks"] is None:
        raise click.UsageError("give IMAGE and --tasks, or --status CHECKPOINT")
    if choices["workflow"] or collection_of(image, output, {**choices, "only": None}) is not None:
        raise click.UsageError(
            "a job is one run on one image; submit each image, and each step of a workflow, by itself"
        )
    if not choices["dry_run"] and shutil.which("sbatch") is None:
        raise click.UsageError(
            "sbatch is not installed here; submit where SLURM is, or give --dry-run and start the tasks yourself"
        )
    from ..workflow.job import Job

    job = Job.submit(pipeline_of(choices, image), image, output, run_options(choices), tasks=choices["tasks"])
    work = shlex.join([sys.executable, "-m", "tilewright.cli", "work", str(job.checkpoint)])
    words = ["sbatch", "--parsable", "--job-name=tilewright", f"--wrap={work}", *shlex.split(choices["sbatch"])]
    array, after = [*words, f"--array=0-{choices['tasks'] - 1}"], "--dependency=afterany:"
    if choices["dry_run"]:
        echo(f"job=$({shlex.join(array)})\n{shlex.join(words)} {after}${{job%;*}}")
        return
    number = _queued(array)
    _queued([*words, f"{after}{number}"])
    echo(f"job {number}: {counted(job.tiles, 'tile')} in {counted(job.claims.end, 'block')}; {job.checkpoint}")


def _queued(command: Sequence[str]) -> str:
    """The number of the job that sbatch has queued. WorkerLost, with what it says, if it refuses the job."""
    from ..errors import WorkerLost

    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise WorkerLost(f"sbatch refuses the job: {one_line(done.stderr)}; correct --sbatch, and submit again")
    return done.stdout.strip().partition(";")[0]


def _status(checkpoint: Path) -> str:
    from ..workflow.job import Job

    job = Job.open(checkpoint)
    if job is None:
        return f"there is no job in {checkpoint}: it has ended, or the path is wrong"
    counts = job.claims.counts()
    blocks = counted(job.claims.end, "block")
    text = f"{counts.done:,} of {blocks} done, {counts.claimed:,} claimed, {counts.open:,} open"
    return f"{text}; a task is joining tiles and writing labels" if counts.ending else text
