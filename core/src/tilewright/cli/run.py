"""The command `tilewright run`."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from ..progress.report import watching
from ..progress.units import duration
from .choices import choices, run_options
from .errors import debuggable
from .interrupt import interruptible
from .parts import pipeline_of
from .plan import foretold
from .scheduler import connected
from .tables import table_plain, table_told
from .terminal import echo

if TYPE_CHECKING:
    from ..engine.result import Result
    from ..pipeline import Pipeline

__all__ = ["run"]


@click.command()
@click.argument("image")
@click.argument("output", required=False)
@choices
@debuggable
def run(image: str, output: str | None, **said: Any) -> None:
    """Segment IMAGE and write its labels to OUTPUT.

    Without OUTPUT the labels go where labels of that image belong: into an OME-Zarr's own `labels` group. Give the
    same command again to resume a run that was stopped. If the segmenter returns several label images, such as nuclei
    and cells, {output} in OUTPUT stands for their names.

    \b
    tilewright run cells.ome.zarr --segmenter threshold --set sigma=1.5
    tilewright run cells.ome.zarr nuclei.ome.zarr --segmenter threshold --channel DAPI --tile 1024 --halo 32
    """
    if said["scheduler"] and (said["workers"] or said["processes"]):
        raise click.UsageError(
            "--workers and --processes are for this machine, and --scheduler has its own workers; leave them out"
        )
    options, pipeline = run_options(said), pipeline_of(said, image)
    if said["save_pipeline"]:
        pipeline.save(said["save_pipeline"])
    if said["dry_run"]:
        echo(foretold(pipeline, image, options, as_json=said["as_json"]))
        return
    result = _run(pipeline, image, output, options, scheduler=said["scheduler"], quiet=said["quiet"])
    echo(json.dumps(_plain(result)) if said["as_json"] else _told(result))
    if result.failed:
        raise SystemExit(_failed(result))


def _run(
    pipeline: Pipeline, image: str, output: str | None, options: dict[str, Any], *, scheduler: str | None, quiet: bool
) -> Result:
    again = "re-run the same command" if options["resume"] else "leave --no-resume out"
    with (
        connected(scheduler),
        interruptible(f"{again} to resume"),
        watching(quiet=quiet),
        contextlib.redirect_stdout(sys.stderr),  # what models print; stdout is for the result
    ):
        return pipeline.run(image, output, **options)


def _plain(result: Result) -> dict[str, Any]:
    if result.outputs:
        return {"outputs": {name: _plain(each) for name, each in result.outputs.items()}, "failed": list(result.failed)}
    return {
        "path": str(result.path),
        **({} if result.table is None else {"table": table_plain(result.table)}),
        "n_objects": result.n_objects,
        "n_tiles": result.n_tiles,
        "n_skipped": result.n_skipped,
        "n_undrawn": result.n_undrawn,
        "failed": list(result.failed),
        "seconds": {step: round(spent, 3) for step, spent in result.seconds.items()},
    }


def _told(result: Result) -> str:
    empty = f", {result.n_skipped:,} of which were empty" if result.n_skipped else ""
    spent = ", ".join(f"{step} {duration(seconds)}" for step, seconds in result.seconds.items())
    lines = []
    for name, each in (result.outputs or {"": result}).items():
        named = f"{name}: " if name else ""
        lines += [
            f"{named}{_counted(each.n_objects, 'object')} in {_counted(each.n_tiles, 'tile')}{empty}",
            f"labels: {each.path}",
            *([] if each.table is None else [table_told(each.table)]),
        ]
    return "\n".join((*lines, f"time:   {duration(sum(result.seconds.values()))} ({spent})"))


def _failed(result: Result) -> int:
    """Say which tiles were left out. The exit code of a run with such tiles is 3."""
    for line in result.failed[:10]:
        echo(f"error: {' '.join(line.split())}", err=True)
    more = len(result.failed) - 10
    echo(
        f"{f'and {more:,} more: ' if more > 0 else ''}{_counted(len(result.failed), 'tile')} failed and were left as "
        "background; re-run the command with --overwrite to do just those",
        err=True,
    )
    return 3


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
